"""Takes back what an import wrote: rows go back to what they were, `updated_at` included, and created ones go.

It goes by the import's Changes, bucket by bucket in the order of row numbers. A row that still bears the moment at which the
import wrote it is taken back, and its Change goes with it; one that a person or a later import changed since is left alone.
So the Changes that remain are the list of what was kept.

Every function runs inside the caller's transaction, and needs the dataset's lock and PostgreSQL.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from importer.datasets import Dataset
from importer.loaders.sql import one, quoted, row
from importer.models import Change, Held

BUCKET = 20_000


@dataclass(frozen=True)
class Undone:
    """One bucket: rows that got their old values, created ones that went, ones changed since, ones not there any more."""

    last: int
    handled: int
    restored: int
    removed: int
    kept: int
    gone: int


def changes_table(run_id: int) -> str:
    return f"importer_change_{run_id}"


def possible(run_id: int) -> bool:
    """True when the Changes of the import are there, or rows of it wait to be stored.

    Asks the table of all Changes, which PostgreSQL narrows to this import's: that one may be dropped at any moment.
    """
    if connection.vendor != "postgresql":
        return False
    waiting = Held.objects.filter(run_id=run_id, state=Held.State.WAITING)
    return Change.objects.filter(run_id=run_id).exists() or waiting.exists()


class Undo:
    """The undo of the import `run_id` into `dataset`."""

    def __init__(self, dataset: Dataset, run_id: int) -> None:
        meta = dataset.model._meta
        self.table = quoted(meta.db_table)
        self.changes = changes_table(run_id)
        fields = [meta.get_field(column.name) for column in dataset.columns]
        self.types = {field.name: field.db_type(connection) for field in fields}

    def total(self) -> int:
        """How many Changes there are; buckets are quick to find once they have their index (`index_changes`)."""
        return int(one(f"SELECT count(*) FROM {self.changes}"))

    def bucket(self, after: int) -> Undone | None:
        """Take back the next rows whose numbers are above `after`; None when there are none."""
        handled, last = row(
            f"""SELECT count(*), max(row_id) FROM (
                SELECT row_id FROM {self.changes} WHERE row_id > %(after)s ORDER BY row_id LIMIT {BUCKET}) bucket""",
            {"after": after},
        )
        if not handled:
            return None
        among: dict[str, Any] = {"after": after, "last": last}
        # Who edits one of these rows now waits, and then finds it as it was before the import.
        one(
            f"""SELECT count(*) FROM (SELECT FROM {self.table} t JOIN {self.changes} c ON c.row_id = t.id
                WHERE {self._untouched()} ORDER BY t.id FOR UPDATE OF t) locked""",
            among,
        )
        restored = self._restore(among)
        removed = self._remove(among)
        kept = one(
            f"""SELECT count(*) FROM {self.changes} c JOIN {self.table} t ON t.id = c.row_id
                WHERE c.row_id > %(after)s AND c.row_id <= %(last)s""",
            among,
        )
        return Undone(last, handled, restored, removed, kept, handled - restored - removed - kept)

    def _untouched(self) -> str:
        """SQL: Change `c` is in the bucket, and its live row `t` is as the import left it."""
        return "c.row_id > %(after)s AND c.row_id <= %(last)s AND t.updated_at = c.at"

    def _restore(self, among: dict[str, Any]) -> int:
        values = ", ".join(
            f"{quoted(name)} = CASE WHEN c.before ? '{name}' THEN (c.before->>'{name}')::{kind} ELSE t.{quoted(name)} END"
            for name, kind in self.types.items()
        )
        return self._taken_back(
            f"""UPDATE {self.table} t SET {values}, updated_at = (c.before->>'updated_at')::timestamptz
                FROM {self.changes} c WHERE c.row_id = t.id AND c.kind = 'u' AND {self._untouched()}""",
            among,
        )

    def _remove(self, among: dict[str, Any]) -> int:
        return self._taken_back(
            f"DELETE FROM {self.table} t USING {self.changes} c WHERE c.row_id = t.id AND c.kind = 'c' AND {self._untouched()}",
            among,
        )

    def _taken_back(self, statement: str, among: dict[str, Any]) -> int:
        """Run `statement` on live rows, and drop the Changes of the rows it touched; returns how many those were."""
        return int(
            one(
                f"""WITH back AS ({statement} RETURNING t.id), done AS (
                    DELETE FROM {self.changes} c USING back WHERE c.row_id = back.id RETURNING 1)
                SELECT count(*) FROM done""",
                among,
            )
        )
