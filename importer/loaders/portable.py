"""Cleaned rows into their table on any database Django knows: looked up and compared in Python, a few hundred at a time.

The lines of an import wait in the table of StagedRow. COMPARE numbers, in key order, those that change a row; that number
is only a forecast: apply decides by the live rows, which it locks where the database can.

Every function runs inside the caller's transaction, and only while the import has the dataset's lock.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, models
from django.utils import timezone

from importer.datasets import Dataset
from importer.loaders.postgres import Applied, Compared, Raced
from importer.loaders.sql import quoted, run
from importer.models import Change, StagedRow
from importer.rows import Cleaned

#: Rows that are looked at together: few enough for the parameters of one statement of SQLite.
SLICE = 500


class PortableLoader:
    """Loads the columns `names` of one import (`run_id`) into the dataset's table."""

    #: Keys that `apply` should be given at once, at most: about a second's work, so that a pause need not wait for longer.
    most = 2_000
    in_turn = False

    def __init__(self, dataset: Dataset, run_id: int, names: Sequence[str]) -> None:
        self.dataset = dataset
        self.run_id = run_id
        self.names = list(names)
        self.key = dataset.key.field
        meta = dataset.model._meta
        self.fields: dict[str, Any] = {name: meta.get_field(name) for name in self.names}
        self.table = quoted(meta.db_table)
        self.stage = quoted(StagedRow._meta.db_table)
        self.live = dataset.model._default_manager
        self.staged = StagedRow.objects.filter(run_id=run_id)

    # --- staging ---------------------------------------------------------------------------------------------------

    def make_stage(self) -> None:
        """The table is there; what an earlier try left in it goes."""
        self.staged.delete()

    def encode(self, cleaned: Cleaned) -> list[StagedRow]:
        """A batch as rows that `copy` stores."""
        return [
            StagedRow(run_id=self.run_id, line=line, key=key, values=dict(zip(self.names, values, strict=True)))
            for line, key, *values in zip(cleaned.lines, cleaned.keys, *cleaned.columns, strict=True)
        ]

    def copy(self, batch: list[StagedRow]) -> None:
        StagedRow.objects.bulk_create(batch)

    # --- comparing -------------------------------------------------------------------------------------------------

    def compare(self, deactivate_missing: bool = False) -> Compared:
        """Find the winning line of each key, the last, and number those that create or change a row.

        Only a review asks to `deactivate_missing`, and reviews need PostgreSQL.
        """
        self.staged.exclude(seq=None).update(seq=None)
        keys = to_create = to_update = 0
        for winners in self._winners():
            live = self._rows([staged.key for staged in winners])
            wanted = []
            for staged in winners:
                row = live.get(staged.key)
                if row is None or self._changed(row, staged):
                    to_create += row is None
                    to_update += row is not None
                    staged.seq = to_create + to_update
                    wanted.append(staged)
            self._number(wanted)
            keys += len(winners)
        return Compared(keys, to_create, to_update)

    def _number(self, wanted: list[StagedRow]) -> None:
        """Store the numbers of one slice: bulk_update would take five times as long to write the same statement."""
        if wanted:
            numbers = " ".join(f"WHEN {staged.pk} THEN {staged.seq}" for staged in wanted)
            run(f"UPDATE {self.stage} SET seq = CASE id {numbers} END WHERE id IN ({', '.join(str(s.pk) for s in wanted)})")

    def _winners(self) -> Iterator[list[StagedRow]]:
        """The winning line of every key, in key order, slice by slice: the last, or the first where that is kept."""
        last, keeps_first = "", self.dataset.keeps_first
        while page := list(self.staged.filter(key__gt=last).order_by("key", "line")[:SLICE]):
            last = page[-1].key
            winners = {staged.key: staged for staged in (reversed(page) if keeps_first else page)}
            if len(page) == SLICE and not keeps_first:
                # More lines of this key may lie behind the end of the slice.
                winners[last] = self.staged.filter(key=last).order_by("line").last() or page[-1]
            yield list(winners.values())[:: -1 if keeps_first else 1]

    # --- applying --------------------------------------------------------------------------------------------------

    def apply(self, after: int, until: int) -> Applied:
        """Write the lines numbered `after` < seq ≤ `until`: Changes and rows in one transaction, which is the caller's.

        Raises Raced when somebody made a row in between; nothing is lost by rolling back and calling again.
        """
        at = timezone.now()
        keys = created = updated = 0
        for start in range(after, until, SLICE):
            bucket = list(self.staged.filter(seq__gt=start, seq__lte=min(start + SLICE, until)).order_by("seq"))
            live = self._rows([staged.key for staged in bucket], lock=True)
            created += self._insert([staged for staged in bucket if staged.key not in live], at)
            updated += self._update([(live[staged.key], staged) for staged in bucket if staged.key in live], at)
            keys += len(bucket)
        return Applied(keys, created, updated)

    def _insert(self, bucket: list[StagedRow], at: datetime) -> int:
        rows = [self._new(staged, at) for staged in bucket]
        try:
            self.live.bulk_create(rows)
        except IntegrityError as problem:
            raise Raced from problem
        # MySQL does not say which numbers it gave.
        numbers = {key: row.pk for key, row in self._rows([staged.key for staged in bucket]).items()}
        self._note(Change(kind=Change.Kind.CREATED, row_id=numbers[s.key], line=s.line, at=at) for s in bucket)
        return len(bucket)

    def _update(self, pairs: list[tuple[Any, StagedRow]], at: datetime) -> int:
        changed, changes = [], []
        for row, staged in pairs:
            new = self._changed(row, staged)
            if new:
                before = {"updated_at": row.updated_at.isoformat()} | {name: self._json(row, name) for name in new}
                changes.append(Change(kind=Change.Kind.UPDATED, row_id=row.pk, line=staged.line, at=at, before=before))
                for name, value in new.items():
                    setattr(row, name, value)
                row.updated_at = at
                changed.append(row)
        self.live.bulk_update(changed, [*self.names, "updated_at"])
        self._note(changes)
        return len(changed)

    def _note(self, changes: Iterable[Change]) -> None:
        noted = list(changes)
        for change in noted:
            change.run_id, change.dataset = self.run_id, self.dataset.name
        Change.objects.bulk_create(noted)

    # --- rows and values -------------------------------------------------------------------------------------------

    def _rows(self, keys: list[str], *, lock: bool = False) -> dict[str, Any]:
        """The live rows with these keys, by key; with `lock` nobody else writes them until the transaction ends."""
        found: models.QuerySet[Any] = self.live.filter(**{f"{self.key}__in": keys}).order_by(self.key)
        return {getattr(row, self.key): row for row in (found.select_for_update() if lock else found)}

    def _new(self, staged: StagedRow, at: datetime) -> Any:
        return new_row(self.dataset, staged.key, staged.values, at)

    def _changed(self, row: Any, staged: StagedRow) -> dict[str, Any]:
        """The values of a staged line that differ from its live row's, where it may change that."""
        if self.dataset.keeps_first:
            return {}
        given = {name: self._value(name, text) for name, text in staged.values.items() if text is not None}
        return {name: value for name, value in given.items() if getattr(row, name) != value}

    def _value(self, name: str, text: str) -> Any:
        return _meant(self.fields[name], text)

    def _json(self, row: Any, name: str) -> Any:
        value = getattr(row, name)
        return value if value is None or isinstance(value, bool | int | str) else self.fields[name].value_to_string(row)

    # --- afterwards ------------------------------------------------------------------------------------------------

    def analyze(self, changed: int) -> None:
        """Other databases count by themselves."""

    def index_changes(self) -> None:
        """Changes have their index from the start (migration 0004)."""


def new_row(dataset: Dataset, key: str, values: Mapping[str, str | None], at: datetime) -> Any:
    """A row of the dataset with the texts of `values`, not saved yet; None leaves a field to its default."""
    meta = dataset.model._meta
    given = {name: _meant(meta.get_field(name), text) for name, text in values.items() if text is not None}
    return dataset.model(**given | {dataset.key.field: key, "created_at": at, "updated_at": at})


def _meant(field: Any, text: str) -> Any:
    """What the text of a value means, as the model has it."""
    return text == "true" if isinstance(field, models.BooleanField) else field.to_python(text)
