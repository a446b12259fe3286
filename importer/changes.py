"""The Changes of a dataset: what a person did to a row, a row's whole story, and the emptying of a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import User
from importer import locks
from importer.datasets import Dataset
from importer.loaders.sql import one, quoted, run, was_locked
from importer.models import Change
from importer.values import ImportProblem

#: Entries of a row's story that are shown.
MOST = 200
#: How long emptying a dataset waits for those who are reading it.
PATIENCE = "5s"


class Busy(ImportProblem):
    """The dataset is in use; the text says by whom."""


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
    """What happened to a row in its fields `names`, latest first, at most MOST entries.

    `now` holds the row's present values; it is empty when the row is gone. An import stores only what was before, so what
    came after it is worked out on the way back from the present.
    """
    found = Change.objects.filter(dataset=dataset, row_id=row_id).select_related("run__owner", "run__file", "person")
    state = dict(now)
    entries = []
    for change in found.order_by("-at", "-id")[:MOST]:
        before = {name: value for name, value in (change.before or {}).items() if name in names}
        after = state | (change.after or {})
        updated = change.kind == Change.Kind.UPDATED
        fields = tuple(Field(name, value, after.get(name)) for name, value in before.items()) if updated else ()
        entries.append(Entry(change, fields))
        state |= before
    return entries


def clear(dataset: Dataset, person: User | None) -> int:
    """Remove every row of a dataset at once, and write down who did it; returns how many rows went.

    Raises Busy while an import is changing the dataset, or when somebody reads it for longer than PATIENCE. The Changes of
    its rows stay: row numbers are never given out again.
    """
    table = quoted(dataset.model._meta.db_table)
    try:
        with transaction.atomic():
            locks.keep_out(dataset.name)
            if connection.vendor == "postgresql":
                run(f"SET LOCAL lock_timeout = '{PATIENCE}'")
                run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            rows = int(one(f"SELECT count(*) FROM {table}"))
            run(f"TRUNCATE {table}" if connection.vendor == "postgresql" else f"DELETE FROM {table}")
            record(dataset.name, 0, Change.Kind.CLEARED, person, timezone.now(), after={"rows": rows})
    except locks.Taken as problem:
        raise Busy(str(problem)) from None
    except OperationalError as problem:
        if not was_locked(problem):
            raise
        raise Busy(f"Somebody is reading {dataset.title.lower()} at the moment; try again in a minute.") from None
    return rows
