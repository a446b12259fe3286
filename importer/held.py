"""Rows that came too early and wait in the database: stored when their moment has come, let through or discarded by a person.

One transaction at a time says what of a dataset is stored when (locks.turn), be it an import's or one of these.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from importer import datasets, locks
from importer.datasets import Dataset
from importer.loaders.holding import barring, policy_of, row_at
from importer.models import Change, Held, HeldValue, Import
from importer.policies import HoldWithin
from importer.values import ImportProblem

log = logging.getLogger(__name__)

#: A row that is stored no later than this behind its moment bears the moment itself, so that those behind it keep theirs.
PUNCTUAL = timedelta(seconds=5)
#: Rows that are stored in one transaction.
SLICE = 200


#: Moments of which a picture is drawn.
PICTURED = 20_000


@dataclass(frozen=True)
class Cell:
    """A value of a waiting row; `bars` when another row with it comes first."""

    column: str
    text: str
    bars: bool


@dataclass(frozen=True)
class Waiting:
    """A waiting row for people: its cells in the order of the dataset's columns, and the seconds until its moment."""

    held: Held
    cells: list[Cell]
    seconds: float


class Gone(ImportProblem):
    """The row does not wait any more."""


def store_due() -> int:
    """Store the rows whose moment has come, in order; returns how many. Harmless at any time and twice at once."""
    stored = 0
    for dataset in datasets.all():
        if isinstance(dataset.policy, HoldWithin):
            while _due(dataset.name, timezone.now()).exists():
                stored += _store_some(dataset)
    return stored


def _due(dataset: str, now: datetime) -> QuerySet[Held]:
    return Held.objects.filter(state=Held.State.WAITING, dataset=dataset, due_at__lte=now).order_by("due_at", "id")


def _store_some(dataset: Dataset) -> int:
    """Look at the next few rows that are due, and store them or put them off; returns how many were stored."""
    stored = 0
    with transaction.atomic():
        locks.turn(dataset.name)
        now = timezone.now()
        found = list(_due(dataset.name, now)[:SLICE])
        for held in found:
            at = held.due_at if now - held.due_at <= PUNCTUAL else now
            earliest = _earliest(dataset, held)
            if earliest is not None and earliest > at:
                _put_off(dataset, held, earliest)
            else:
                _store(dataset, held, at)
                stored += 1
    return stored


def _earliest(dataset: Dataset, held: Held) -> datetime | None:
    """When the row may be stored by what is stored already; None when nothing bars it."""
    policy = policy_of(dataset)
    live: Any = dataset.model._default_manager
    barred = [
        last + policy.window
        for column, value in barring(policy, held.values)
        if (last := live.filter(**{column: value}).order_by("-created_at").values_list("created_at", flat=True).first())
    ]
    return max(barred, default=None)


def _put_off(dataset: Dataset, held: Held, until: datetime) -> None:
    """Those before it were late, for the timetable stood still, or somebody let another row through."""
    held.due_at = until
    held.save(update_fields=["due_at"])
    HeldValue.objects.filter(held=held).update(due_at=until)


def _store(dataset: Dataset, held: Held, at: datetime, **fields: Any) -> None:
    """Make the row, and the Change by which an undo of its import takes it back."""
    made = row_at(dataset, held.values, at)
    for name, value in fields.items():
        setattr(made, name, value)
    made.save(force_insert=True)
    Change.objects.create(
        dataset=dataset.name, row_id=made.pk, run_id=held.run_id, line=held.line, at=at, kind=Change.Kind.CREATED
    )
    _end([held], Held.State.STORED, row_id=made.pk)


def _end(ended: Iterable[Held], state: Held.State, **fields: Any) -> None:
    numbers = [held.pk for held in ended]
    HeldValue.objects.filter(held__in=numbers).delete()
    Held.objects.filter(pk__in=numbers).update(state=state, ended_at=timezone.now(), **fields)


