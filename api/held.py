"""Rows that wait for their moment, over the API."""

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from accounts.access import person
from importer import held
from importer.held_views import MOST_TYPED
from importer.models import Held
from pages.paging import page

router = Router(tags=["contacts"])


class HeldOut(Schema):
    """`run` (the id of the import) and `line` say where it comes from, `values` what it has, `due_at` when it is stored."""

    id: int
    run: uuid.UUID
    line: int
    dataset: str
    values: dict[str, str | None]
    due_at: datetime


class HeldPage(Schema):
    items: list[HeldOut]
    next: str | None
    previous: str | None


@router.get("", response=HeldPage, summary="List rows that are held")
def list_held(request: HttpRequest, q: str = "", cursor: str = "") -> dict[str, Any]:
    """Those of one's own imports, for admins of all, in the order of their moments; 25 a page. `q` is a piece of a text, or a
    phone number in any spelling."""
    rows = Held.objects.filter(state=Held.State.WAITING).select_related("run")
    if not person(request).may_admin:
        rows = rows.filter(run__owner=person(request))
    if typed := q.replace("\0", "").strip()[:MOST_TYPED]:
        rows = held.fitting(rows, typed)
    found = page(rows, cursor, ("due_at", "id"))
    items = [
        {
            "id": row.pk,
            "run": row.run.public_id,
            "line": row.line,
            "dataset": row.dataset,
            "values": row.values,
            "due_at": row.due_at,
        }
        for row in found.rows
    ]
    return {"items": items, "next": found.next or None, "previous": found.previous or None}
