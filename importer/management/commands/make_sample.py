"""`manage.py make_sample DATASET ROWS FILE`: a realistic file to try an import with, or to measure it by."""

import csv
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from importer import datasets

#: Seconds between two lines that say how far it is.
_NEWS = 5.0


class Command(BaseCommand):
    help = "Write a sample file for a dataset. The same seed makes the same file."
    # A file needs no settled site.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="what the rows are, for example products")
        parser.add_argument("rows", type=int, help="how many records to write, without the heading")
        parser.add_argument("file", type=Path)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--force", action="store_true", help="replace FILE if it is there")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        rows: int = options["rows"]
        if rows < 1:
            raise CommandError(f"{rows} is not a number of records; write 1 or more.")
        try:
            sample = datasets.get(options["dataset"]).sample
        except KeyError as problem:
            raise CommandError(str(problem.args[0])) from None
        if sample is None:
            raise CommandError(f"The dataset {options['dataset']} has no samples.")
        try:
            with path.open("w" if options["force"] else "x", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows(self._told(sample(rows, Random(options["seed"])), rows))
        except FileExistsError:
            raise CommandError(f"{path} is there already; add --force to replace it.") from None
        except OSError as problem:
            raise CommandError(f"{path} cannot be written: {problem.strerror}.") from problem
        self.stdout.write(f"Wrote {rows:,} records, {path.stat().st_size / 1e6:,.1f} MB, to {path}.")

    def _told(self, records: Iterator[list[str]], rows: int) -> Iterator[list[str]]:
        """The records, with a line of news every few seconds where a person watches."""
        watched = sys.stderr.isatty()
        due = time.monotonic() + _NEWS
        for number, record in enumerate(records):
            if watched and number % 10_000 == 0 and time.monotonic() > due:
                due += _NEWS
                self.stderr.write(f"{number:,} of {rows:,} records …")
            yield record
