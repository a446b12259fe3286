"""How receivers are doing, as people want to see it: a state in words, what waits, and the last day hour by hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import IntegerField, OuterRef, QuerySet, Subquery
from django.utils import timezone

from webhooks.models import Delivery, Endpoint, Tally

#: Hours in the picture.
HOURS = 24
#: Up to here waiting deliveries are counted one by one.
COUNTED = 10_000


@dataclass(frozen=True)
class State:
    """`name` for programs, `words` for people, `kind` for the colour: success, warning, error or none."""

    name: str
    words: str
    kind: str


ON = State("on", "On", "success")
FAILING = State("failing", "On, but its last tries failed", "warning")
RESTING = State("resting", "Resting after failures", "warning")
OFF = State("off", "Off", "")
SWITCHED_OFF = State("switched-off", "Switched off by Loadify", "error")


@dataclass(frozen=True)
class Hour:
    """Tries that began to count at `at`: how many were taken, how many failed."""

    at: datetime
    delivered: int
    failed: int


@dataclass(frozen=True)
class Health:
    """A receiver's state, deliveries that wait for it (COUNTED + 1 stands for more than COUNTED), and its last HOURS."""

    state: State
    waiting: int
    hours: tuple[Hour, ...]

    @property
    def delivered(self) -> int:
        return sum(hour.delivered for hour in self.hours)

    @property
    def failed(self) -> int:
        return sum(hour.failed for hour in self.hours)


def state_of(endpoint: Endpoint, now: datetime) -> State:
    if not endpoint.active:
        return SWITCHED_OFF if endpoint.notice else OFF
    if endpoint.rests_until and endpoint.rests_until > now:
        return RESTING
    return FAILING if endpoint.failures else ON


def of(endpoints: Sequence[Endpoint]) -> list[Health]:
    """The health of each receiver, in two queries however many there are."""
    now = timezone.now()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=back) for back in reversed(range(HOURS))]
    tallies = {
        (tally.endpoint_id, tally.hour): tally for tally in Tally.objects.filter(endpoint__in=endpoints, hour__gte=hours[0])
    }
    waiting = dict(_waiting(endpoints))

    def hour_of(endpoint: Endpoint, at: datetime) -> Hour:
        tally = tallies.get((endpoint.pk, at))
        return Hour(at, tally.delivered, tally.failed) if tally else Hour(at, 0, 0)

    return [
        Health(state_of(endpoint, now), waiting[endpoint.pk], tuple(hour_of(endpoint, at) for at in hours))
        for endpoint in endpoints
    ]


def switched_off() -> QuerySet[Endpoint]:
    """Receivers that Loadify gave up by itself and nobody has looked after since."""
    return Endpoint.objects.filter(active=False).exclude(notice="").order_by("pk")


class _Some(Subquery):
    """How many rows a query gives, which may have a limit; an aggregate of Django's would count past it."""

    template = "(SELECT count(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def _waiting(endpoints: Sequence[Endpoint]) -> QuerySet[Endpoint, tuple[int, int]]:
    due = Delivery.objects.filter(endpoint=OuterRef("pk"), state=Delivery.State.DUE).values("pk")
    chosen = Endpoint.objects.filter(pk__in=[endpoint.pk for endpoint in endpoints])
    return chosen.values_list("pk", _Some(due[: COUNTED + 1]))
