"""`manage.py import_file DATASET FILE`: the same import as the page's, in this process."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from importer import unattended
from importer.intake import uploads
from importer.management import report
from importer.models import Import, StoredFile
from importer.states import State
from importer.values import ImportProblem


class Command(BaseCommand):
    help = "Import FILE into DATASET in this process, and print counts and seconds for each phase."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="what the rows are, for example products")
        parser.add_argument("file", type=Path)
        parser.add_argument("--layout", default="", help="which kind of file it is, where the dataset has several")
        parser.add_argument("--yes", action="store_true", help="write without waiting for a review, whatever the warnings say")
        parser.add_argument("--json", action="store_true", help="print one JSON object for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        wish = unattended.Wish(options["dataset"], options["layout"], unasked=options["yes"])
        try:
            wish.kinds()
            with path.open("rb") as stream:
                file = uploads.keep(owner=None, name=path.name, stream=stream)
            run, note = self._submit(file, wish)
        except OSError as problem:
            raise CommandError(f"{path} cannot be read: {problem.strerror}.") from problem
        except KeyError as problem:
            raise CommandError(str(problem.args[0])) from problem
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        if note:
            self.stderr.write(note)
        unattended.finish(run)
        self.stdout.write(json.dumps(report.as_json(run)) if options["json"] else report.in_words(run))
        if run.state != State.DONE:
            sys.exit(1)

    def _submit(self, file: StoredFile, wish: unattended.Wish) -> tuple[Import, str]:
        """Raises ImportProblem, and then the file is not kept."""
        try:
            return unattended.submit(file, wish)
        except unattended.Unclear as problem:
            uploads.give_up(file.public_id)
            names = " or ".join(f"--layout {kind.layout_name}" for kind in problem.kinds)
            raise CommandError(f"{problem} Say it with {names}.") from problem
        except ImportProblem:
            uploads.give_up(file.public_id)
            raise
