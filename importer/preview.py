"""The first rows of a file as an import would take them, before anything is started."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import IO

from django.core.files.storage import default_storage

from importer import mapping, mended, recognition
from importer.datasets import Dataset, Layout
from importer.intake import uploads
from importer.models import StoredFile
from importer.readers.formats import Format, open_rows
from importer.rows import Batch, Cleaning
from importer.values import BadFile, BadValue, Cleaner, quote, storable

#: Rows that are shown.
ROWS = 20
#: Characters of a cell that are shown; fewer where it stands for a column that has no name.
LONGEST, EXAMPLE = 200, 30
#: Columns of a file that are shown as they are read; mapped rows have those of the dataset.
WIDEST = 30


@dataclass(frozen=True)
class Look:
    """The beginning of a file: what its columns are called, and its first records."""

    headings: list[str]
    batch: Batch


@dataclass(frozen=True)
class Cell:
    """`text` is None for a cell that leaves the old value as it is; `problem` says why a cell is not taken."""

    column: str
    text: str | None
    problem: str = ""


@dataclass(frozen=True)
class Row:
    """One line as it would be taken; `problem` when it would be rejected."""

    line: int
    cells: list[Cell]
    problem: str = ""

    @property
    def why(self) -> str:
        """The problem without the line it begins with."""
        return self.problem.removeprefix(f"Line {self.line}: ")


@contextmanager
def opened(file: StoredFile) -> Iterator[IO[bytes]]:
    """The bytes of a stored file. Raises BadFile when there are none."""
    if not file.size:
        raise BadFile(f"The file {quote(file.name)} is empty.")
    uploads.check_there(file)
    with default_storage.open(file.path) as content:
        yield content


def look(content: IO[bytes], how: Format) -> Look:
    """Read the heading and the first ROWS records. Raises BadFile."""
    with closing(open_rows(content, how)) as reader:
        first, resume = reader.heading()
        first = mended.heading(first)
        if not how.heading:
            first, resume = mapping.numbered(first), reader.start()
        beginning = Batch()
        for batch in reader.batches(resume, ROWS):
            beginning.lines += batch.lines
            beginning.rows += batch.rows
            beginning.rejected += batch.rejected
            if len(beginning.rows) >= ROWS:
                break
    return Look(first, beginning)


@dataclass(frozen=True)
class Plan:
    """How a file would be imported as things stand: how it is read, its beginning, and which cell goes where."""

    how: Format
    seen: Look
    suggestion: mapping.Suggestion
    #: As the layout shows it that the file has; without columns as long as that is not known.
    dataset: Dataset
    #: The layouts that the file may have, by its headings or its name.
    layouts: Sequence[Layout] = ()
    #: Where they are several: why nobody can tell which it is.
    uncertain: str = ""
    #: The first line looks like data, so it is not taken for the headings.
    doubted: bool = False

    @property
    def titles(self) -> list[str]:
        """What to call the columns of the file: by their headings, and where it has none by what is in them."""
        headings, rows = self.seen.headings, self.seen.batch.rows
        if self.how.heading or not rows:
            return headings
        texts = [
            next((storable(row[place]).strip() for row in rows if row[place:] and row[place].strip()), "")
            for place in range(len(headings))
        ]
        return [
            f"{name}: {text[:EXAMPLE]}{'…' if len(text) > EXAMPLE else ''}" if text else name
            for name, text in zip(headings, texts, strict=True)
        ]

    def is_perfect(self) -> bool:
        """True when there is nothing to ask a person before the start."""
        plain = self.how.kind == "csv" and self.how.encoding.replace("_", "-").startswith("utf-8") and self.how.heading
        return plain and mapping.is_perfect(self.dataset, self.seen.headings, self.suggestion)


def plan(content: IO[bytes], dataset: Dataset, how: Format, name: str = "", layout: str = "") -> Plan:
    """Read the beginning of a file as `how` says and suggest the rest; the `name` of the file may tell its layout.

    `layout` is the one that a person chose. Raises BadFile.
    """
    seen = look(content, how)
    fitting = recognition.layouts_that_fit(dataset, seen.headings, name) if how.heading else []
    fitting = fitting or recognition.layouts_named(dataset, name)
    layout = layout or (fitting[0].name if len(fitting) == 1 else "")
    meant = replace(dataset, columns=()) if dataset.layouts and not layout else dataset.seen_as(layout)
    several = [recognition.Kind(dataset, layout) for layout in fitting]
    uncertain = recognition.doubt(several, name) if len(several) > 1 else ""
    return Plan(how, seen, mapping.suggest(meant, seen.headings, how.heading), meant, fitting, uncertain)


def first_plan(content: IO[bytes], dataset: Dataset, how: Format, name: str = "", layout: str = "") -> Plan:
    """The same for a format that no person has seen yet: the first line may be no heading. Raises BadFile."""
    planned = plan(content, dataset, how, name, layout)
    headings = planned.seen.headings
    if not how.heading or planned.suggestion.remembered or not mapping.looks_like_data(dataset, headings):
        return planned
    return replace(plan(content, dataset, replace(how, heading=False), name, layout), doubted=True)


def rows(
    dataset: Dataset, planned: Plan, places: Mapping[str, int], blank: Mapping[str, str], exported: bool = False
) -> list[Row]:
    """The first records, mapped and cleaned; the key has its place. `exported` says that apostrophes before formulas go."""
    seen = planned.seen
    mend = mended.way_back(seen.headings, exported)
    cleaning = Cleaning(dataset, places, len(seen.headings), blank, planned.how.encoding_name, mend)
    taken = [_row(cleaning, line, cells) for line, cells in zip(seen.batch.lines, seen.batch.rows, strict=True)]
    unread = [Row(reject.line, [], reject.reason) for reject in seen.batch.rejected]
    return sorted(taken + unread, key=lambda row: row.line)[:ROWS]


def as_read(planned: Plan) -> list[Row]:
    """The first records as they stand in the file, at most WIDEST cells of each."""
    batch = planned.seen.batch
    names = planned.seen.headings[:WIDEST]
    return [
        Row(line, [Cell(name, _shown(text)) for name, text in zip(names, cells, strict=False)])
        for line, cells in zip(batch.lines[:ROWS], batch.rows, strict=False)
    ]


def _row(cleaning: Cleaning, line: int, cells: list[str]) -> Row:
    cleaned = cleaning.clean(Batch([line], [cells]))
    if not cleaned.rejected:
        # Behind them stands what the layout gives every row; that is in no cell of the file.
        values = [column[0] for column in cleaned.columns[: len(cleaning.names)]]
        return Row(line, [Cell(name, _shown(value)) for name, value in zip(cleaning.names, values, strict=True)])
    reason = cleaned.rejected[0].reason
    if len(cells) != cleaning.width:
        return Row(line, [], reason)
    cells = cleaning.mend(cells) if cleaning.mend else cells
    parts = zip(cleaning.names, cleaning.cleaners, cleaning.places, strict=True)
    return Row(line, [Cell(name, _shown(cells[place]), _problem(clean, cells[place])) for name, clean, place in parts], reason)


def _problem(clean: Cleaner, text: str) -> str:
    try:
        clean(text)
    except BadValue as problem:
        return str(problem)
    return ""


def _shown(text: str | None) -> str | None:
    """As much of a cell as a page can show."""
    if text is None:
        return None
    shown = storable(text[: LONGEST + 1])
    return f"{shown[:LONGEST]}…" if len(shown) > LONGEST else shown
