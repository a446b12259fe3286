"""What deliveries come to at this moment, over all receivers: for /metrics and the page of admins."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Min, OuterRef, Q, Subquery, Sum
from django.utils import timezone

from webhooks.health import COUNTED, HOURS, Hour
from webhooks.models import Delivery, Endpoint, Tally


@dataclass(frozen=True)
class Figures:
    """`due`: deliveries on their way, COUNTED + 1 for more than COUNTED. `lag`: seconds for which the oldest one that could go
    out has not, None when there is none. `hours`: tries of the last HOURS hours, the last one not over. `receivers`: how many
    are on, resting after failures, and off."""

    due: int
    lag: float | None
    hours: tuple[Hour, ...]
    receivers: dict[str, int]


def figures() -> Figures:
    now = timezone.now()
    due = Delivery.objects.filter(state=Delivery.State.DUE)
    resting = Q(rests_until__gt=now)
    # The first of each receiver stands first in an index; the oldest of all does not.
    first = due.filter(endpoint=OuterRef("pk")).order_by("next_at").values("next_at")[:1]
    ready = Endpoint.objects.filter(active=True).exclude(resting).annotate(first=Subquery(first))
    oldest = ready.aggregate(oldest=Min("first"))["oldest"]
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    begin = this_hour - timedelta(hours=HOURS - 1)
    tallies = (
        Tally.objects.filter(hour__gte=begin)
        .values_list("hour")
        .annotate(took=Sum("delivered"), missed=Sum("failed"))
        .order_by()
    )
    counted = {hour: (delivered, failed) for hour, delivered, failed in tallies}
    hours = [begin + timedelta(hours=ahead) for ahead in range(HOURS)]
    states = Counter(
        "off" if not active else "resting" if rests_until and rests_until > now else "on"
        for active, rests_until in Endpoint.objects.values_list("active", "rests_until")
    )
    return Figures(
        due=due[: COUNTED + 1].count(),
        lag=max(0.0, (now - oldest).total_seconds()) if oldest and oldest <= now else None,
        hours=tuple(Hour(hour, *counted.get(hour, (0, 0))) for hour in hours),
        receivers={state: states[state] for state in ("on", "resting", "off")},
    )
