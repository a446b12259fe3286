"""Imports over the API: begun, followed, steered and taken back by the same verbs as on the pages."""

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Field, Router, Schema, Status
from ninja.errors import HttpError
from pydantic import ConfigDict, StrictBool

from accounts.access import person
from accounts.models import Right, User
from api import sending
from api.access import callers
from api.fields import Cursor
from api.lists import Listed, listed
from api.problems import Forbidden, InTheWay, Problem
from importer import changes, control, downloads, maintenance, stream, turns, unattended
from importer.access import may_see_rows, may_steer
from importer.download_views import rejects_csv
from importer.intake import uploads
from importer.models import Change, Import, Reject
from importer.relay import told_channel
from importer.states import State
from importer.told import told
from importer.values import BadFile, ImportProblem
from pages.downloads import streamed
from pages.paging import page

router = Router(tags=["imports"])

PAGE = 25

StateName = Literal[
    "queued",
    "waiting",
    "staging",
    "comparing",
    "review",
    "applying",
    "indexing",
    "publishing",
    "consuming",
    "paused",
    "done",
    "failed",
    "cancelled",
    "undoing",
    "undone",
]


class ImportOut(Schema):
    """`position` is the place in line of an import that is queued, 1 for the next one. `lines` are those read so far, and the
    six counts behind it add up to it at the end. `phase` is the step at work, or the one to go on with; `percent` is 0 to 100.
    `version` grows with every step. `consuming`: rows are sent through a queue, and consumers store them."""

    id: uuid.UUID
    dataset: str
    layout: str
    state: StateName
    position: int | None
    phase: Literal["", "staging", "comparing", "applying", "indexing", "publishing", "consuming", "undoing"]
    lines: int
    created: int
    updated: int
    unchanged: int
    superseded: int
    held: int
    rejected: int
    percent: float
    rows_per_second: float | None
    error: str
    version: int
    started_at: datetime | None
    finished_at: datetime | None


