"""Rows on their way from a reader to a loader: raw batches, and what cleaning makes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from importer.datasets import Dataset
from importer.values import BadValue, NotText

#: Cells of a rejected line that are kept, beyond as many as the heading has.
MOST_CELLS = 100


@dataclass(frozen=True)
class Rejected:
    """A line that was not taken: its number, its cells as read, one sentence why."""

    line: int
    cells: list[str]
    reason: str


@dataclass
class Batch:
    """Some thousand records as a reader gives them.

    `lines` are the numbers of the file's lines on which the records begin, counted from 1 as an editor counts them.
    `resume` is what the reader needs to go on after this batch (opaque, JSON); `done` is how many bytes lie behind it.
    """

    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    resume: dict[str, int] = field(default_factory=dict)
    done: int = 0


@dataclass
class Cleaned:
    """A batch after cleaning: `columns` holds one sequence of values for each of `Dataset.names`, after the keys."""

    lines: list[int]
    keys: list[str]
    columns: list[Sequence[str | None]]
    rejected: list[Rejected]
    resume: dict[str, int]
    done: int

    @property
    def read(self) -> int:
        return len(self.lines) + len(self.rejected)


class Cleaning:
    """Cleans batches of one file into one dataset.

    `places` says in which cell each column stands, `width` how many cells a line must have, `blank` for which columns an
    empty cell keeps the old value or clears it, where that is not as the dataset has it, `encoding` is the name of the
    file's for people, and `mend` makes rows that were taken home what they were (importer/mended.py). A whole column is
    cleaned at once, at the speed of C; only a batch with a bad cell in it is gone through row by row.
    """

    def __init__(
        self,
        dataset: Dataset,
        places: Mapping[str, int],
        width: int,
        blank: Mapping[str, str] | None = None,
        encoding: str = "UTF-8",
        mend: Callable[[list[str]], list[str]] | None = None,
    ) -> None:
        self.dataset = dataset
        self.encoding = encoding
        self.mend = mend
        self.width = width
        self.names = [column.name for column in dataset.columns if column.name in places]
        self.constants = list(dataset.constants.values())
        self.places = [places[name] for name in self.names]
        self.cleaners = [dataset.column(name).clean for name in self.names]
        given = [*self.names, *dataset.constants]
        #: Where the columns of the key stand among the values and constants; None for one that the file does not have.
        self.key_at = [given.index(name) if name in given else None for name in dataset.key.columns]
        self.keeps = [(blank or {}).get(name, dataset.column(name).blank) == "keep" for name in self.names]

    def clean(self, batch: Batch) -> Cleaned:
        lines, rows, rejected = batch.lines, batch.rows, list(batch.rejected)
        if self.mend:
            rows = list(map(self.mend, rows))
        if rows and set(map(len, rows)) != {self.width}:
            rejected += [self._wrong_width(line, row) for line, row in zip(lines, rows, strict=True) if len(row) != self.width]
            kept = [(line, row) for line, row in zip(lines, rows, strict=True) if len(row) == self.width]
            lines, rows = [line for line, _ in kept], [row for _, row in kept]
        if not rows:
            return Cleaned([], [], [[] for _ in (*self.names, *self.constants)], rejected, batch.resume, batch.done)
        try:
            cells = list(zip(*rows, strict=True))
            columns = [clean.many(cells[place]) for clean, place in zip(self.cleaners, self.places, strict=True)]
            columns = [_kept(column) if keeps else column for column, keeps in zip(columns, self.keeps, strict=True)]
            columns += [[value] * len(rows) for value in self.constants]
            keys = self._keys(columns, len(rows))
            if "" in keys:
                raise BadValue
        except BadValue:
            lines, keys, columns = self._one_by_one(lines, rows, rejected)
        return Cleaned(lines, keys, columns, rejected, batch.resume, batch.done)

    def _keys(self, columns: Sequence[Sequence[str | None]], rows: int) -> list[str]:
        parts = [[""] * rows if at is None else [value or "" for value in columns[at]] for at in self.key_at]
        return list(map(self.dataset.key.fold, *parts))

    def values(self, row: list[str]) -> list[str | None]:
        """The values of one row, for each of `names`. Raises BadValue for the first cell that cannot be taken."""
        values = [clean(row[place]) for clean, place in zip(self.cleaners, self.places, strict=True)]
        return [None if keeps and value == "" else value for value, keeps in zip(values, self.keeps, strict=True)]

    def _one_by_one(
        self, lines: list[int], rows: list[list[str]], rejected: list[Rejected]
    ) -> tuple[list[int], list[str], list[Sequence[str | None]]]:
        good: list[tuple[int, str, list[str | None]]] = []
        for line, row in zip(lines, rows, strict=True):
            try:
                values = [*self.values(row), *self.constants]
                key = self.dataset.key.fold(*("" if at is None else values[at] or "" for at in self.key_at))
                if not key:
                    raise BadValue(f"The {self.dataset.key.column} is empty.")
            except BadValue as problem:
                reason = problem.told(self.encoding) if isinstance(problem, NotText) else str(problem)
                rejected.append(Rejected(line, row, f"Line {line}: {reason}"))
            else:
                good.append((line, key, values))
        width = len(self.names) + len(self.constants)
        columns: list[Sequence[str | None]] = [[values[i] for _, _, values in good] for i in range(width)]
        return [line for line, _, _ in good], [key for _, key, _ in good], columns

    def _wrong_width(self, line: int, row: list[str]) -> Rejected:
        cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
        # A line may have millions of cells; a wrong one must not hold them while batches queue up.
        return Rejected(line, row[: self.width + MOST_CELLS], f"Line {line}: {cells} where the heading has {self.width}.")


def _kept(column: Sequence[str | None]) -> Sequence[str | None]:
    """A column in which empty cells leave the old value as it is."""
    return [None if value == "" else value for value in column] if "" in column else column
