"""The buttons of an import: each is a POST that calls one verb; cancel and undo ask first, on a page of their own."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import person
from accounts.models import Right, User
from accounts.rights import refusal
from importer import control, held, news, undo
from importer.access import may_see_rows, may_steer
from importer.models import Import
from importer.progress import is_undo, rows_written
from importer.states import FINAL, State
from pages.http import wants_part

Verb = Callable[[Import, User | None], None]

#: Buttons that do at once what they say; their addresses are fixed in urls.py.
AT_ONCE: dict[str, Verb] = {"pause": control.pause, "resume": control.resume, "retry": control.retry}


def offered(run: Import) -> frozenset[str]:
    """The buttons that make sense in the present state. One query for an import that has ended: can it be undone?"""
    if run.state in FINAL:
        buttons = {"undo"} if undo.possible(run.pk) else set()
        if run.file is not None and not run.file.fate and run.state in (State.FAILED, State.CANCELLED):
            buttons.add("look")
        return frozenset(buttons | {"retry"} if run.state == State.FAILED else buttons)
    if run.wanted == Import.Wanted.CANCEL:
        return frozenset()
    if run.state == State.REVIEW:
        return frozenset({"review", "cancel"})
    if run.state == State.CONSUMING:
        return frozenset({"cancel"})
    stopped = run.state == State.PAUSED or run.wanted == Import.Wanted.PAUSE
    return frozenset({"resume" if stopped else "pause", "cancel"})


@require_safe
def part(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The buttons alone, which the import's page asks for when the state has changed."""
    run = mine(request, public_id)
    if not wants_part(request):
        return redirect("import", public_id)
    news.see(run, person(request))
    buttons = offered(run) if may_steer(request.user, run) else frozenset()
    return render(request, "importer/_control.html", {"run": run, "buttons": buttons})


@require_POST
def press(request: HttpRequest, public_id: uuid.UUID, verb: str) -> HttpResponse:
    """Pause, resume or retry; htmx gets the buttons of the new state, everybody else is led back to the import."""
    run = steered(request, public_id)
    problem = carry_out(AT_ONCE[verb], run, person(request))
    if wants_part(request):
        context = {"run": run, "buttons": offered(run), "problem": problem}
        return render(request, "importer/_control.html", context, status=409 if problem else 200)
    return back(request, run, problem)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Ask whether what was written stays or goes, and cancel."""
    run = steered(request, public_id)
    if request.method == "POST":
        roll_back = request.POST.get("written") == "roll-back"
        problem = carry_out(lambda run, who: control.cancel(run, who, roll_back=roll_back), run, person(request))
        return back(request, run, problem)
    return render(request, "importer/cancel.html", {"run": run, "written": rows_written(run), "undoing": is_undo(run)})


@require_http_methods(["GET", "HEAD", "POST"])
def undo_import(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Say how many rows an undo takes back, and undo."""
    run = steered(request, public_id)
    if request.method == "POST":
        return back(request, run, carry_out(control.undo, run, person(request)))
    waiting = held.waiting_of(run)
    context = {"run": run, "written": rows_written(run), "waiting": waiting, "possible": "undo" in offered(run)}
    return render(request, "importer/undo.html", context)


def carry_out(verb: Verb, run: Import, who: User) -> str:
    """Call a verb; what it says when the state does not allow it, or nothing."""
    try:
        verb(run, who)
    except control.Refused as problem:
        run.refresh_from_db()
        return str(problem)
    return ""


def back(request: HttpRequest, run: Import, problem: str) -> HttpResponse:
    if problem:
        messages.error(request, problem)
    return redirect("import", run.public_id)


def mine(request: HttpRequest, public_id: uuid.UUID) -> Import:
    """The import, for those who may see its rows. Raises Http404 and PermissionDenied."""
    run = get_object_or_404(Import.objects.select_related("owner", "file", "decided_by"), public_id=public_id)
    if not may_see_rows(request.user, run):
        raise PermissionDenied("Only the person who started an import, and admins, may see its rows.")
    return run


def steered(request: HttpRequest, public_id: uuid.UUID) -> Import:
    """The import, for those who may steer it. Raises Http404 and PermissionDenied."""
    run = mine(request, public_id)
    if not may_steer(request.user, run):
        raise PermissionDenied(refusal(person(request), Right.IMPORT))
    return run