class ImportPage(Listed[ImportOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


class Cancel(Schema):
    """With `roll_back`, what the import has written so far is taken back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"roll_back": True}]})

    roll_back: StrictBool = False


class Approval(Schema):
    """`seen` is the import's version that was looked at: another review than that one is not approved."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"seen": 12}]})

    seen: int | None = Field(None, ge=0, le=2**63 - 1)


class ChangeOut(Schema):
    """`row` is the record's id. `before` has what an updated record had in the fields that changed, `after` what they became;
    `before` is null for a created record, `after` where nothing of it is known any more."""

    row: int
    line: int | None
    kind: Literal["created", "updated", "deleted", "cleared"]
    at: datetime
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ChangePage(Listed[ChangeOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


class RejectOut(Schema):
    """`cells` are those of the line, as they were; empty when the file is not kept any more."""

    line: int
    reason: str
    cells: list[str]


class RejectPage(Listed[RejectOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


@router.post(
    "",
    response={202: ImportOut, 503: Problem, 507: Problem},
    auth=callers(Right.IMPORT),
    url_name="imports",
    summary="Import a file",
    openapi_extra=sending.BODY,
)
def start_import(request: HttpRequest, response: HttpResponse) -> Status[dict[str, Any]]:
    """A small file comes along as `file` of a form (multipart/form-data); a large one is uploaded in parts before, below
    /uploads/ (tus 1.0), and named by its id. When the file is refused, the upload stays for a while and can be used again."""
    given, file = sending.sent(request)
    wish = unattended.Wish(given.dataset, given.layout, columns=given.mapping)
    try:
        run = unattended.submit_as(file, unattended.decide(file, wish), person(request), Import.Mode(given.mode))
    except KeyError as problem:
        raise sending.unfit("dataset", str(problem.args[0]), file) from None
    except unattended.BadMapping as problem:
        raise sending.unfit(f"mapping/{problem.column}" if problem.column else "mapping", str(problem), file) from None
    except unattended.Unclear as problem:
        raise sending.unfit("dataset", f"{problem} Say which in dataset and layout.", file) from None
    except maintenance.Closed:
        raise
    except ImportProblem as problem:
        raise sending.unfit("file" if sending.is_form(request) else "upload", str(problem), file) from None
    response["Location"] = reverse("api:import", args=[run.public_id])
    return Status(202, told(run))


@router.get("", response=ImportPage, url_name="imports", summary="List imports, newest first")
def list_imports(
    request: HttpRequest, mine: bool = False, dataset: str = "", state: Literal[StateName, ""] = "", cursor: Cursor = ""
) -> dict[str, Any]:
    """State and counts of everybody's imports, or with `mine` of one's own; 25 a page."""
    runs = Import.objects.select_related("heartbeat")
    if mine:
        runs = runs.filter(owner=person(request))
    asked = {"dataset": dataset.replace("\0", ""), "state": state}
    found = page(runs.filter(**{name: value for name, value in asked.items() if value}), cursor, ("id",), PAGE, descending=True)
    queued = {run.pk for run in found.rows if run.state == State.QUEUED}
    places = turns.places(queued) if queued else {}
    return listed(found, (told(run, False, places.get(run.pk)) for run in found.rows))


@router.get("/{uuid:public_id}", response={200: ImportOut, 404: Problem}, url_name="import", summary="Get an import")
def get_import(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    return told(_get(public_id))


@router.get("/{uuid:public_id}/events", response={200: str, 404: Problem}, url_name="import-events", summary="Follow an import")
def follow_import(request: HttpRequest, public_id: uuid.UUID, once: bool = False) -> HttpResponseBase:
    """Server-sent events: `event: snapshot`, with the import as JSON in `data`, at once and whenever it has moved. The stream
    goes on until the caller leaves, or their token ends; with `once=1` it ends after the first event."""
    run = _get(public_id)
    if once:
        data = json.dumps(told(run), cls=DjangoJSONEncoder)
        answer = HttpResponse(f"event: snapshot\nid: {run.version}\ndata: {data}\n\n", content_type="text/event-stream")
        answer["Cache-Control"] = "no-store"
        return answer
    # The channel is fixed here: django-eventstream would let the query name any.
    return stream.events(request, **{"format-channels": [told_channel(run.public_id)], "public_id": run.public_id})


@router.post("/{uuid:public_id}/apply", response={200: ImportOut, 409: Problem}, auth=callers(Right.IMPORT), summary="Approve")
def apply_import(request: HttpRequest, public_id: uuid.UUID, given: Approval | None = None) -> dict[str, Any]:
    """Let an import land that waits for a review."""
    return _steer(request, public_id, lambda run, who: control.approve(run, who, given.seen if given else None))


@router.post("/{uuid:public_id}/pause", response={200: ImportOut, 409: Problem}, auth=callers(Right.IMPORT), summary="Pause")
def pause_import(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    """Within two seconds. An import that nobody resumes in time is cancelled."""
    return _steer(request, public_id, control.pause)


@router.post("/{uuid:public_id}/resume", response={200: ImportOut, 409: Problem}, auth=callers(Right.IMPORT), summary="Resume")
def resume_import(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    return _steer(request, public_id, control.resume)


@router.post("/{uuid:public_id}/cancel", response={200: ImportOut, 409: Problem}, auth=callers(Right.IMPORT), summary="Cancel")
def cancel_import(
    request: HttpRequest, public_id: uuid.UUID, given: Cancel | None = None, roll_back: bool = False
) -> dict[str, Any]:
    """What it wrote stays, or goes with `roll_back`, in the body or the address."""
    roll_back = roll_back or (given is not None and given.roll_back)
    return _steer(request, public_id, lambda run, who: control.cancel(run, who, roll_back=roll_back))


@router.post("/{uuid:public_id}/undo", response={200: ImportOut, 409: Problem}, auth=callers(Right.IMPORT), summary="Undo")
def undo_import(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    """Take back what an import that has ended wrote; records that were changed since stay."""
    return _steer(request, public_id, control.undo)


@router.post(
    "/{uuid:public_id}/retry", response={200: ImportOut, 409: Problem}, auth=callers(Right.IMPORT), summary="Try again"
)
def retry_import(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    """Only an import that failed; it goes on where it stopped."""
    return _steer(request, public_id, control.retry)


@router.get("/{uuid:public_id}/changes", response={200: ChangePage, 403: Problem, 404: Problem}, summary="List its changes")
def list_changes(request: HttpRequest, public_id: uuid.UUID, cursor: Cursor = "") -> dict[str, Any]:
    """Records that it created or updated and that no undo has taken back, by their ids; 25 a page."""
    run = _seen(request, public_id)
    found = page(Change.objects.filter(run=run), cursor, ("row_id",), PAGE)
    items = [
        {"row": change.row_id, "line": change.line, "kind": change.get_kind_display(), "at": change.at} | sides
        for change, sides in zip(found.rows, changes.sides(run.dataset, found.rows), strict=True)
    ]
    return listed(found, items)


@router.get("/{uuid:public_id}/rejects", response={200: RejectPage, 403: Problem, 404: Problem}, summary="List its rejects")
def list_rejects(
    request: HttpRequest, public_id: uuid.UUID, format: Literal["", "json", "csv"] = "", cursor: Cursor = ""
) -> Any:
    """The lines that were not taken, by number, 25 a page; with `format=csv`, or to those who accept text/csv rather than JSON,
    all of them as a file, to mend and import."""
    run = _seen(request, public_id)
    wanted = format or ("csv" if request.get_preferred_type(["application/json", "text/csv"]) == "text/csv" else "json")
    if wanted == "csv":
        return rejects_csv(request, run.public_id)
    found = page(Reject.objects.filter(run=run), cursor, ("line",), PAGE)
    items = [{"line": row.line, "reason": row.reason, "cells": row.cells} for row in found.rows]
    return listed(found, items)


@router.get("/{uuid:public_id}/file", response={200: bytes, 403: Problem, 404: Problem, 410: Problem}, summary="Get its file")
def get_import_file(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The file as it was sent, byte for byte."""
    file = _seen(request, public_id).file
    if file is None:
        raise HttpError(404, "This import has no file.")
    try:
        uploads.check_there(file)
    except BadFile as problem:
        raise InTheWay(str(problem), 410) from None
    # Of no type that a browser would show: what is in the file is not ours.
    answer = streamed(request, downloads.original(file.path), "application/octet-stream", file.name)
    answer["Content-Length"] = str(file.size)
    return answer


def _get(public_id: uuid.UUID) -> Import:
    return get_object_or_404(Import.objects.select_related("owner", "file", "heartbeat"), public_id=public_id)


def _seen(request: HttpRequest, public_id: uuid.UUID) -> Import:
    """The import, for those who may see its rows. Raises Http404, Forbidden."""
    run = _get(public_id)
    if not may_see_rows(person(request), run):
        raise Forbidden("Only the person who started an import, and admins, may see its rows and its file.")
    return run


def _steer(request: HttpRequest, public_id: uuid.UUID, verb: Callable[[Import, User], None]) -> dict[str, Any]:
    """Call a verb for those who may, and tell what the import is then. Raises Http404, Forbidden, InTheWay."""
    run = _get(public_id)
    if not may_steer(person(request), run):
        raise Forbidden("Only the person who started an import, and admins, may steer it.")
    try:
        verb(run, person(request))
    except control.Refused as problem:
        run.refresh_from_db()
        raise InTheWay(str(problem), stored=told(run)) from None
    return told(run)
