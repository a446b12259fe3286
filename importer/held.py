"""Rows that came too early and wait in the database: stored when their moment has come, let through or discarded by a person.

One transaction at a time says what of a dataset is stored when (locks.turn), be it an import's or one of these.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from importer import datasets, locks
from importer.datasets import Dataset
from importer.loaders.holding import barring, policy_of, row_at, stored
from importer.models import Change, Held, HeldValue, Import
from importer.policies import HoldWithin
from importer.values import ImportProblem

log = logging.getLogger(__name__)

#: A row that is stored no later than this behind its moment bears the moment itself, so that those behind it keep theirs.
PUNCTUAL = timedelta(seconds=5)
#: Rows that are stored, or forgotten, in one transaction.
SLICE = 200
#: Moments of which a picture is drawn.
PICTURED = 20_000
#: A piece of a phone number as people type it.
_DIGITS = re.compile(r"[\d\s()./-]{3,}")


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
    done = 0
    for dataset in datasets.all():
        if isinstance(dataset.policy, HoldWithin):
            while _due(dataset.name, timezone.now()).exists():
                done += _store_some(dataset)
    return done


def _due(dataset: str, now: datetime) -> QuerySet[Held]:
    return Held.objects.filter(state=Held.State.WAITING, dataset=dataset, due_at__lte=now).order_by("due_at", "id")


def _store_some(dataset: Dataset) -> int:
    """Look at the next few rows that are due, and store them or put them off; returns how many were stored."""
    done = 0
    with transaction.atomic():
        locks.turn(dataset.name)
        now = timezone.now()
        for held in list(_due(dataset.name, now)[:SLICE]):
            at = held.due_at if now - held.due_at <= PUNCTUAL else now
            earliest = _earliest(dataset, held, at)
            if earliest > at:
                # Those before it were late, for the timetable stood still, or somebody let another row through.
                _put_off(held, earliest)
                continue
            try:
                with transaction.atomic():
                    _store(dataset, held, at)
                done += 1
            except (IntegrityError, DataError):
                log.exception("Held row %s could not be stored, and is tried again later.", held.pk)
                _put_off(held, now + policy_of(dataset).window)
    return done


def _earliest(dataset: Dataset, held: Held, at: datetime) -> datetime:
    """When the row may be stored by what is stored already: `at`, or later."""
    found = (stored(dataset, column, [value], at).get(value, at) for column, value in barring(policy_of(dataset), held.values))
    return max(at, *found)


def _put_off(held: Held, until: datetime) -> None:
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
    _end(Held.objects.filter(pk=held.pk), Held.State.STORED, row_id=made.pk)


def _end(waiting: QuerySet[Held], state: Held.State, **fields: Any) -> int:
    HeldValue.objects.filter(held__in=waiting).delete()
    return waiting.update(state=state, ended_at=timezone.now(), **fields)


def release(held_id: int, person: User | None) -> None:
    """Store a waiting row now, though it shares a value with one stored less than a while ago. Raises Gone.

    Those behind it are held at least as long as if it had come at its time.
    """
    with transaction.atomic():
        held, dataset = _waiting(held_id)
        now, policy = timezone.now(), policy_of(dataset)
        # Let through by a person, it is outside the rule that the database keeps.
        _store(dataset, held, now, **({policy.until: now} if _earliest(dataset, held, now) > now else {}))
        Held.objects.filter(pk=held.pk).update(decided_by=person)
    log.info("Held row %s was let through by %s.", held_id, person)


def discard(held_id: int, person: User | None) -> None:
    """Never store a waiting row. Those behind it keep their moments. Raises Gone."""
    with transaction.atomic():
        held, _ = _waiting(held_id)
        _end(Held.objects.filter(pk=held.pk), Held.State.DISCARDED, decided_by=person)
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
    return _end(Held.objects.filter(run=run, state=Held.State.WAITING), Held.State.DISCARDED, decided_by=person)


def waiting_of(run: Import) -> int:
    """Rows of an import that wait."""
    return Held.objects.filter(run=run, state=Held.State.WAITING).count()


def fitting(rows: QuerySet[Held], typed: str) -> QuerySet[Held]:
    """Those of `rows` with `typed` in one of their texts, or that it spells otherwise; of phone numbers a piece will do."""
    fits = Q(pk__in=[])
    pieces = [typed]
    if _DIGITS.fullmatch(typed):
        # Numbers are kept without blanks and brackets, and without the zero that stands before them within a country.
        pieces.append(re.sub(r"\D", "", typed).lstrip("0"))
    for dataset in datasets.all():
        if isinstance(dataset.policy, HoldWithin):
            texts = [(f"{column.name}__icontains", piece) for column in dataset.columns for piece in pieces if piece]
            spelt = [(personal.column, value) for personal in dataset.personal if (value := personal.same(typed))]
            for lookup, value in [*texts, *spelt]:
                fits |= Q(**{"dataset": dataset.name, f"values__{lookup}": value})
    return rows.filter(fits)


def described(waiting: Sequence[Held]) -> list[Waiting]:
    """Rows of a list with what holds each of them; two queries for each column that bars."""
    now, closed = timezone.now(), _closed(waiting)
    shown = []
    for held in waiting:
        cells = []
        for column in datasets.of_old(held.dataset).columns:
            text = held.values.get(column.name) or ""
            spans = closed.get((held.dataset, column.name, text), ())
            cells.append(Cell(column.name, text, any(at < held.due_at <= free for at, free in spans)))
        shown.append(Waiting(held, cells, max(0.0, (held.due_at - now).total_seconds())))
    return shown


def _closed(waiting: Sequence[Held]) -> dict[tuple[str, str, str], list[tuple[datetime, datetime]]]:
    """When rows with the same values were stored, or will be, and from when another may be, by (dataset, column, value)."""
    spans: dict[tuple[str, str, str], list[tuple[datetime, datetime]]] = {}
    for name in {held.dataset for held in waiting}:
        dataset = datasets.of_old(name)
        policy, mine = policy_of(dataset), [held for held in waiting if held.dataset == name]
        first, live = min(held.due_at for held in mine), dataset.model._default_manager
        for column in policy.match:
            values = {value for held in mine if (value := held.values.get(column))}
            near: Any = live.filter(**{f"{column}__in": values}, created_at__gte=policy.since(first))
            for value, at, until in near.values_list(column, "created_at", policy.until):
                spans.setdefault((name, column, value), []).append((at, policy.free(at, until)))
            others = HeldValue.objects.filter(dataset=name, column=column, value__in=values, due_at__gte=first - policy.window)
            for value, at in others.values_list("value", "due_at"):
                spans.setdefault((name, column, value), []).append((at, at + policy.window))
    return spans


def forget() -> None:
    """Forget rows that were stored or discarded more than LOADIFY_CHANGES_DAYS ago."""
    old = timezone.now() - timedelta(days=settings.LOADIFY_CHANGES_DAYS)
    ended = Held.objects.exclude(state=Held.State.WAITING).filter(ended_at__lt=old)
    while some := list(ended.values_list("pk", flat=True)[:SLICE]):
        Held.objects.filter(pk__in=some).delete()
