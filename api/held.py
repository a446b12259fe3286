"""Rows that wait for their moment, over the API: listed, stored at once, or never."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema

from accounts.access import person
from accounts.models import Right, User
from api.access import callers
from api.fields import Cursor, Number, Typed
from api.lists import Listed, listed
from api.problems import Forbidden, InTheWay, Problem
from importer import held
from importer.access import may_steer
from importer.models import Held
from pages.paging import page

router = Router(tags=["held"])


class HeldOut(Schema):
    """A line of an import that is to be stored at `due_at`. `held_by` names the columns that it shares a value in with a record
    that was stored, or is to be stored, a short while before."""

    id: int
    of: uuid.UUID = Field(alias="import")
    line: int
    dataset: str
    values: dict[str, str]
    held_by: list[str]
    due_at: datetime


class HeldPage(Listed[HeldOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


class Decided(Schema):
    """`row` is the id of the record that it has become; null when it was discarded."""

    id: int
    state: str
    row: int | None


@router.get("", response=HeldPage, by_alias=True, summary="List or search rows that wait")
def list_held(
    request: HttpRequest,
    q: Typed = "",
    of: Annotated[uuid.UUID | None, Query(None, alias="import")] = None,
    cursor: Cursor = "",
) -> dict[str, Any]:
    """Those of one's own imports, for admins of all; 25 a page, in the order of their moments. `q` is a piece of a text, or a
    phone number in any spelling."""
    rows = Held.objects.filter(state=Held.State.WAITING).select_related("run")
    if not person(request).may_admin:
        rows = rows.filter(run__owner=person(request))
    if of:
        rows = rows.filter(run__public_id=of)
    found = page(held.fitting(rows, q.strip()) if q.strip() else rows, cursor, ("due_at", "id"))
    return listed(found, map(_shown, held.described(found.rows)))


@router.post("/{int:pk}/release", response={200: Decided, 409: Problem}, auth=callers(Right.IMPORT), summary="Store a row now")
def release_held(request: HttpRequest, pk: Number) -> dict[str, Any]:
    """Though it shares a value with one that was stored a short while ago."""
    return _decide(request, pk, held.release)


@router.post(
    "/{int:pk}/discard", response={200: Decided, 409: Problem}, auth=callers(Right.IMPORT), summary="Never store a row"
)
def discard_held(request: HttpRequest, pk: Number) -> dict[str, Any]:
    return _decide(request, pk, held.discard)


def _decide(request: HttpRequest, pk: int, verb: Callable[[int, User | None], None]) -> dict[str, Any]:
    """Raises Http404, Forbidden, and InTheWay when it does not wait any more."""
    row = get_object_or_404(Held.objects.select_related("run"), pk=pk)
    if not may_steer(person(request), row.run):
        raise Forbidden("Only the person who started an import, and admins, may decide about its rows.")
    try:
        verb(pk, person(request))
    except held.Gone as problem:
        raise InTheWay(str(problem)) from None
    row.refresh_from_db()
    return {"id": pk, "state": row.state, "row": row.row_id}


def _shown(waiting: held.Waiting) -> dict[str, Any]:
    row = waiting.held
    return {
        "id": row.pk,
        "import": row.run.public_id,
        "values": {cell.column: cell.text for cell in waiting.cells},
        "held_by": [cell.column for cell in waiting.cells if cell.bars],
        **{name: getattr(row, name) for name in ("line", "dataset", "due_at")},
    }
