"""Where a card is, over the API: the same lookup as on the pages."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from api.fields import Cursor
from api.lists import listed
from api.problems import InTheWay, Invalid, Problem
from cards import lookup
from cards.forms import LookupForm
from cards.models import CardEvent, Stage

router = Router(tags=["cards"])


class CardOut(Schema):
    """`status` is picked_up, exception, delivered or returned, since `status_at`; `attempts_note` is blank before two."""

    card_id: str
    status: str
    status_at: datetime
    comment: str
    phones: list[str]
    attempts: int
    attempts_note: str


class CardList(Schema):
    """`more` says that a phone has older cards, which were left out."""

    items: list[CardOut]
    more: bool


class ReportOut(Schema):
    status: str
    at: datetime
    phone: str
    comment: str
    reference: str


class CardTimeline(CardOut):
    """`events` come latest first, 50 a page; `next` and `previous` are values for the parameter `cursor`."""

    events: list[ReportOut]
    next: str | None
    previous: str | None


@router.get("", response={200: CardList, 400: Problem, 404: Problem}, summary="Find cards by id or phone")
def find_cards(request: HttpRequest, card_id: str = "", mobile: str = "") -> dict[str, Any]:
    """`card_id` in any case, `mobile` in any spelling: its last nine digits count. With both, cards that fit both. The card
    with the latest news comes first."""
    form = LookupForm({"card_id": card_id, "mobile": mobile})
    if not form.is_valid():
        raise Invalid(form, kind="parameter")
    if not form.asks:
        raise InTheWay(lookup.NEITHER, 400)
    found = lookup.find(**form.cleaned_data)
    if not found.cards:
        raise InTheWay(lookup.unknown(**form.cleaned_data), 404)
    return {"items": list(map(_card, found.cards)), "more": found.more}


@router.get("/{path:card_id}", response={200: CardTimeline, 404: Problem}, summary="Get the timeline of a card")
def get_card(request: HttpRequest, card_id: str, cursor: Cursor = "") -> dict[str, Any]:
    found = lookup.find(card_id).cards
    if not found:
        raise InTheWay(lookup.unknown(card_id, ""), 404)
    entries, page = lookup.timeline(found[0], cursor)
    around = listed(page, [_report(entry.event) for entry in entries])
    return {**_card(found[0]), "events": around.pop("items"), **around}


def _card(card: lookup.Card) -> dict[str, Any]:
    return {
        "card_id": card.latest.card_id,
        "status": _stage(card.latest),
        "status_at": card.latest.local_at,
        "comment": card.latest.comment,
        "phones": list(card.phones),
        "attempts": card.attempts,
        "attempts_note": card.attempts_note,
    }


def _report(event: CardEvent) -> dict[str, Any]:
    return {
        "status": _stage(event),
        "at": event.local_at,
        "phone": event.phone,
        "comment": event.comment,
        "reference": event.reference,
    }


def _stage(event: CardEvent) -> str:
    return Stage(event.stage).name.lower()
