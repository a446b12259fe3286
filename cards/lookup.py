"""Where is a card? Found by its id or a phone, with its status, and its timeline with where each report came from."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Max, OuterRef, Q, Subquery

from cards.cleaners import card_id as spelled
from cards.cleaners import phone_end
from cards.models import CardEvent, Stage
from importer.changes import origins
from importer.models import Change
from importer.values import quote
from pages.paging import Page, page

#: How many reports of one phone are looked at for its cards, latest first. A number that stands for "unknown" has any number.
MOST = 2_000
#: Reports on one page of a timeline.
PAGE = 50
#: From so many delivery attempts on it is said how they went.
TELLING = 2
NEITHER = "Give a card ID or a mobile number."
#: The order in which the first report says the status: on a tie the later stage.
_LATEST = ("at", "stage", "id")


@dataclass(frozen=True)
class Card:
    """A card as all reports about it tell: `latest` is its status, `phones` are spellings of different numbers, the one that
    was named last in front; `attempts` to deliver it were made, `failed` of them failed."""

    latest: CardEvent
    phones: tuple[str, ...]
    attempts: int
    failed: int

    @property
    def attempts_note(self) -> str:
        """A sentence from the second attempt on, else blank."""
        if self.attempts < TELLING:
            return ""
        if self.failed == self.attempts:
            return f"{self.attempts} delivery attempts have failed."
        return f"{self.attempts} delivery attempts were made; {self.failed or 'none'} failed."


@dataclass(frozen=True)
class Found:
    """Cards, the one with the latest news first; `more` says that older cards of this phone were left out."""

    cards: tuple[Card, ...]
    more: bool = False


@dataclass(frozen=True)
class Entry:
    """A report on a timeline, the Change that brought it (None when it is not known), and whether its phone is another than
    that of the reports before."""

    event: CardEvent
    origin: Change | None
    other_phone: bool


def find(card_id: str = "", mobile: str = "") -> Found:
    """The cards with this id and this phone, in any spelling; blank fits all. Raises BadValue for what is no whole phone."""
    card, end = spelled(card_id), phone_end(mobile) if mobile.strip() else ""
    if card:
        # No id has what cannot be shown, and no database takes a NUL.
        fits = CardEvent.objects.filter(card_id=card, **({"phone_end": end} if end else {}))
        return Found(_cards([card] if card.isprintable() and fits.exists() else []))
    if not end:
        return Found(())
    reports = CardEvent.objects.filter(phone_end=end).order_by("-at").values_list("card_id", flat=True)[: MOST + 1]
    ids = list(reports)
    return Found(_cards(dict.fromkeys(ids[:MOST])), more=len(ids) > MOST)


def unknown(card_id: str, mobile: str) -> str:
    """The sentence for a search that found nothing."""
    named = [f"the card {quote(card_id.strip())}"] if card_id.strip() else []
    named += [f"the mobile number {quote(mobile.strip())}"] if mobile.strip() else []
    return f"No report names {' together with '.join(named)}."


def timeline(card: Card, cursor: str = "") -> tuple[list[Entry], Page[CardEvent]]:
    """The reports about a card, latest first, on the page that `cursor` points to."""
    found = page(CardEvent.objects.filter(card_id=card.latest.card_id), cursor, _LATEST, PAGE, descending=True)
    came = origins("cards", [event.pk for event in found.rows])
    entries, phone = [], ""
    for event in reversed(found.rows):
        entries.append(Entry(event, came.get(event.pk), bool(phone and event.phone_end and event.phone_end != phone)))
        phone = event.phone_end or phone
    return entries[::-1], found


def _cards(ids: Iterable[str]) -> tuple[Card, ...]:
    """The cards with these ids, over all of their reports, whichever phone those name."""
    reports = CardEvent.objects.filter(card_id__in=list(ids))
    first = CardEvent.objects.filter(card_id=OuterRef("card_id")).order_by(*(f"-{name}" for name in _LATEST)).values("pk")[:1]
    counted = reports.values("card_id").annotate(
        # A report that came twice, under two numbers or phones, tells of one moment.
        attempts=Count("at", distinct=True, filter=Q(stage__in=[Stage.EXCEPTION, Stage.DELIVERED])),
        delivered=Count("at", distinct=True, filter=Q(stage=Stage.DELIVERED)),
        latest=Subquery(first),
    )
    counts = {row["card_id"]: row for row in counted}
    latest = CardEvent.objects.in_bulk([row["latest"] for row in counts.values()])
    phones: dict[str, dict[str, str]] = {card: {} for card in counts}
    named = reports.exclude(phone="").values("card_id", "phone", "phone_end").annotate(last=Max("at"))
    for row in named.order_by("-last", "phone"):
        phones[row["card_id"]].setdefault(row["phone_end"], row["phone"])
    cards = [
        Card(latest[row["latest"]], tuple(phones[card].values()), row["attempts"], row["attempts"] - row["delivered"])
        for card, row in counts.items()
    ]
    return tuple(sorted(cards, key=lambda card: (card.latest.at, card.latest.stage, card.latest.pk), reverse=True))
