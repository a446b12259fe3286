"""The log of a receiver: what was sent or is still to be sent, newest first, with what was answered last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from webhooks.models import Attempt, Delivery, Endpoint

PAGE = 25
#: What is due within this time counts as on its way: somebody who looks will see it happen.
SOON = timedelta(seconds=30)


@dataclass(frozen=True)
class Line:
    """One delivery, its state in words, and its last try; None when there was none."""

    delivery: Delivery
    words: str
    last: Attempt | None


@dataclass(frozen=True)
class Log:
    """Some lines, and the id to ask `before` for those after them; None when these are the oldest."""

    lines: list[Line]
    older: int | None


def read(endpoint: Endpoint, state: str = "", before: int | None = None, size: int = PAGE) -> Log:
    """The newest deliveries of a receiver, of one Delivery.State or of all ("") of them."""
    found = of(endpoint, state).order_by("-id")
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found[: size + 1])
    shown = rows[:size]
    return Log(lines(shown, endpoint), shown[-1].pk if len(rows) > size else None)


def of(endpoint: Endpoint, state: str = "") -> QuerySet[Delivery]:
    """The deliveries of a receiver, of one Delivery.State or of all ("") of them, in no order."""
    tried = Attempt.objects.filter(delivery=OuterRef("pk")).order_by("-id").values("pk")[:1]
    found = Delivery.objects.filter(endpoint=endpoint).select_related("event").defer("event__body")
    return (found.filter(state=state) if state else found).annotate(last=Subquery(tried))


def lines(rows: Sequence[Delivery], endpoint: Endpoint) -> list[Line]:
    """Deliveries that `of` found, each with its last try; one query for all of them."""
    last: dict[int, int | None] = {row.pk: row.last for row in rows}  # type: ignore[attr-defined]  # an annotation
    attempts, now = Attempt.objects.in_bulk([pk for pk in last.values() if pk]), timezone.now()
    return [Line(row, in_words(row, endpoint, now), attempts.get(last[row.pk] or 0)) for row in rows]


def in_words(delivery: Delivery, endpoint: Endpoint, now: datetime) -> str:
    if delivery.state != Delivery.State.DUE:
        return str(Delivery.State(delivery.state).label)
    if delivery.lease_until and delivery.lease_until > now:
        return "Being sent"
    if not endpoint.active:
        return "Waits until it is switched on"
    if delivery.next_at > now:
        return "Will be tried again" if delivery.tries else "Waits"
    if endpoint.rests_until and endpoint.rests_until > now:
        return "Waits while it rests"
    return "On its way"


def moves(endpoint: Endpoint) -> bool:
    """True while something of the log will change within moments."""
    soon = timezone.now() + SOON
    if not endpoint.active or (endpoint.rests_until and endpoint.rests_until > soon):
        return False
    return Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.DUE, next_at__lte=soon).exists()


def attempts_of(delivery: Delivery) -> QuerySet[Attempt]:
    """Every try, the latest first; those before it was sent again are among them."""
    return Attempt.objects.filter(delivery=delivery).order_by("-id")
