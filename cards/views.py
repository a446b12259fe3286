"""Where a card is: the lookup, and the timeline of one card."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cards import lookup
from cards.cleaners import same_phone
from cards.forms import LookupForm
from cards.models import CardEvent

#: Cards of one phone that the page shows; a number in more of them stands for “unknown”, or for a company.
SHOWN = 200


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Cards by their id or by a phone; 404 when no report names what is asked for."""
    form = LookupForm(request.GET)
    if not form.is_valid():
        return render(request, "cards/index.html", {"form": form}, status=422)
    asked = form.cleaned_data
    found = lookup.find(asked["card_id"], asked["mobile"])
    shown = found.cards[:SHOWN]
    context = {
        "form": form,
        "asks": form.asks,
        "found": found,
        "shown": shown,
        "any": bool(found.cards) or CardEvent.objects.exists(),
    }
    if form.asks and not found.cards:
        # In a hurry the number is typed into the first box.
        mobile = "" if asked["mobile"] or not same_phone(asked["card_id"]) else asked["card_id"]
        context |= {"unknown": lookup.unknown(**asked), "mobile": mobile}
        return render(request, "cards/index.html", context, status=404)
    return render(request, "cards/index.html", context)


@require_safe
def timeline(request: HttpRequest, card_id: str) -> HttpResponse:
    """Every report about a card, latest first."""
    found = lookup.find(card_id).cards
    if not found:
        return render(request, "cards/unknown.html", {"unknown": lookup.unknown(card_id, "")}, status=404)
    entries, page = lookup.timeline(found[0], request.GET.get("page", ""))
    return render(request, "cards/card.html", {"card": found[0], "entries": entries, "page": page})
