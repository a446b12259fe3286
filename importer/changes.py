"""The Changes of a dataset: what a person did to a row, a row's whole story, and the emptying of a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from importer import datasets, locks
from importer.datasets import Dataset
from importer.loaders.sql import one, quoted, run, was_locked
from importer.models import Change, Import
from importer.values import ImportProblem

#: Changes of a row that its story goes back.
MOST = 100
#: How long emptying a dataset waits for those who are reading it.
PATIENCE = "5s"


class Busy(ImportProblem):
    """The dataset is in use; the text says by whom, and `run` is the import that has it, if it is one."""

    def __init__(self, sentence: str, run: Import | None = None) -> None:
        self.run = run
        super().__init__(sentence)


@dataclass(frozen=True)
class Field:
    """One field of a row before and after a Change; None on a side that is not known, or where there was no row."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Entry:
    """One Change of a row, with the fields it changed."""

    change: Change
    fields: tuple[Field, ...]


def record(
    dataset: str,
    row_id: int,
    kind: Change.Kind,
    person: User | None,
    at: datetime,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> Change:
    """Write down what a person did to a row, in the caller's transaction. `before` and `after` hold JSON values."""
    return Change.objects.create(
        dataset=dataset,
        row_id=row_id,
        kind=kind,
        person=person,
        at=at,
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
    )


def story(dataset: str, row_id: int, names: Sequence[str], now: Mapping[str, Any]) -> list[Entry]:
    """What happened to a row in its fields `names`, latest first, at most MOST Changes.

    `now` holds the row's present values; it is empty when the row is gone. An import stores only what was before, so what
    came after it is worked out on the way back from the present. Fields of which nothing is known are left out.
    """
    # The Changes of one row are numbered in the order in which they were made: each is written while the row is locked.
    found = list(_with_actors(Change.objects.filter(dataset=dataset, row_id=row_id)).order_by("-id")[:MOST])
    state = dict(now)
    entries = []
    for change in found:
        before = {name: value for name, value in (change.before or {}).items() if name in names}
        entries.append(_entry(change, names, before, state | (change.after or {})))
        state |= before
    if found and not now and found[0].kind != Change.Kind.DELETED:
        cleared = clearings(dataset).filter(id__gt=found[0].pk).order_by("id").first()
        if cleared is not None:
            entries.insert(0, Entry(cleared, ()))
    return entries


def edits(dataset: str, names: Sequence[str], before: int | None, most: int) -> list[Entry]:
    """What people did to rows of a dataset, latest first; `before` is the number of a Change to go on after."""
    found = _with_actors(Change.objects.filter(dataset=dataset, run=None))
    if before is not None:
        found = found.filter(id__lt=before)
    return [_entry(change, names, change.before or {}, change.after or {}) for change in found.order_by("-id")[:most]]


def clearings(dataset: str) -> QuerySet[Change]:
    """When all rows of a dataset were deleted at once, latest first."""
    found = Change.objects.filter(dataset=dataset, run=None, kind=Change.Kind.CLEARED)
    return found.select_related("person").order_by("-id")


def origins(dataset: str, row_ids: Sequence[int]) -> dict[int, Change]:
    """By which Change rows came into a dataset: {row_id: Change}, without those of which it is not known."""
    found = Change.objects.filter(dataset=dataset, row_id__in=row_ids, kind=Change.Kind.CREATED)
    return {change.row_id: change for change in _with_actors(found).order_by("id")}


def latest(dataset: str, row_id: int, *, lock: bool = False) -> Change | None:
    """What happened to a row last, whoever did it. With `lock` nobody else gets it with `lock` until the transaction ends."""
    found = Change.objects.filter(dataset=dataset, row_id=row_id).order_by("-id")
    return (found.select_for_update() if lock else _with_actors(found)).first()


def since(dataset: str, row_id: int, at: datetime) -> dict[str, Any] | None:
    """What the fields that changed after `at`, the row's `updated_at` then, held at that moment.

    None when the Changes do not lead back to that moment without a gap.
    """
    found = Change.objects.filter(dataset=dataset, row_id=row_id, at__gt=at, kind=Change.Kind.UPDATED).order_by("-id")
    held: dict[str, Any] = {}
    stamp = None
    for change in found[:MOST]:
        held |= change.before or {}
        stamp = datetime.fromisoformat(held.pop("updated_at"))
    return held if stamp == at else None


def sides(dataset: str, found: Sequence[Change]) -> list[dict[str, dict[str, Any] | None]]:
    """What the rows of these Changes were: {"before", "after"} for each, in order. `found` are Changes by one import.

    The fields are those that changed, or all columns of a row that was created. A side is None where there was no row, or where
    nothing of it is known any more; a field of which nothing is known is left out.
    """
    known = next((each for each in datasets.all() if each.name == dataset), None)
    columns = [column.name for column in known.columns] if known else []
    names = {*columns, known.switch} - {""} if known else set()
    rows = known.model._default_manager.in_bulk([change.row_id for change in found]) if known else {}
    state = {pk: {name: getattr(row, name) for name in names} for pk, row in rows.items()}
    of = {change.row_id: change.pk for change in found}
    # Back from the present: a later Change holds what was there before it.
    later = Change.objects.filter(dataset=dataset, row_id__in=of, id__gt=min(of.values(), default=0)).order_by("-id")
    for pk, row_id, before in later.values_list("id", "row_id", "before"):
        if pk > of[row_id]:
            state.setdefault(row_id, {}).update(before or {})
    return [_sides(change, columns, state.get(change.row_id, {})) for change in found]


def _sides(change: Change, columns: Sequence[str], became: Mapping[str, Any]) -> dict[str, dict[str, Any] | None]:
    before = None if change.before is None else {name: value for name, value in change.before.items() if name != "updated_at"}
    shown = columns if before is None else list(before)
    return {"before": before, "after": {name: became[name] for name in shown if name in became} or None}


def _with_actors(found: QuerySet[Change]) -> QuerySet[Change]:
    return found.select_related("run__owner", "run__file", "person")


def _entry(change: Change, names: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> Entry:
    kind = Change.Kind(change.kind)
    known = {Change.Kind.CREATED: after, Change.Kind.UPDATED: before, Change.Kind.DELETED: before}.get(kind, {})
    no_row: Mapping[str, Any] = {}
    was = no_row if kind == Change.Kind.CREATED else before
    became = no_row if kind == Change.Kind.DELETED else after
    return Entry(change, tuple(Field(name, was.get(name), became.get(name)) for name in names if name in known))


def clear(dataset: Dataset, person: User | None) -> int:
    """Remove every row of a dataset at once, and write down who did it; returns how many rows went.

    Raises Busy while an import is changing the dataset, or when somebody reads it for longer than PATIENCE. The Changes of
    its rows stay: row numbers are never given out again.
    """
    table = quoted(dataset.model._meta.db_table)
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                run(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            locks.keep_out(dataset.name)
            if connection.vendor == "postgresql":
                run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            rows = int(one(f"SELECT count(*) FROM {table}"))
            run(f"TRUNCATE {table}" if connection.vendor == "postgresql" else f"DELETE FROM {table}")
            record(dataset.name, 0, Change.Kind.CLEARED, person, timezone.now(), after={"rows": rows})
    except locks.Taken as problem:
        raise Busy(str(problem), problem.run) from None
    except OperationalError as problem:
        if not was_locked(problem):
            raise
        raise Busy(f"{dataset.title} are in use at the moment; try again in a minute.") from None
    return rows
