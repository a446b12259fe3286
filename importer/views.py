"""Pages about imports: the history, one import with its live progress, and its rejects."""

import uuid
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.access import person
from importer import datasets, news, turns
from importer.access import may_see_rows, may_steer
from importer.control_views import mine, offered
from importer.filters import HistoryForm
from importer.models import Change, Import, Reject
from importer.progress import silent_for, snapshot
from importer.states import State
from pages.http import render_part, wants_part
from pages.paging import page

PAGE = 25
#: As many of the latest rejects stand on the import's own page.
LATEST = 10


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Imports, newest first; `?before=<public id>` goes on where a page ended (UUIDs of version 7 sort by time)."""
    form = HistoryForm(request.GET, label_suffix="")
    every = Import.objects.select_related("owner", "file", "heartbeat").order_by("-public_id")
    runs = form.narrow(every, person(request))
    before = as_uuid(request.GET.get("before", ""))
    if before:
        runs = runs.filter(public_id__lt=before)
    found = list(runs[: PAGE + 1])
    queued = {run.pk for run in found[:PAGE] if run.state == State.QUEUED}
    places = turns.places(queued) if queued else {}
    rows = [
        (run, snapshot(run, False, place), may_see_rows(request.user, run), silent_for(run, place))
        for run in found[:PAGE]
        for place in [places.get(run.pk)]
    ]
    context = {
        "rows": rows,
        "form": form,
        "narrowed": urlencode(form.query()),
        "before": before,
        "next": urlencode(form.query() | {"before": str(found[PAGE - 1].public_id)}) if len(found) > PAGE else "",
        "moving": any(not run.is_final for run in found[:PAGE]),
    }
    return render_part(request, "importer/index.html", "importer/_imports.html", context)


@require_safe
def show(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One import: what everybody may see, and for those who may see rows the latest rejects."""
    run = get_object_or_404(Import.objects.select_related("owner", "file", "decided_by", "heartbeat"), public_id=public_id)
    sees_rows = may_see_rows(request.user, run)
    news.see(run, person(request))
    progress = snapshot(run)
    context = {
        "run": run,
        "progress": progress,
        "silent": silent_for(run, progress.place),
        "sees_rows": sees_rows,
        "rejects": latest(run) if sees_rows else [],
        "buttons": offered(run) if may_steer(request.user, run) else frozenset(),
    }
    return render(request, "importer/import.html", context)


@require_safe
def rejects(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """All rejects by line, a page at a time. The part is the latest few, for the import's own page."""
    run = get_object_or_404(Import.objects.select_related("file"), public_id=public_id)
    if not may_see_rows(request.user, run):
        raise PermissionDenied("Only the person who started an import, and admins, may see its rows.")
    if wants_part(request):
        context: dict[str, object] = {"run": run, "rejects": latest(run)}
    else:
        found = page(Reject.objects.filter(run=run), request.GET.get("page", ""), by=("line",), size=PAGE)
        context = {"run": run, "rejects": found.rows, "page": found}
    return render_part(request, "importer/rejects.html", "importer/_rejects.html", context)


@require_safe
def kept(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What an undo left alone: the Changes of the import that remain, with the row as it is now, or None where it is gone."""
    run = mine(request, public_id)
    found = page(Change.objects.filter(run=run), request.GET.get("page", ""), by=("row_id",), size=PAGE)
    try:
        live = datasets.get(run.dataset).model._default_manager.in_bulk([change.row_id for change in found.rows])
    except KeyError:
        live = None
    left = [(change, (live or {}).get(change.row_id)) for change in found.rows]
    return render(request, "importer/kept.html", {"run": run, "rows": left, "page": found, "known": live is not None})


def latest(run: Import) -> list[Reject]:
    return list(run.rejects.order_by("-line")[:LATEST]) if run.rejected else []


def as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
