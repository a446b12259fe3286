"""Exports over the API: asked for, followed, steered and fetched; everybody's own, and for admins all."""

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal

from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict, StrictBool

from accounts.access import person
from api.problems import Forbidden, InTheWay, Problem
from importer import downloads, export_control
from importer.access import may_see_rows
from importer.control import Refused
from importer.export_progress import ExportProgress
from importer.export_views import TYPES
from importer.models import Export
from importer.states import ExportState
from importer.values import BadFile
from pages.downloads import streamed
from pages.paging import page

router = Router(tags=["exports"])

Format = Literal["csv", "xlsx"]


class ExportOut(Schema):
    """`from` and `to` are days, both included; null for no limit. `rows` are those written so far. `file` is the address of
    the file, while there is one."""

    id: uuid.UUID
    dataset: str
    state: Literal["queued", "writing", "paused", "done", "failed", "cancelled"]
    format: Format
    first: date | None = Field(alias="from")
    last: date | None = Field(alias="to")
    raw: bool
    rows: int
    percent: float
    rows_per_second: float | None
    bytes: int
    sha256: str
    error: str
    file: str | None
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


class ExportPage(Schema):
    items: list[ExportOut]
    next: str | None
    previous: str | None


class NewExport(Schema):
    """`raw` leaves cells that a spreadsheet would run as formulas as they are."""

    model_config = ConfigDict(extra="forbid")

    dataset: str
    first: date | None = Field(None, alias="from")
    last: date | None = Field(None, alias="to")
    format: Format = "csv"
    raw: StrictBool = False


@router.post("", response={202: ExportOut}, summary="Export a dataset", by_alias=True)
def start_export(request: HttpRequest, response: HttpResponse, given: NewExport) -> Status[dict[str, Any]]:
    """All records, or those between two days by the dataset's `date_field`."""
    format = Export.Format(given.format)
    try:
        export = export_control.request_export(
            given.dataset, person(request), given.first, given.last, format, escape=not given.raw
        )
    except KeyError as problem:
        raise _unfit("/dataset", str(problem.args[0])) from None
    except BadFile as problem:
        raise _unfit("/to", str(problem)) from None
    response["Location"] = reverse("api:export", args=[export.public_id])
    return Status(202, _told(export))


@router.get("", response=ExportPage, summary="List exports, newest first", by_alias=True)
def list_exports(request: HttpRequest, cursor: str = "") -> dict[str, Any]:
    """One's own, for admins everybody's; 25 a page."""
    who = person(request)
    mine = Export.objects.all() if who.may_admin else Export.objects.filter(owner=who)
    found = page(mine, cursor, ("id",), descending=True)
    return {"items": list(map(_told, found.rows)), "next": found.next or None, "previous": found.previous or None}


@router.get(
    "/{uuid:public_id}",
    response={200: ExportOut, 403: Problem, 404: Problem},
    url_name="export",
    summary="Get an export",
    by_alias=True,
)
def get_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    return _told(_mine(request, public_id))


@router.get(
    "/{uuid:public_id}/file", response={200: bytes, 409: Problem, 410: Problem}, url_name="export-file", summary="Get its file"
)
def get_export_file(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Once it is done, for as long as `expires_at` says."""
    export = _mine(request, public_id)
    if export.state != ExportState.DONE:
        raise InTheWay(f"There is no file: the export is {ExportState(export.state).label.lower()}.", 409)
    if not export.path or not default_storage.exists(export.path):
        raise InTheWay("The file of this export was deleted, because its days were over. Export again.", 410)
    name = ExportProgress(export).name
    answer = streamed(request, downloads.original(export.path), TYPES[Export.Format(export.format)], name)
    answer["Content-Length"] = str(export.bytes)
    return answer


@router.post("/{uuid:public_id}/pause", response={200: ExportOut, 409: Problem}, summary="Pause an export", by_alias=True)
def pause_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    return _steer(request, public_id, export_control.pause)


@router.post("/{uuid:public_id}/resume", response={200: ExportOut, 409: Problem}, summary="Resume an export", by_alias=True)
def resume_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    return _steer(request, public_id, export_control.resume)


@router.post("/{uuid:public_id}/cancel", response={200: ExportOut, 409: Problem}, summary="Cancel an export", by_alias=True)
def cancel_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    """It ends without a file."""
    return _steer(request, public_id, export_control.cancel)


def _steer(request: HttpRequest, public_id: uuid.UUID, verb: Callable[[Export], None]) -> dict[str, Any]:
    export = _mine(request, public_id)
    try:
        verb(export)
    except Refused as problem:
        raise InTheWay(str(problem), stored=_told(export)) from None
    return _told(export)


def _mine(request: HttpRequest, public_id: uuid.UUID) -> Export:
    export = get_object_or_404(Export, public_id=public_id)
    if not may_see_rows(person(request), export):
        raise Forbidden("Only the person who started an export, and admins, may have it.")
    return export


def _told(export: Export) -> dict[str, Any]:
    now = ExportProgress(export)
    rate = now.rate
    return {
        "id": export.public_id,
        "dataset": export.dataset,
        "state": export.state,
        "format": export.format,
        "from": export.since,
        "to": export.until,
        "raw": not export.escape,
        "rows": export.rows_done,
        "percent": round(now.percent, 1),
        "rows_per_second": None if rate is None else round(rate, 1),
        "bytes": export.bytes,
        "sha256": export.sha256,
        "error": export.error,
        "file": reverse("api:export-file", args=[export.public_id]) if export.path else None,
        "started_at": export.started_at,
        "finished_at": export.finished_at,
        "expires_at": export.expires_at,
    }


def _unfit(pointer: str, sentence: str) -> InTheWay:
    return InTheWay(sentence, 422, errors=[{"pointer": pointer, "detail": sentence}])
