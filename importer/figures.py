"""What imports, exports and held rows come to at this moment, in a few cheap queries: for /metrics and the page of admins.

Nothing is counted that may be large: of what has ended only the last day, of held rows no more than COUNTED.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.utils import timezone

from importer.models import Export, Held, Import
from importer.pictures import rows_until_now
from importer.states import EXPORT_FINAL, FINAL, WORKING, ExportState, State

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: Minutes of the picture of speed.
MINUTES = 60
#: Up to here held rows are counted one by one; imports of the last hour that are looked at for their speed.
COUNTED, LOOKED_AT = 10_000, 300
#: Steps of each import that tell how long a step takes at present.
STEPS = 5


@dataclass(frozen=True)
class Figures:
    """`imports` and `exports`: {state: how many}, of ended ones those of the last day. Ages and steps in seconds, or None.

    An import counts as in the queue until it has begun for the first time. `minutes`: rows read or written in each of the last
    MINUTES, the last one up to now. `on_their_way`: rows that were sent through a queue and are not stored yet.
    """

    imports: dict[str, int]
    exports: dict[str, int]
    oldest_queued: float | None
    oldest_waiting: float | None
    oldest_export: float | None
    minutes: tuple[float, ...]
    step: float | None
    longest_step: float | None
    on_their_way: int
    held: int
    held_late: int
    held_lateness: float | None

    @property
    def rows_per_second(self) -> float:
        return self.minutes[-1] / 60


def figures() -> Figures:
    now = timezone.now()
    imports, exports = _by_state(Import.objects.all(), FINAL, now), _by_state(Export.objects.all(), EXPORT_FINAL, now)
    speeds, steps = _speeds(now)
    sent = Import.objects.filter(state__in=[State.PUBLISHING, State.CONSUMING]).aggregate(
        rows=Sum(F("published") - F("created") - F("updated") - F("unchanged") - F("superseded") - F("held") - F("rejected"))
    )
    waiting = Held.objects.filter(state=Held.State.WAITING)
    late = waiting.filter(due_at__lte=now)
    first_late = late.aggregate(first=Min("due_at"))["first"]
    return Figures(
        imports={state.value: imports[state][0] if state in imports else 0 for state in State},
        exports={state.value: exports[state][0] if state in exports else 0 for state in ExportState},
        oldest_queued=_age(imports, State.QUEUED, now),
        oldest_waiting=_age(imports, State.WAITING, now),
        oldest_export=_age(exports, ExportState.QUEUED, now),
        minutes=speeds,
        step=median(steps) if steps else None,
        longest_step=max(steps, default=None),
        on_their_way=max(0, sent["rows"] or 0),
        held=waiting[: COUNTED + 1].count(),
        held_late=late[: COUNTED + 1].count(),
        held_lateness=(now - first_late).total_seconds() if first_late else None,
    )


def _by_state(rows: QuerySet[Any], final: frozenset[Any], now: datetime) -> dict[str, tuple[int, datetime | None]]:
    """{state: (how many, when the one that has waited longest for its beginning was made)}."""
    recent = Q(public_id__gte=_first_id(now - DAY))
    fresh = Q(started_at=None)
    if rows.model is Import:
        # One that waits for its dataset has been read already.
        fresh |= Q(state=State.WAITING)
    counted = rows.filter(~Q(state__in=sorted(final)) | recent).order_by()
    found = counted.values_list("state").annotate(count=Count("pk"), oldest=Min("queued_at", filter=fresh))
    return {state: (count, oldest) for state, count, oldest in found}


def _age(found: dict[str, tuple[int, datetime | None]], state: str, now: datetime) -> float | None:
    oldest = found.get(state, (0, None))[1]
    return max(0.0, (now - oldest).total_seconds()) if oldest else None


def _first_id(moment: datetime) -> uuid.UUID:
    """No id that was made at this moment or later is smaller: public ids sort by time (importer/models.py)."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


def _speeds(now: datetime) -> tuple[tuple[float, ...], list[float]]:
    """Rows in each of the last MINUTES, and the seconds of the last steps of the imports at work.

    An import notes seconds of work and rows at each step. The last note is taken for as old as its end, or for new while it
    works: wrong by one step at most.
    """
    ended = Q(finished_at__gte=now - HOUR, public_id__gte=_first_id(now - DAY))
    looked_at = Import.objects.filter(Q(state__in=sorted(WORKING)) | ended).order_by("-pk")[:LOOKED_AT]
    total = [0.0] * MINUTES
    steps: list[float] = []
    for state, finished_at, samples in looked_at.values_list("state", "finished_at", "samples"):
        works = state in WORKING
        ago = 0.0 if works or finished_at is None else (now - finished_at).total_seconds()
        total = [sum(both) for both in zip(total, rows_until_now(samples, ago, MINUTES, 60), strict=True)]
        if works:
            steps += [later[0] - sooner[0] for sooner, later in pairwise(samples[-STEPS - 1 :])]
    return tuple(total), steps
