"""The rows of a dataset as lines of CSV, in the columns and spellings that an import reads.

PostgreSQL writes the lines by itself, as fast as COPY can; other databases give rows, and Python writes the same bytes. Rows
come in the order of their ids, which never change: whatever happens to a row meanwhile, it is met once.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any

from django.db import connection, models
from django.db.models import Count, Max, Min, QuerySet

from importer.datasets import Dataset
from importer.days import between
from importer.loaders.sql import quoted
from importer.mended import escaped
from pages.spreadsheets import BOM, FORMULA, NUMBER, SUSPECTS, raw_lines

#: Rows that Python holds at once.
BLOCK = 2_000
#: Bytes that are written at once.
BUFFER = 1 << 20
_OPERATORS = {"gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True)
class Extent:
    """How many rows there are to write, and the ids of the first and the last one (0 when there are none)."""

    rows: int
    first: int
    last: int


class ExportRows:
    """The rows of `dataset` whose date lies between two days, both included; None is no limit.

    A day is one of the site's time zone where the date field holds moments. With `escape`, a cell that a spreadsheet would run
    gets an apostrophe, so that `mended.as_it_was` finds its way back.
    """

    def __init__(self, dataset: Dataset, since: date | None, until: date | None, escape: bool) -> None:
        self.dataset = dataset
        self.escape = escape
        self.fields = [_field(dataset, column.name) for column in dataset.columns]
        self.limits = between(dataset, since, until)

    def heading(self) -> bytes:
        """The first line. The mark of UTF-8 in front also says that apostrophes are ours, so none stands before raw cells."""
        text = raw_lines([[column.name for column in self.dataset.columns]])
        return ((BOM if self.escape else "") + text).encode()

    def extent(self) -> Extent:
        found = self.rows().aggregate(rows=Count("pk"), first=Min("pk"), last=Max("pk"))
        return Extent(found["rows"], found["first"] or 0, found["last"] or 0)

    def write(self, after: int, last: int, out: IO[bytes]) -> int:
        """Write the rows with ids from `after` + 1 to `last`, in their order; how many there were."""
        if connection.vendor == "postgresql":
            return self._copy(after, last, out)
        rows = self.rows().filter(pk__gt=after, pk__lte=last).order_by("pk")
        return sum(_write(piece, out) for piece in self._pieces(rows))

    def rows(self) -> QuerySet[Any]:
        """Those that are exported, in no order."""
        limits = {f"{self.dataset.date_field}__{lookup}": value for lookup, value in self.limits.items()}
        return self.dataset.model._default_manager.filter(**limits).order_by()

    def _pieces(self, rows: QuerySet[Any]) -> Iterator[list[list[str]]]:
        piece: list[list[str]] = []
        for values in rows.values_list(*(field.attname for field in self.fields)).iterator(BLOCK):
            cells = [spelled(value) for value in values]
            piece.append(list(map(escaped, cells)) if self.escape else cells)
            if len(piece) == BLOCK:
                yield piece
                piece = []
        yield piece

    def _copy(self, after: int, last: int, out: IO[bytes]) -> int:
        meta = self.dataset.model._meta
        key, day = quoted(str(meta.pk.column)), quoted(str(_field(self.dataset, self.dataset.date_field).column))
        wanted = [f"{key} > %s", f"{key} <= %s", *(f"{day} {_OPERATORS[lookup]} %s" for lookup in self.limits)]
        cells = ", ".join(self._cell(field) for field in self.fields)
        select = f"SELECT {cells} FROM {quoted(meta.db_table)} WHERE {' AND '.join(wanted)} ORDER BY {key}"
        # Django does not know this call, and would let the driver's own errors through: of a statement that was cancelled, too.
        with connection.cursor() as cursor, connection.wrap_database_errors:
            select = cursor.mogrify(select, [after, last, *self.limits.values()]).decode()
            # COPY gives line by line, a million of small writes.
            with io.BufferedWriter(_Lines(out), BUFFER) as buffered:
                cursor.copy_expert(f"COPY ({select}) TO STDOUT (FORMAT csv)", buffered)
            return int(cursor.rowcount)

    def _cell(self, field: "models.Field[Any, Any]") -> str:
        """SQL for a field as `spelled` spells it; an empty text as NULL, which COPY writes without quotation marks."""
        name = quoted(str(field.column))
        if isinstance(field, models.BooleanField):
            return f"CASE WHEN {name} THEN 'true' WHEN NOT {name} THEN 'false' END"
        if isinstance(field, models.DateTimeField):
            moment = f"{name} AT TIME ZONE 'UTC'"
            part = (
                f"CASE WHEN extract(microseconds FROM {name})::bigint %% 1000000 <> 0 THEN to_char({moment}, '.US') ELSE '' END"
            )
            return f"""to_char({moment}, 'YYYY-MM-DD"T"HH24:MI:SS') || {part} || '+00:00'"""
        if isinstance(field, models.DateField):
            return f"to_char({name}, 'YYYY-MM-DD')"
        if not isinstance(field, models.CharField | models.TextField):
            return name
        if not self.escape:
            return f"NULLIF({name}, '')"
        # A pattern costs as much as its text is long, so it is only asked where the first mark is one of a few.
        suspect = f"strpos({_literal(SUSPECTS)}, left({name}, 1)) > 0"
        formula, number = _literal(f"^'*({FORMULA})"), _literal(f"^'*{NUMBER}$")
        runs = f"{name} ~ {formula} AND {name} !~ {number}"
        return f"CASE WHEN {suspect} AND {runs} THEN '''' || {name} ELSE NULLIF({name}, '') END"


class _Lines(io.RawIOBase):
    """Takes what COPY writes, and ends lines as RFC 4180 wants; line ends inside quotation marks stay what they are."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._quoted = False

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        # A quotation mark inside a cell stands there twice, so that every other piece is outside of quoted cells.
        pieces = bytes(block).split(b'"')
        for place in range(self._quoted, len(pieces), 2):
            pieces[place] = pieces[place].replace(b"\n", b"\r\n")
        self._quoted ^= len(pieces) % 2 == 0
        self._out.write(b'"'.join(pieces))
        return len(block)


def spelled(value: Any) -> str:
    """A value of a row as the text of a cell: 2024-12-31, 2024-12-31T09:30:00+00:00, true, 3.50; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def _write(rows: list[list[str]], out: IO[bytes]) -> int:
    out.write(raw_lines(rows).encode())
    return len(rows)


def _field(dataset: Dataset, name: str) -> "models.Field[Any, Any]":
    field = dataset.model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


def _literal(text: str) -> str:
    """A text of our own as SQL, in a statement that has parameters."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"
