"""Contacts over the API, as the page below Data shows them."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from api.datasets import list_records

router = Router(tags=["contacts"])


class ContactOut(Schema):
    id: int
    name: str
    phone: str
    email: str
    created_at: datetime


class ContactPage(Schema):
    """`next` and `previous` are values for the parameter `cursor`."""

    items: list[ContactOut]
    next: str | None
    previous: str | None


@router.get("", response=ContactPage, summary="List or search contacts")
def list_contacts(
    request: HttpRequest,
    q: str = "",
    first: Annotated[str, Query(alias="from")] = "",
    last: Annotated[str, Query(alias="to")] = "",
    cursor: str = "",
) -> dict[str, Any]:
    """25 a page, newest first, by the days on which they were stored. `q` is as for the records of a dataset."""
    return list_records(request, "contacts", q, first, last, cursor)
