"""The page between a file and its import: how it is read, which heading goes into which column, and the first rows."""

import hashlib
import json
from typing import IO, Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from importer import control, datasets, exported, mapping, preview, recognition
from importer.broker.choice import can_queue
from importer.datasets import Dataset
from importer.forms import KindOfFile, Prepare, Reading
from importer.models import Import, StoredFile
from importer.readers.excel_rows import sheets
from importer.readers.formats import sniff
from importer.values import ImportProblem
from pages.http import render_part


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.IMPORT)
def prepare(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show how a file of one's own would be imported; a POST with `start` imports it so, any other shows it anew."""
    file = get_object_or_404(StoredFile, public_id=public_id, owner_id=request.user.pk, completed_at__isnull=False)
    context: dict[str, Any] = {"file": file, "dataset": _dataset(request), "can_queue": can_queue()}
    status = 200
    try:
        with preview.opened(file) as content:
            _read(request, content, context)
        if "start" in request.POST or "queue" in request.POST:
            status = 422
            if all(context[form].is_valid() for form in ("kind", "reading", "form")):
                return redirect("import", _start(request, context).public_id)
            context["refused"] = True
    except ImportProblem as problem:
        context["problem"] = str(problem)
        status = 422
    return render_part(request, "importer/prepare.html", "importer/_prepare.html", context, status=status)


def _dataset(request: HttpRequest) -> Dataset:
    try:
        return datasets.get(request.GET.get("dataset", "products"))
    except KeyError as problem:
        raise Http404(str(problem.args[0])) from None


def _read(request: HttpRequest, content: IO[bytes], context: dict[str, Any]) -> None:
    """Put the forms and the first rows into the context: as far as possible, when it ends with BadFile."""
    data, dataset, name = request.POST or None, context["dataset"], context["file"].name
    chosen = KindOfFile(dataset, "", data or request.GET).chosen() if dataset.layouts else ""
    how = sniff(content, name)
    names = sheets(content) if how.kind == "workbook" else []
    context["reading"] = reading = Reading(how, names, data)
    if data is None:
        plan = preview.first_plan(content, dataset, how, name, chosen)
        context["reading"] = Reading(plan.how, names)
    else:
        plan = preview.plan(content, dataset, reading.how(), name, chosen)
    context["plan"] = plan
    layout = plan.dataset.as_layout
    context["kind"] = KindOfFile(dataset, layout, None if data is None else {"layout": layout})
    context["columns"] = columns = _columns(plan)
    # Chosen places mean nothing once the file is read in another way.
    context["moved"] = moved = data is not None and data.get("columns") != columns
    escaped = exported.seems_escaped(plan.dataset, context["file"], content, plan.seen.headings, plan.seen.batch.rows)
    form = Prepare(plan.dataset, plan.titles, plan.suggestion, None if moved else data, escaped)
    context |= {"form": form, **_shown(form, plan)}
    context["elsewhere"] = recognition.perfect_elsewhere(dataset, plan.seen.headings, name) if plan.how.heading else []


def _shown(form: Prepare, plan: preview.Plan) -> dict[str, Any]:
    """What the page says of the places chosen so far."""
    places = form.places()
    # Without a key no line can be taken; then the lines are shown as they are, to choose by.
    mapped = form.dataset.key.column in places
    return {
        "mapped": mapped,
        "names": [column.name for column in form.dataset.columns if column.name in places]
        if mapped
        else plan.seen.headings[: preview.WIDEST],
        "rows": preview.rows(form.dataset, plan, places, form.blank(), form.escaped() or False)
        if mapped
        else preview.as_read(plan),
        "missing": mapping.Suggestion(places).missing(form.dataset),
        "unused": [text for place, text in enumerate(plan.seen.headings) if place not in places.values()],
    }


def _columns(plan: preview.Plan) -> str:
    """Says whether two readings of a file have the same columns in the same places, to be put into the same layout."""
    return hashlib.sha256(json.dumps([plan.dataset.as_layout, *plan.seen.headings]).encode()).hexdigest()


def _start(request: HttpRequest, context: dict[str, Any]) -> Import:
    form, plan = context["form"], context["plan"]
    mode, options = Import.Mode(form.cleaned_data["mode"]), form.options(plan.how, queue="queue" in request.POST)
    run = control.submit(context["file"], plan.dataset.name, person(request), mode, options, plan.dataset.as_layout)
    mapping.remember(plan.dataset, plan.seen.headings, form.places(), form.blank())
    return run
