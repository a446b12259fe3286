"""`manage.py export DATASET`: the same export as the page's, in this process."""

import json
import shutil
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError

from importer import export_control, exports
from importer.models import Export
from importer.states import ExportState
from importer.values import ImportProblem, quote


class Command(BaseCommand):
    help = "Export the rows of DATASET in this process, into a file of CSV or a workbook, and print what was written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="what to export, for example products")
        parser.add_argument("--from", dest="since", type=_day, help="the first day, like 2024-12-31")
        parser.add_argument("--to", dest="until", type=_day, help="the last day")
        parser.add_argument("--format", choices=Export.Format.values, help="csv, unless the output is called otherwise")
        parser.add_argument("--output", type=Path, help="where to put the file, besides the list of exports")
        parser.add_argument("--raw", action="store_true", help="leave cells as they are that a spreadsheet would run")
        parser.add_argument("--json", action="store_true", help="print one JSON object for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path | None = options["output"]
        named = output.suffix.removeprefix(".").lower() if output else ""
        chosen = options["format"] or (named if named in Export.Format.values else "csv")
        began = time.perf_counter()
        try:
            export = export_control.request_export(
                options["dataset"], None, options["since"], options["until"], Export.Format(chosen), not options["raw"]
            )
        except KeyError as problem:
            raise CommandError(str(problem.args[0])) from problem
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        self._run(export)
        seconds = time.perf_counter() - began
        if export.state == ExportState.DONE and output:
            try:
                with default_storage.open(export.path) as file, output.open("wb") as copy:
                    shutil.copyfileobj(file, copy, exports.BLOCK)
            except OSError as problem:
                raise CommandError(f"{output} cannot be written: {problem.strerror}.") from problem
        self.stdout.write(json.dumps(_report(export, seconds)) if options["json"] else _sentence(export, seconds))
        if export.state != ExportState.DONE:
            sys.exit(1)

    def _run(self, export: Export) -> None:
        """Write it here; when a worker was quicker, wait."""
        exports.run(export.pk)
        export.refresh_from_db()
        while not export.is_final:
            time.sleep(0.5)
            exports.sweep()
            exports.run(export.pk)
            export.refresh_from_db()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{quote(text)} is not a day like 2024-12-31.") from None


def _report(export: Export, seconds: float) -> dict[str, Any]:
    return {
        "id": str(export.public_id),
        "dataset": export.dataset,
        "state": export.state,
        "error": export.error,
        "rows": export.rows_done,
        "bytes": export.bytes,
        "sha256": export.sha256,
        "seconds": round(seconds, 3),
    }


def _sentence(export: Export, seconds: float) -> str:
    words = ExportState(export.state).label
    return f"{words}: {export.rows_done:,} rows, {export.bytes:,} bytes, in {seconds:.1f} s. {export.error}".rstrip()
