"""The page on which a person looks at what an import would change, and lets it land."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import person
from accounts.models import Right
from accounts.rights import refusal
from importer import control, datasets, review_rows, stopping
from importer.access import may_see_rows, may_steer
from importer.forms import Decision
from importer.loaders.postgres import PostgresLoader
from importer.models import Import
from importer.options import Options
from importer.progress import Bucket
from importer.review import loader_of
from importer.states import State
from importer.values import BadFile, storable

AGAIN = (
    "You changed what is left out or made inactive, so the import is compared again before anything is written. "
    "Look at the new numbers, and let it land then."
)
TABS = {
    "updated": review_rows.updated,
    "created": review_rows.created,
    "missing": review_rows.missing,
    "doubles": review_rows.doubles,
}


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What the import would change; a POST decides by its button `do`: approve or choose."""
    run = get_object_or_404(Import.objects.select_related("file", "owner"), public_id=public_id)
    if not may_see_rows(request.user, run):
        raise PermissionDenied("Only the person who started an import, and admins, may see its rows.")
    try:
        datasets.of_old(run.dataset)
    except BadFile as problem:
        messages.error(request, str(problem))
        return redirect("import", public_id)
    if request.method != "POST":
        return _shown(request, run)
    if not may_steer(request.user, run):
        raise PermissionDenied(refusal(person(request), Right.IMPORT))
    return _decide(request, run)


def _shown(request: HttpRequest, run: Import, problem: str = "") -> HttpResponse:
    """The page, with the `problem` of what was sent; leads to the import when that does not wait for a review any more."""
    with transaction.atomic():
        # Nobody decides while the row is held, so the tables that the page reads stay, and are those of these numbers.
        found = stopping.locked(run.pk)
        context = _context(request, found) if found.state == State.REVIEW else None
    if context is None:
        return redirect("import", run.public_id)
    return render(request, "importer/review.html", context | {"problem": problem}, status=422 if problem else 200)


def _decide(request: HttpRequest, run: Import) -> HttpResponse:
    form = Decision(run, request.POST)
    if not form.is_valid():
        return _shown(request, run, "Choose from the columns of this file, and press one of the buttons.")
    button, seen, chosen = form.cleaned_data["do"], form.cleaned_data["seen"], form.chosen()
    try:
        if button == "choose":
            control.choose(run, person(request), *chosen, seen=seen)
        elif chosen == form.chosen_before():
            control.approve(run, person(request), seen=seen)
        else:
            control.choose(run, person(request), *chosen, seen=seen)
            messages.info(request, AGAIN)
    except control.Reviewed as problem:
        messages.error(request, str(problem))
        return redirect("import-review", run.public_id)
    except control.Refused as problem:
        messages.error(request, str(problem))
    return redirect("import", run.public_id)


def _context(request: HttpRequest, run: Import) -> dict[str, Any]:
    dataset = datasets.get(run.dataset)
    counts, options = run.review["counts"], Options.of(run.options)
    there = {"updated": dataset.overwrites, "missing": counts["missing"] > 0, "doubles": not dataset.holds}
    tabs = [name for name in TABS if there.get(name, True)]
    tab = request.GET.get("rows", "")
    if tab not in tabs:
        tab = "updated" if dataset.overwrites and (counts["to_update"] or not counts["to_create"]) else "created"
    words, column = storable(request.GET.get("q", "")).strip()[:200], request.GET.get("column", "")
    asked = review_rows.Asked(dataset.key.piece(words), column, request.GET.get("page", ""))
    loader = loader_of(run)
    # Imports wait for a review on PostgreSQL alone.
    assert isinstance(loader, PostgresLoader)
    # A table of what the file has twice is made only where there is anything of it.
    known = tab != "doubles" or counts["superseded"]
    names = dataset.seen_as(run.layout).names(run.checkpoint["places"])
    columns = {found["name"]: found for found in run.review["columns"]}
    return {
        "run": run,
        "review": run.review,
        "counts": counts,
        "title": dataset.title,
        "key": dataset.column(dataset.key.column).label,
        "overwrites": dataset.overwrites,
        "options": options,
        "progress": {"buckets": _buckets(counts)},
        "columns": [(name, columns.get(name), name in dataset.decisive) for name in names],
        "absent": counts["missing"] if options.deactivate_missing else run.review.get("absent", 0),
        "switch": dataset.switch,
        "tabs": tabs,
        "tab": tab,
        "page": TABS[tab](loader, asked) if known else None,
        "q": words,
        "column": column,
        "address": urlencode({"rows": tab, "q": words, "column": column}),
    }


def _buckets(counts: dict[str, int]) -> list[Bucket]:
    words = {
        "to_create": "would be created",
        "to_update": "would be updated",
        "to_hold": "would be held",
        "unchanged": "unchanged",
        "superseded": "superseded",
        "rejected": "rejected",
    }
    colours = {"to_create": "created", "to_update": "updated", "to_hold": "held"}
    shown = {name: counts.get(name, 0) for name in words}
    return [
        Bucket(colours.get(name, name), words[name], number) for name, number in shown.items() if number or name != "to_hold"
    ]
