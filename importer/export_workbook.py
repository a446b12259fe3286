"""Pieces of CSV become a workbook, row by row, so that memory stays flat."""

import csv
import io
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date
from typing import IO, Any

import xlsxwriter
from django.db import models
from xlsxwriter.worksheet import Worksheet

from importer.datasets import Dataset
from importer.mended import escaped
from importer.values import BadFile, quote

#: What a sheet can hold, its heading included, and characters of a cell (Excel specifications and limits).
MOST_ROWS, LONGEST = 1_048_576, 32_767
#: Seconds between two calls of `told`.
PERIOD = 0.5
#: Excel counts days from here on as everybody else does; the days before are text.
_FIRST_DAY = date(1900, 3, 1)

Write = Callable[[Worksheet, int, int, str], None]


def write_workbook(
    dataset: Dataset, pieces: Iterable[IO[bytes]], out: IO[bytes], escape: bool, told: Callable[[int], None]
) -> None:
    """Write the rows of `pieces` (CSV in UTF-8) into a workbook of as many sheets as they need; closes the pieces.

    Numbers and days are such cells, everything else is text; with `escape`, text that a spreadsheet would run as soon as
    somebody edits its cell is marked as text (Excel's quote prefix), which changes nothing of it. `told` hears now and then how
    many rows are written, and may raise. Raises BadFile when a text is too long for a cell.
    """
    with tempfile.TemporaryDirectory() as folder:
        book = xlsxwriter.Workbook(out, {"constant_memory": True, "tmpdir": folder, "use_zip64": True})
        try:
            _fill(book, dataset, pieces, escape, told)
            book.close()
        except BaseException:
            # Only close() closes the files of rows, and it would first write the whole workbook.
            for sheet in book.worksheets():
                sheet.row_data_fh.close()
            raise


def _fill(book: Any, dataset: Dataset, pieces: Iterable[IO[bytes]], escape: bool, told: Callable[[int], None]) -> None:
    names = [column.name for column in dataset.columns]
    writers = [_writer(dataset.model._meta.get_field(name), book, escape) for name in names]
    sheet, row, at = _sheet(book, dataset.title, names), 1, time.monotonic()
    for count, cells in enumerate(_records(pieces), 1):
        if row == MOST_ROWS:
            sheet, row = _sheet(book, dataset.title, names), 1
        for place, (write, cell) in enumerate(zip(writers, cells, strict=True)):
            if len(cell) > LONGEST // 2 and (length := _length(cell)) > LONGEST:
                raise BadFile(_too_long(dataset, names[place], cells, length))
            if cell:
                write(sheet, row, place, cell)
        row += 1
        if time.monotonic() - at > PERIOD:
            told(count)
            at = time.monotonic()


def _records(pieces: Iterable[IO[bytes]]) -> Iterator[list[str]]:
    for piece in pieces:
        with closing(piece):
            yield from csv.reader(io.TextIOWrapper(piece, "utf-8", newline=""))


def _sheet(book: Any, title: str, names: list[str]) -> Worksheet:
    number = len(book.worksheets()) + 1
    # Excel allows 31 characters, some of them not; the rest is for the number.
    name = " ".join(re.sub(r"[\[\]:*?/\\]", " ", title).split())[:25].strip("' ")
    sheet: Worksheet = book.add_worksheet(name if number == 1 else f"{name} {number}")
    for place, name in enumerate(names):
        sheet.write_string(0, place, name)
    sheet.freeze_panes(1, 0)
    return sheet


def _writer(field: Any, book: Any, escape: bool) -> Write:
    if isinstance(field, models.DecimalField | models.IntegerField | models.FloatField):
        places = getattr(field, "decimal_places", 0)
        return _number(book.add_format({"num_format": "0." + "0" * places if places else "0"}))
    if isinstance(field, models.DateField) and not isinstance(field, models.DateTimeField):
        return _day(book.add_format({"num_format": "yyyy-mm-dd"}))
    return _text(book.add_format({"quote_prefix": True}) if escape else None)


def _text(quoted: Any) -> Write:
    def write(sheet: Worksheet, row: int, place: int, cell: str) -> None:
        sheet.write_string(row, place, cell, quoted if quoted and escaped(cell) != cell else None)

    return write


def _number(how: Any) -> Write:
    def write(sheet: Worksheet, row: int, place: int, cell: str) -> None:
        # Fifteen digits are what a spreadsheet keeps.
        if len(cell) <= 15:
            sheet.write_number(row, place, float(cell), how)
        else:
            sheet.write_string(row, place, cell)

    return write


def _day(how: Any) -> Write:
    def write(sheet: Worksheet, row: int, place: int, cell: str) -> None:
        day = date.fromisoformat(cell)
        if day >= _FIRST_DAY:
            sheet.write_datetime(row, place, day, how)
        else:
            sheet.write_string(row, place, cell)

    return write


def _length(cell: str) -> int:
    """Characters as Excel counts them: 😀 is two (UTF-16)."""
    return len(cell.encode("utf-16-le")) // 2


def _too_long(dataset: Dataset, name: str, cells: list[str], length: int) -> str:
    place = next(place for place, column in enumerate(dataset.columns) if column.name == dataset.key.column)
    return (
        f"The {name} of the row with the {dataset.key.column} {quote(cells[place])} has {length:,} characters; "
        f"a cell of a workbook holds {LONGEST:,}. Export these rows as CSV."
    )
