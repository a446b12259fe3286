"""Exports over the API: asked for, followed, steered and fetched, by those who started them and admins."""

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
from api.fields import Cursor, DatasetName, Day
from api.lists import Listed, listed
from api.problems import Forbidden, InTheWay, Invalid, Problem
from importer import downloads, export_control
from importer.access import may_see_rows
from importer.control import Refused
from importer.export_forms import NewExport
from importer.export_progress import ExportProgress
from importer.export_views import TYPES
from importer.models import Export
from importer.states import ExportState
from pages.downloads import streamed
from pages.paging import page

router = Router(tags=["exports"])


class ExportOut(Schema):
    """`rows` are those written so far, and `percent` is 0 to 100. `file` is where the finished file is fetched, until
    `expires_at`; null when there is none."""

    id: uuid.UUID
    dataset: str
    state: Literal["queued", "writing", "paused", "done", "failed", "cancelled"]
    format: Literal["csv", "xlsx"]
    first: date | None = Field(None, alias="from")
    last: date | None = Field(None, alias="to")
    raw: bool
    rows: int
    percent: float
    rows_per_second: float | None
    bytes: int | None
    sha256: str | None
    error: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    file: str | None


class ExportPage(Listed[ExportOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


class NewExportIn(Schema):
    """`from` and `to` are days, both included; null for no limit. `raw` leaves cells as they are that a spreadsheet would run
    as formulas; else they are marked as text, and an import takes the mark off again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"dataset": "products", "from": "2026-01-01", "to": "2026-01-31", "format": "xlsx"}]},
    )

    dataset: DatasetName
    first: Day | None = Field(None, alias="from")
    last: Day | None = Field(None, alias="to")
    format: Literal["csv", "xlsx"] = "csv"
    raw: StrictBool = False


@router.get("", response=ExportPage, by_alias=True, summary="List exports, newest first")
def list_exports(request: HttpRequest, cursor: Cursor = "") -> dict[str, Any]:
    """One's own; for admins everybody's."""
    who, exports = person(request), Export.objects.all()
    found = page(exports if who.may_admin else exports.filter(owner=who), cursor, ("id",), descending=True)
    return listed(found, map(_shown, found.rows))


@router.post("", response={202: ExportOut}, by_alias=True, summary="Export a dataset")
def start_export(request: HttpRequest, response: HttpResponse, given: NewExportIn) -> Status[dict[str, Any]]:
    """Workers write it; follow it at the address in the header Location until its `state` is done."""
    form = NewExport({"since": given.first, "until": given.last, **given.dict(include={"dataset", "format", "raw"})})
    if not form.is_valid():
        raise Invalid(form, {"since": "from", "until": "to"})
    asked = form.cleaned_data
    export = export_control.request_export(
        asked["dataset"], person(request), asked["since"], asked["until"], Export.Format(asked["format"]), not asked["raw"]
    )
    response["Location"] = reverse("api:export", args=[export.public_id])
    return Status(202, _shown(export))


@router.get("/{uuid:public_id}", response=ExportOut, by_alias=True, url_name="export", summary="Get an export")
def get_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    return _shown(_mine(request, public_id))


@router.get(
    "/{uuid:public_id}/file",
    response={200: bytes, 409: Problem, 410: Problem},
    url_name="export-file",
    summary="Fetch the file of an export",
)
def get_export_file(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """409 while it is not done, 410 when it was deleted."""
    export = _mine(request, public_id)
    if export.state != ExportState.DONE:
        said = ExportState(export.state).label.lower()
        raise InTheWay(f"There is no file: the export is {said}.", stored=_shown(export, as_json=True))
    if not export.path or not default_storage.exists(export.path):
        raise InTheWay("The file was deleted, as its days were over; export again.", 410)
    name = ExportProgress(export).name
    response = streamed(request, downloads.original(export.path), TYPES[Export.Format(export.format)], name)
    response["Content-Length"] = str(export.bytes)
    return response


@router.post("/{uuid:public_id}/pause", response={200: ExportOut, 409: Problem}, by_alias=True, summary="Pause an export")
def pause_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    """The worker stops within a few seconds, and is free for others."""
    return _steer(request, public_id, export_control.pause)


@router.post("/{uuid:public_id}/resume", response={200: ExportOut, 409: Problem}, by_alias=True, summary="Resume an export")
def resume_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    """It goes on where it stopped."""
    return _steer(request, public_id, export_control.resume)


@router.post("/{uuid:public_id}/cancel", response={200: ExportOut, 409: Problem}, by_alias=True, summary="Cancel an export")
def cancel_export(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    """It ends without a file."""
    return _steer(request, public_id, export_control.cancel)


def _mine(request: HttpRequest, public_id: uuid.UUID) -> Export:
    """The export, for those who may have it. Raises Http404 and Forbidden."""
    export = get_object_or_404(Export, public_id=public_id)
    if not may_see_rows(person(request), export):
        raise Forbidden("Only the person who started an export, and admins, may see it.")
    return export


def _steer(request: HttpRequest, public_id: uuid.UUID, verb: Callable[[Export], None]) -> dict[str, Any]:
    export = _mine(request, public_id)
    try:
        verb(export)
    except Refused as problem:
        raise InTheWay(str(problem), stored=_shown(export, as_json=True)) from None
    return _shown(export)


def _shown(export: Export, *, as_json: bool = False) -> dict[str, Any]:
    progress = ExportProgress(export)
    rate = progress.rate
    shown = {
        "id": export.public_id,
        "from": export.since,
        "to": export.until,
        "raw": not export.escape,
        "rows": export.rows_done,
        "percent": round(progress.percent, 1),
        "rows_per_second": None if rate is None else round(rate, 1),
        "bytes": export.bytes if export.state == ExportState.DONE else None,
        "sha256": export.sha256 or None,
        "created_at": export.queued_at,
        "file": reverse("api:export-file", args=[export.public_id]) if export.path else None,
        **{name: getattr(export, name) for name in _AS_STORED},
    }
    return ExportOut(**shown).dict(by_alias=True) if as_json else shown


_AS_STORED = ("dataset", "state", "format", "error", "started_at", "finished_at", "expires_at")
