"""Pages about what the site holds: every dataset, the rows of one, and one row with its story."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from importer import browse, changes, datasets
from importer.access import may_see_rows
from importer.datasets import Dataset
from importer.models import Import
from importer.progress import words
from pages.http import render_part
from pages.paging import total


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Every dataset: how many rows it has, and what brought rows last."""
    return render(request, "importer/data.html", {"cards": [_card(request, dataset) for dataset in datasets.all()]})


@require_safe
def rows(request: HttpRequest, dataset: str) -> HttpResponse:
    """Rows of a dataset, 25 at a time, narrowed down by what the address says."""
    known = _known(dataset)
    if known.page:
        return redirect(known.page)
    found = browse.find(known, request.GET, request.GET.get("page", ""))
    good = found.asked.is_valid()
    context = {
        "dataset": known,
        "found": found,
        "page": found.page,
        "headings": browse.shown(known),
        "rows": [(row, browse.cells(known, row)) for row in found.page.rows],
        "date_heading": dict(browse.shown(known))[known.date_field],
        "address": urlencode(found.asked.query()) if good else "",
        "links": _links(known),
    }
    return render_part(request, "importer/data_rows.html", "importer/_data_rows.html", context, status=200 if good else 422)


@require_safe
def row(request: HttpRequest, dataset: str, pk: int) -> HttpResponse:
    """One row: all its values, and which imports and people made it what it is."""
    known = _known(dataset)
    found = known.model._default_manager.filter(pk=pk).first()
    if found is None:
        raise Http404("There is no such row.")
    names = [name for name, _ in browse.shown(known)]
    story = changes.story(known.name, pk, names, {name: getattr(found, name) for name in names})
    context = {
        "dataset": known,
        "row": found,
        "cells": browse.cells(known, found),
        "story": browse.told(known, story),
        "whole": len(story) < changes.MOST,
    }
    return render(request, "importer/data_row.html", context)


def _known(name: str) -> Dataset:
    try:
        return datasets.get(name)
    except KeyError as problem:
        raise Http404(problem.args[0]) from None


def _card(request: HttpRequest, dataset: Dataset) -> dict[str, object]:
    last = Import.objects.select_related("owner", "file").filter(dataset=dataset.name).order_by("-public_id").first()
    return {
        "dataset": dataset,
        "total": total(dataset.model._default_manager.all(), narrowed=False),
        "last": last,
        "state": words(last) if last else "",
        "shows_file": last is not None and may_see_rows(request.user, last),
        "links": _links(dataset),
    }


def _links(dataset: Dataset) -> list[tuple[str, str]]:
    """The dataset's own pages, as addresses and words; a page that this site does not have is left out."""
    found = []
    for name, label in dataset.pages:
        try:
            found.append((reverse(name), label))
        except NoReverseMatch:
            continue
    return found
