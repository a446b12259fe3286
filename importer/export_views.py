"""Pages of exports: the list, a new one, one with its progress and buttons, and its file; for their owners and admins."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import person
from importer import datasets, export_control
from importer.access import may_see_rows
from importer.control import Refused
from importer.export_forms import NewExport
from importer.export_progress import ExportProgress
from importer.models import Export, Import
from importer.states import ExportState
from pages import signed
from pages.http import render_part, wants_part
from pages.paging import page

VERBS: dict[str, Callable[[Export], None]] = {
    "pause": export_control.pause,
    "resume": export_control.resume,
    "cancel": export_control.cancel,
}
TYPES = {
    Export.Format.CSV: "text/csv; charset=utf-8",
    Export.Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """One's own exports, for admins everybody's, newest first."""
    who = person(request)
    exports = Export.objects.select_related("owner")
    found = page(exports if who.is_staff else exports.filter(owner=who), request.GET.get("page", ""), ("id",), descending=True)
    context = {
        "rows": [ExportProgress(export) for export in found.rows],
        "page": found,
        "moving": any(not export.is_final for export in found.rows),
    }
    return render_part(request, "importer/exports.html", "importer/_exports.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Ask what to export; a GET with answers tells htmx about how many rows that would be."""
    if request.method == "POST":
        form = NewExport(request.POST)
        if form.is_valid():
            data = form.cleaned_data
            export = export_control.request_export(
                data["dataset"], person(request), data["since"], data["until"], Export.Format(data["format"]), not data["raw"]
            )
            return redirect("export", export.public_id)
        return render(request, "importer/export_new.html", {"form": form}, status=422)
    if wants_part(request):
        return render(request, "importer/_export_rows.html", {"total": NewExport(request.GET).estimate()})
    known = {dataset.name for dataset in datasets.all()}
    asked = request.GET.get("dataset", "")
    return render(
        request, "importer/export_new.html", {"form": NewExport(initial={"dataset": asked} if asked in known else {})}
    )


@require_safe
def show(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One export; htmx gets its progress, and hears when the buttons are to be others."""
    export = _mine(request, public_id)
    changed = wants_part(request) and request.GET.get("seen") != _seen(export)
    answer = render_part(request, "importer/export.html", "importer/_export.html", _context(export) | {"changed": changed})
    if changed:
        answer["HX-Trigger"] = "state-changed"
    return answer


@require_safe
def part(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The buttons alone."""
    export = _mine(request, public_id)
    if not wants_part(request):
        return redirect("export", public_id)
    return render(request, "importer/_export_control.html", _context(export))


@require_POST
def press(request: HttpRequest, public_id: uuid.UUID, verb: str) -> HttpResponse:
    """Pause, resume or cancel; htmx gets the buttons of the new state, everybody else is led back to the export."""
    export = _mine(request, public_id)
    problem = ""
    try:
        VERBS[verb](export)
    except Refused as refused:
        problem = str(refused)
    if wants_part(request):
        context = _context(export) | {"problem": problem}
        return render(request, "importer/_export_control.html", context, status=409 if problem else 200)
    if problem:
        messages.error(request, problem)
    return redirect("export", public_id)


@never_cache
@require_safe
def file(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Lead to the finished file by a link that works for LOADIFY_LINK_SECONDS, also where nobody is signed in."""
    export = _mine(request, public_id)
    if not export.path or not default_storage.exists(export.path):
        raise Http404("This export has no file, or not any more.")
    return redirect("file-link", signed.token(signed.Link("export", export.public_id, person(request).pk)))


def _mine(request: HttpRequest, public_id: uuid.UUID) -> Export:
    """The export, for those who may have it. Raises Http404 and PermissionDenied."""
    export = get_object_or_404(Export.objects.select_related("owner"), public_id=public_id)
    if not may_see_rows(request.user, export):
        raise PermissionDenied("Only the person who started an export, and admins, may see it.")
    return export


def _context(export: Export) -> dict[str, object]:
    return {"export": export, "progress": ExportProgress(export), "buttons": _offered(export), "seen": _seen(export)}


def _offered(export: Export) -> frozenset[str]:
    """The buttons that make sense in the present state."""
    if export.state == ExportState.DONE:
        return frozenset({"download"} if export.path else ())
    if export.is_final or export.wanted == Import.Wanted.CANCEL:
        return frozenset()
    stopped = export.state == ExportState.PAUSED or export.wanted == Import.Wanted.PAUSE
    return frozenset({"resume" if stopped else "pause", "cancel"})


def _seen(export: Export) -> str:
    """What the buttons hang on."""
    return f"{export.state}-{export.wanted}"
