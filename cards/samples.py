"""Made-up reports of a partner about cards, as the partner sends them: four files that tell of the same cards.

The same seed tells the same stories in all four layouts: a card is picked up, missed none to three times, and then
delivered, returned, or still on its way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from importer.made_up import scattered

#: The partner's own clock, which is four hours ahead of UTC.
_BEGIN, _AHEAD = datetime(2024, 1, 8, 8, 0), timedelta(hours=4)
#: Cards that are picked up within a day.
_A_DAY = 400
_EXCUSES = ("User not available", "User declined to accept package", "Address not found", "Building closed")


@dataclass(frozen=True)
class _Story:
    """What happens to a card, by the partner's clock; `ended` is None for one that is still on its way."""

    number: int
    card: str
    #: Nine digits, without zero or country.
    phone: str
    picked_up: datetime
    missed: tuple[tuple[datetime, str], ...]
    ended: datetime | None
    returned: bool


def pickup(rows: int, random: Random) -> Iterator[list[str]]:
    yield ["ID", "Card ID", "User Mobile", "Timestamp"]
    stories = _stories(random)
    for _ in range(rows):
        card = next(stories)
        yield [str(card.number + 100), card.card, card.phone, f"{card.picked_up:%d-%m-%Y} {_hour(card.picked_up)}"]


def exceptions(rows: int, random: Random) -> Iterator[list[str]]:
    yield ["ID ", "Card ID", "User contact", "Timestamp", "Comment"]
    made = 0
    for card in _stories(random):
        for at, excuse in card.missed:
            if made == rows:
                return
            made += 1
            yield [_reference(card, made), card.card, f'"0{card.phone}"', f"{at:%d-%m-%Y %H:%M}", excuse]


def delivered(rows: int, random: Random) -> Iterator[list[str]]:
    yield ["ID ", "Card ID", "User contact", "Timestamp", "Comment"]
    made = 0
    for card in _stories(random):
        if made == rows:
            return
        if card.ended and not card.returned:
            made += 1
            at = f"{card.ended - _AHEAD:%Y-%m-%dT%H:%M:%SZ}"
            yield [_reference(card, made), card.card, f'"0{card.phone}"', at, "DELIVERED"]


def returned(rows: int, random: Random) -> Iterator[list[str]]:
    yield ["ID ", "Card ID", "User contact", "Timestamp"]
    made = 0
    for card in _stories(random):
        if made == rows:
            return
        if card.ended and card.returned:
            made += 1
            yield [_reference(card, made), card.card, f"971{card.phone}", f"{card.ended:%d-%m-%Y %I:%M%p}"]


def _stories(random: Random) -> Iterator[_Story]:
    """Cards without end, in the order in which they were picked up. Each draws as often whatever becomes of it, so that all
    layouts tell of the same ones."""
    draw = random.random
    cards, phones = scattered(10**8, random), scattered(10**8, random)
    number = 0
    while True:
        picked_up = _BEGIN + timedelta(days=number // _A_DAY, minutes=number % _A_DAY * 600 // _A_DAY)
        at, excuses = picked_up, []
        odds, end = draw(), draw()
        for many in (0.62, 0.82, 0.92):
            at += timedelta(minutes=round(60 * (20 + 30 * draw())))
            excuse = _EXCUSES[int(draw() * len(_EXCUSES))]
            if odds >= many:
                excuses.append((at, excuse))
        last = excuses[-1][0] if excuses else picked_up
        ended = last + timedelta(seconds=round(3600 * (18 + 30 * draw()))) if end < 0.95 else None
        back = len(excuses) == 3 or (len(excuses) == 2 and end < 0.5)
        phone = f"5{phones(number):08d}"
        yield _Story(number, f"ZYW{cards(number):08d}", phone, picked_up, tuple(excuses), ended, back)
        number += 1


def _reference(card: _Story, made: int) -> str:
    return f"A{card.number + made + 100}"


def _hour(at: datetime) -> str:
    """On a clock of twelve hours: 3:45 AM"""
    return f"{at.hour % 12 or 12}:{at:%M %p}"