def release(held_id: int, person: User | None) -> None:
    """Store a waiting row now, though it shares a value with one stored less than a while ago. Raises Gone.

    Those behind it are held at least as long as if it had come at its time.
    """
    with transaction.atomic():
        held, dataset = _waiting(held_id)
        now, policy = timezone.now(), policy_of(dataset)
        earliest = _earliest(dataset, held)
        # Let through by a person, it is outside the rule that the database keeps.
        _store(dataset, held, now, **({policy.until: now} if earliest is not None and earliest > now else {}))
        Held.objects.filter(pk=held.pk).update(decided_by=person)
    log.info("Held row %s was let through by %s.", held_id, person)


def discard(held_id: int, person: User | None) -> None:
    """Never store a waiting row. Those behind it keep their moments. Raises Gone."""
    with transaction.atomic():
        held, _ = _waiting(held_id)
        _end([held], Held.State.DISCARDED, decided_by=person)
    log.info("Held row %s was discarded by %s.", held_id, person)


def _waiting(held_id: int) -> tuple[Held, Dataset]:
    found = Held.objects.filter(pk=held_id).first()
    if found is not None:
        locks.turn(found.dataset)
        found.refresh_from_db()
    if found is None or found.state != Held.State.WAITING:
        how = f"was {found.get_state_display().lower()}" if found else "is gone"
        raise Gone(f"This row does not wait any more: it {how} meanwhile.")
    return found, datasets.of_old(found.dataset)


def discard_of(run: Import, person: User | None) -> int:
    """Discard all that waits of an import; returns how many rows that were. Part of the caller's transaction."""
    # An import that has held nothing will not any more.
    if not Held.objects.filter(run=run).exists():
        return 0
    locks.turn(run.dataset)
    waiting = list(Held.objects.filter(run=run, state=Held.State.WAITING).only("pk"))
    _end(waiting, Held.State.DISCARDED, decided_by=person)
    return len(waiting)


def waiting_of(run: Import) -> int:
    """Rows of an import that wait."""
    return Held.objects.filter(run=run, state=Held.State.WAITING).count()


def described(waiting: Sequence[Held]) -> list[Waiting]:
    """Rows of a list with what holds each of them; two queries for each column that bars."""
    now, before = timezone.now(), _before(waiting)
    shown = []
    for held in waiting:
        barred = {column for column, times in before.items() if _holds(held, times.get(held.values.get(column) or "", ()))}
        names = [column.name for column in datasets.of_old(held.dataset).columns]
        cells = [Cell(name, held.values.get(name) or "", name in barred) for name in names]
        shown.append(Waiting(held, cells, max(0.0, (held.due_at - now).total_seconds())))
    return shown


def _holds(held: Held, times: Iterable[datetime]) -> bool:
    """True when one of `times` is so close before the row's moment that it may come no earlier."""
    window = policy_of(datasets.of_old(held.dataset)).window
    return any(held.due_at - window <= at < held.due_at for at in times)


def _before(waiting: Sequence[Held]) -> dict[str, dict[str, list[datetime]]]:
    """When rows with the same values were stored, or will be: {column: {value: moments}}"""
    times: dict[str, dict[str, list[datetime]]] = {}
    for name in {held.dataset for held in waiting}:
        dataset = datasets.of_old(name)
        policy, mine = policy_of(dataset), [held for held in waiting if held.dataset == name]
        since = min(held.due_at for held in mine) - policy.window
        for column in policy.match:
            values = {value for held in mine if (value := held.values.get(column))}
            live: Any = dataset.model._default_manager
            stored = live.filter(**{f"{column}__in": values}, created_at__gte=since).values_list(column, "created_at")
            held_back = HeldValue.objects.filter(dataset=name, column=column, value__in=values, due_at__gte=since)
            for value, at in [*stored, *held_back.values_list("value", "due_at")]:
                times.setdefault(column, {}).setdefault(value, []).append(at)
    return times


def forget() -> None:
    """Forget rows that were stored or discarded more than LOADIFY_CHANGES_DAYS ago."""
    old = timezone.now() - timedelta(days=settings.LOADIFY_CHANGES_DAYS)
    Held.objects.exclude(state=Held.State.WAITING).filter(ended_at__lt=old).delete()
