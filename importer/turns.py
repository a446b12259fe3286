"""Whose turn it is: in which order imports leave the queue, how many of them run at once, and where in line each stands.

A message to a worker only says "look". The worker takes the import that is first in line, whichever it was told of:

1. An import that has its dataset comes first, whatever its size: others wait for it.
2. Small files come before large ones, until a large one has waited a second for each MiB that it has.
3. Then comes who has had the fewest imports of late, and then who has waited the longest.
4. Of the hands of a worker one takes small files only. A worker with a single hand takes it from a large file that is still
   being read, which goes on later from its checkpoint.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone

from importer import locks
from importer.attempt import Attempt
from importer.heart import lease
from importer.models import DatasetLock, Export, Heartbeat, Import
from importer.states import WORKING, ExportState, State

#: Imports that ended so long ago count no more for what a person has had.
LATELY = timedelta(minutes=10)
#: What a file gives way for each byte it has, in seconds: one for a MiB.
PER_BYTE = 1 / 2**20
#: A large file keeps a single hand at least so long; having given it up, it stands back no longer than that.
KEEP = timedelta(seconds=60)
#: A row among those of datasets, under a name that is none: who has it chooses.
_LOCK = "the queue"


@dataclass(frozen=True)
class Hands:
    """The imports and exports that a worker may still take: how many, and whether one of them may be a large file."""

    free: int
    for_large: bool


@dataclass(frozen=True)
class Place:
    """Where in line a queued import stands, from 1; how many imports run; and how many of the same person, when that is as
    many as a person may have."""

    position: int
    running: int
    own: int | None = None


class _Turn(NamedTuple):
    """Sorts by when it is due: by each field in turn. A queue may be long, so this is no class of more weight."""

    #: Its dataset is not its own.
    holds_nothing: bool
    #: Its owner has as many imports running as one may have.
    is_full: bool
    #: A large file that gives way to small ones.
    gives_way: bool
    #: Imports that its owner has had of late.
    had: int
    at: datetime
    pk: int
    owner: int | None
    is_large: bool


def is_large(size: int | None) -> bool:
    return bool(settings.LOADIFY_LARGE_FILE) and (size or 0) > settings.LOADIFY_LARGE_FILE


def turn_of(size: int) -> datetime:
    """When it is the turn of a file of `size` bytes that is queued now, however many smaller ones come after it."""
    return timezone.now() + timedelta(seconds=size * PER_BYTE)


def hands(worker: str) -> Hands:
    """What the worker, named up to its processes (importer/attempt.py), has its hands free for."""
    beats = Heartbeat.objects.filter(worker__startswith=worker, lease_until__gt=Now(), run__state__in=WORKING)
    sizes = list(beats.values_list("run__file__size", flat=True))
    writing = Export.objects.filter(worker__startswith=worker, lease_until__gt=Now(), state=ExportState.WRITING)
    most = settings.LOADIFY_WORKERS
    return Hands(
        free=max(0, most - len(sizes) - writing.count()),
        for_large=most < 2 or sum(map(is_large, sizes)) < most - 1,
    )


def take(free: Hands) -> Attempt | None:
    """Claim the import that is first in line, of those for which there is a hand; None when there is none."""
    if not free.free:
        return None
    with transaction.atomic():
        if settings.LOADIFY_PERSON_IMPORTS:
            # Else two workers would each find the last place of a person free.
            _stand_in_line()
        for turn in _line(_ready()):
            if turn.is_full or (turn.is_large and not free.for_large):
                continue
            attempt = Attempt.claim(turn.pk)
            if attempt is not None:
                return attempt
    return None


def first() -> int | None:
    """The import that is first in line; None when none is queued."""
    return next((turn.pk for turn in _line(Q(state=State.QUEUED))), None)


def make_room(worker: str) -> bool:
    """Have a worker with a single hand give a large file back to the queue, when a small one waits; whether it was asked to.

    Only while it is read: a large file that has the dataset, or is about to have it, had better come to its end.
    """
    if settings.LOADIFY_WORKERS > 1 or not settings.LOADIFY_LARGE_FILE:
        return False
    if not any(not turn.is_large and not turn.is_full for turn in _line(Q(state=State.QUEUED))):
        return False
    now = timezone.now()
    at_it = Import.objects.filter(heartbeat__worker__startswith=worker, file__size__gt=settings.LOADIFY_LARGE_FILE)
    undisturbed = Import.objects.filter(state=State.STAGING, wanted=Import.Wanted.RUN, turn_at__lt=now - KEEP)
    found = undisturbed.filter(pk__in=list(at_it.filter(state=State.STAGING).values_list("pk", flat=True)))
    return bool(found.update(wanted=Import.Wanted.YIELD, turn_at=now + KEEP))


def places(wanted: Collection[int] | None = None) -> dict[int, Place]:
    """Where queued imports stand, by pk: all of them, or the `wanted` ones. Three queries, which read the whole queue.

    Places move: others come, end, and are small or large.
    """
    running = _running()
    line = _line(Q(state=State.QUEUED), running)
    at_work = sum(counts[0] for counts in running.values())
    return {
        turn.pk: Place(number, at_work, running[turn.owner][0] if turn.is_full else None)
        for number, turn in enumerate(line, start=1)
        if wanted is None or turn.pk in wanted
    }


def place(run: Import) -> Place | None:
    """Where an import stands; None when it is not queued."""
    return places({run.pk}).get(run.pk) if run.pk and run.state == State.QUEUED else None


def _ready() -> Q:
    """What may be taken up: the queued, and the next in line of each dataset that is free."""
    waiting = Import.objects.filter(state=State.WAITING).order_by().values_list("dataset", flat=True).distinct()
    following = [pk for dataset in waiting if (pk := locks.next_waiting(dataset)) is not None]
    return Q(state=State.QUEUED) | Q(state=State.WAITING, pk__in=following)


def _line(which: Q, running: dict[int | None, tuple[int, int]] | None = None) -> list[_Turn]:
    """Imports in their order. What belongs to nobody, from folders and the command line, counts as one person's."""
    running = _running() if running is None else running
    most = settings.LOADIFY_PERSON_IMPORTS
    rows = Import.objects.filter(which).order_by().values_list("pk", "owner_id", "file__size", "turn_at")
    holders = set(DatasetLock.objects.filter(run__state=State.QUEUED).values_list("run_id", flat=True))
    now, turns = timezone.now(), []
    for pk, owner, size, at in rows:
        at_work, had = running.get(owner, (0, 0))
        free = pk not in holders
        large, full = free and is_large(size), free and 0 < most <= at_work
        turns.append(_Turn(free, full, large and at > now, had, at, pk, owner, large))
    # No two have the same pk, so nothing behind it is ever compared.
    return sorted(turns)


def _running() -> dict[int | None, tuple[int, int]]:
    """{person: (imports that run, those and the ones that ended of late)}"""
    at_work = Q(state__in=WORKING)
    recent = Import.objects.filter(at_work | Q(finished_at__gt=timezone.now() - LATELY))
    counted = recent.order_by().values("owner_id").annotate(running=Count("pk", filter=at_work), had=Count("pk"))
    return {row["owner_id"]: (row["running"], row["had"]) for row in counted}


def _stand_in_line() -> None:
    """Let one worker at a time choose, to the end of the caller's transaction."""
    DatasetLock.objects.get_or_create(dataset=_LOCK)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A worker that freezes while it chooses must not keep the others waiting.
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {int(lease().total_seconds() * 1000)}")
    DatasetLock.objects.select_for_update().get(dataset=_LOCK)
