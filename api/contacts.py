"""Contacts over the API: the search of their page."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from api.datasets import look
from api.fields import Cursor, Day, Typed
from api.lists import Listed, listed
from contacts.datasets import CONTACTS

router = Router(tags=["contacts"])


class ContactOut(Schema):
    """`created_at` is when it was stored."""

    id: int
    name: str
    phone: str
    email: str
    created_at: datetime


class ContactPage(Listed[ContactOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


@router.get("", response=ContactPage, summary="List or search contacts")
def list_contacts(
    request: HttpRequest,
    q: Typed = "",
    first: Annotated[Day | None, Query(None, alias="from")] = None,
    last: Annotated[Day | None, Query(None, alias="to")] = None,
    cursor: Cursor = "",
) -> dict[str, Any]:
    """25 contacts a page, newest first. `q` is a phone number in any spelling, an e-mail address, or a piece of a text; in a
    large table the beginning of a phone number. `from` and `to` are days, both included."""
    return listed(look(CONTACTS, q, first, last, cursor))
