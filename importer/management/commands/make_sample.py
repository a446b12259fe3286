"""`manage.py make_sample DATASET ROWS FILE`: a realistic file to try an import with, or to measure it by."""

import csv
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from random import Random
from typing import IO, Any

import xlsxwriter
from django.core.management.base import BaseCommand, CommandError
from xlsxwriter.exceptions import FileCreateError

from importer import datasets
from importer.datasets import Dataset
from importer.values import BadFile

#: Seconds between two lines that say how far it is.
_NEWS = 5.0
#: Records that a sheet has room for, below the heading.
_SHEET = 1_048_575
_BEGIN = datetime(2024, 1, 1)


class Command(BaseCommand):
    help = (
        "Write a sample file for a dataset: a workbook where FILE ends in .xlsx, else CSV. The same seed makes the same file."
    )
    # A file needs no settled site.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="what the rows are, for example products")
        parser.add_argument("rows", type=int, help="how many records to write, without the heading")
        parser.add_argument("file", type=Path)
        parser.add_argument("--layout", default="", help="which kind of file, where the dataset has several")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--force", action="store_true", help="replace FILE if it is there")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        rows: int = options["rows"]
        as_workbook = path.suffix.lower() == ".xlsx"
        if rows < 1:
            raise CommandError(f"{rows} is not a number of records; write 1 or more.")
        if as_workbook and rows > _SHEET:
            raise CommandError(f"A sheet has room for {_SHEET:,} records; write a CSV file for {rows:,}.")
        dataset = self._dataset(options["dataset"], options["layout"])
        assert dataset.sample
        records = self._told(dataset.sample(rows, Random(options["seed"])), rows)
        try:
            with path.open("wb" if options["force"] else "xb") as stream:
                self._write(records, stream, as_workbook, path)
        except FileExistsError:
            raise CommandError(f"{path} is there already; add --force to replace it.") from None
        except OSError as problem:
            raise CommandError(f"{path} cannot be written: {problem.strerror}.") from problem
        self.stdout.write(f"Wrote {rows:,} records, {path.stat().st_size / 1e6:,.1f} MB, to {path}.")

    def _write(self, records: Iterator[list[str]], stream: IO[bytes], as_workbook: bool, path: Path) -> None:
        """Raises OSError. Half a file looks like a whole one, so none is left, whatever ends the writing."""
        whole = False
        try:
            (write_workbook if as_workbook else write_csv)(records, stream)
            whole = True
        except FileCreateError as problem:
            # A workbook wraps what happened to its file.
            raise problem.args[0] from problem
        finally:
            if not whole and path.is_file():
                path.unlink()

    def _dataset(self, name: str, layout: str) -> Dataset:
        try:
            dataset = datasets.get(name).seen_as(layout)
        except KeyError as problem:
            raise CommandError(str(problem.args[0])) from None
        except BadFile as problem:
            raise CommandError(str(problem)) from None
        if dataset.sample is None:
            layouts = ", ".join(one.name for one in dataset.layouts if one.sample)
            raise CommandError(
                f"Say with --layout which kind of file it should be: {layouts}."
                if layouts and not layout
                else f"The dataset {name} has no samples."
            )
        return dataset

    def _told(self, records: Iterator[list[str]], rows: int) -> Iterator[list[str]]:
        """The records, with a line of news every few seconds where a person watches."""
        watched = sys.stderr.isatty()
        due = time.monotonic() + _NEWS
        for number, record in enumerate(records):
            if watched and number % 10_000 == 0 and time.monotonic() > due:
                due += _NEWS
                self.stderr.write(f"{number:,} of {rows:,} records …")
            yield record


def write_csv(records: Iterator[list[str]], stream: IO[bytes]) -> None:
    with TextIOWrapper(stream, encoding="utf-8", newline="") as text:
        csv.writer(text, lineterminator="\n").writerows(records)


def write_workbook(records: Iterator[list[str]], stream: IO[bytes]) -> None:
    """One sheet of text cells, row by row, so that memory stays flat."""
    with xlsxwriter.Workbook(stream, {"constant_memory": True}) as workbook:
        # Else two files of one seed would differ by the moment of writing.
        workbook.set_properties({"created": _BEGIN})
        sheet = workbook.add_worksheet()
        for number, record in enumerate(records):
            for column, cell in enumerate(record):
                sheet.write_string(number, column, cell)
