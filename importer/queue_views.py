"""The page of dead letters: messages that no consumer could take, to be sent again or discarded."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from importer import dead_letters
from importer.broker.choice import NoQueues
from importer.broker.letters import BrokerAway
from pages.paging import page
from pages.templatetags.figures import count

PAGE = 25
#: Characters of a message that are shown.
SHOWN = 300


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Letters that wait, latest first: all for staff, else those of one's own imports."""
    found = page(dead_letters.of(person(request)), request.GET.get("page", ""), by=("pk",), size=PAGE, descending=True)
    rows = [(letter, bytes(letter.body[: SHOWN + 1]).decode(errors="replace")) for letter in found.rows]
    return render(request, "importer/dead_letters.html", {"rows": rows, "page": found, "shown": SHOWN})


@require_POST
@needs(Right.IMPORT)
def replay(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Send one letter again, or all."""
    who = person(request)
    waiting = dead_letters.of(who).order_by("pk")
    letters = [get_object_or_404(waiting, pk=pk)] if pk else list(waiting[: dead_letters.MOST])
    try:
        sent = dead_letters.replay(letters, who)
    except (BrokerAway, NoQueues) as problem:
        messages.error(request, f"Nothing was sent: {problem}")
    else:
        messages.success(request, f"Sent again: {count(sent)}. What is rejected once more comes back here.")
    return redirect("dead-letters")


@require_POST
@needs(Right.IMPORT)
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    who = person(request)
    letter = get_object_or_404(dead_letters.of(who), pk=pk)
    dead_letters.discard(dead_letters.of(who).filter(pk=letter.pk), who)
    messages.success(request, "Discarded. The line stays rejected.")
    return redirect("dead-letters")
