"""Rows that wait for their moment: the list, and the buttons that store one at once or never."""

import uuid
from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.access import person
from accounts.models import Right, User
from accounts.rights import needs
from importer import datasets, held
from importer.access import may_steer
from importer.models import Held, Import
from importer.pictures import moments_ahead
from pages.http import render_part, wants_part
from pages.paging import page, total

#: Characters of a search.
MOST_TYPED = 255
VERBS: dict[str, tuple[Callable[[int, User | None], None], str]] = {
    "release": (held.release, "The row was stored."),
    "discard": (held.discard, "The row was discarded; it will never be stored."),
}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Waiting rows in the order of their moments, of one import (`?import=`) or of all whose rows the person may see, and of
    those the ones that have a piece of text (`?q=`)."""
    return _shown(request)


def _shown(request: HttpRequest, problem: str = "", said: str = "") -> HttpResponse:
    everything = Held.objects.filter(state=Held.State.WAITING)
    visible = everything if person(request).is_staff else everything.filter(run__owner=person(request))
    run, typed, cursor = _asked(request), _typed(request), request.GET.get("page", "")
    address = _address(request)
    if run is not None:
        everything, visible = everything.filter(run=run), visible.filter(run=run)
    others = total(everything.exclude(pk__in=visible.values("pk")), narrowed=True)
    if typed:
        visible = held.fitting(visible, typed)
    found = page(visible.select_related("run__owner", "run__file"), cursor, by=("due_at", "id"))
    number = total(visible, narrowed=True)
    context = {
        "run": run,
        "typed": typed,
        "most_typed": MOST_TYPED,
        "stored": [
            (dataset.title.lower(), f"{reverse('data-rows', args=[dataset.name])}?{urlencode({'q': typed})}")
            for dataset in datasets.all()
            if typed and dataset.holds
        ],
        "page": found,
        "rows": held.described(found.rows),
        "total": number,
        "others": others,
        "picture": moments_ahead(visible.order_by("due_at").values_list("due_at", flat=True)[: held.PICTURED], timezone.now()),
        "address": address,
        "here": f"{reverse('held')}?{urlencode({'page': cursor})}{'&' if address else ''}{address}",
        "problem": problem,
        "said": said,
    }
    return render_part(request, "importer/held.html", "importer/_held.html", context, status=409 if problem else 200)


@require_POST
@needs(Right.IMPORT)
def decide(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Store a row now, or never; htmx gets the list anew, everybody else is led back to it."""
    waiting = get_object_or_404(Held.objects.select_related("run"), pk=pk)
    if not may_steer(request.user, waiting.run):
        raise PermissionDenied("Only the person who started an import, and admins, may decide about its rows.")
    carry_out, said = VERBS[verb]
    problem = ""
    try:
        carry_out(pk, person(request))
    except held.Gone as gone:
        problem, said = str(gone), ""
    if wants_part(request):
        return _shown(request, problem, said)
    messages.add_message(request, messages.ERROR if problem else messages.SUCCESS, problem or said)
    address = _address(request)
    return redirect(f"{reverse('held')}?{address}" if address else "held")


def _address(request: HttpRequest) -> str:
    """What the address asks for but the page, as a query."""
    run = _asked(request)
    asked = {"import": str(run.public_id) if run else "", "q": _typed(request)}
    return urlencode({name: value for name, value in asked.items() if value})


def _typed(request: HttpRequest) -> str:
    # No database takes a NUL; no row has one.
    return request.GET.get("q", "").replace("\0", "").strip()[:MOST_TYPED]


def _asked(request: HttpRequest) -> Import | None:
    """The import that the address names, if it does."""
    try:
        wanted = uuid.UUID(request.GET.get("import", ""))
    except ValueError:
        return None
    return Import.objects.filter(public_id=wanted).select_related("file", "owner").first()
