"""`manage.py import_folder DIR`: recognise each file of a folder by its headings and its name, and import it."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from importer import unattended
from importer.intake import folder
from importer.management import report
from importer.progress import title
from importer.states import State
from importer.unattended import Outcome, Wish
from importer.values import ImportProblem, shown


def add_folder_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dataset", default="", help="what all the files are, where that is not to be recognised")
    parser.add_argument("--wait", action="store_true", help="import in this process, one file after the other")
    parser.add_argument("--yes", action="store_true", help="write without waiting for a review, whatever the warnings say")
    parser.add_argument(
        "--settle",
        type=float,
        default=float(settings.LOADIFY_FOLDER_SETTLE),
        metavar="SECONDS",
        help="take a file once nobody has written to it for so long",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each file, for programs")


def wish_of(options: dict[str, Any]) -> Wish:
    """What the arguments say of the files. Raises CommandError when the folder or the dataset is not there."""
    wish = Wish(options["dataset"], unasked=options["yes"])
    try:
        wish.kinds()
    except KeyError as problem:
        raise CommandError(str(problem.args[0])) from None
    if not options["folder"].is_dir():
        raise CommandError(f"{options['folder']} is no folder.")
    return wish


def line_of(outcome: Outcome, as_json: bool) -> str:
    """One line about a file: what it was taken for, and what came of it, or why not."""
    run = outcome.run
    if as_json:
        found = (
            report.as_json(run)
            if run
            else {"id": None, "state": "waits" if outcome.waits else "refused", "error": outcome.problem}
        )
        return json.dumps({"file": outcome.name, **found, "note": outcome.note})
    if run is None:
        return f"{shown(outcome.name)}: {'waits' if outcome.waits else 'refused'}. {outcome.problem}"
    said = f"{shown(outcome.name)} → {title(run)}: "
    if run.state == State.REVIEW:
        said += f"waits for a person to look at it: {report.review_address(run)}"
    elif run.is_final:
        said += f"{State(run.state).label.lower()}, {report.counts(run)}." + (f" {run.error}" if run.error else "")
    else:
        said += f"submitted as import {run.public_id}."
    return f"{said} {outcome.note}".strip()


class Command(BaseCommand):
    help = "Recognise each file in FOLDER and import it; it is moved to done/, or to failed/ with the reason beside it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_folder_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        root, settle = options["folder"], options["settle"]
        wish = wish_of(options)
        seen: list[Outcome] = []
        try:
            if folder.finished(root, 0) != folder.finished(root, settle):
                # Some were written to a moment ago: perhaps by somebody who is not through with it.
                time.sleep(settle)
            for outcome in unattended.take_all(root, settle, wish, options["wait"]):
                seen.append(outcome)
                self.stdout.write(line_of(outcome, options["json"]))
            left = sorted(set(folder.finished(root, 0)) - {outcome.name for outcome in seen})
            if not (seen or left or options["json"]):
                self.stdout.write(f"There is no file to import in {root}.")
            for name in left:
                self.stderr.write(f"{shown(name)}: is still being written, and was left where it is.")
        except OSError as problem:
            raise CommandError(f"{problem.filename or root} cannot be used: {problem.strerror}.") from problem
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        if any(outcome.is_bad for outcome in seen):
            sys.exit(1)
