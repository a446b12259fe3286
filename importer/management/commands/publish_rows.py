"""`manage.py publish_rows people FILE`: sends the rows of a file through a queue, to be stored by consumers."""

import sys
import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from importer import control, datasets, results, runner, sweep, unattended
from importer.intake import uploads
from importer.models import Import
from importer.states import FINAL, State
from importer.values import ImportProblem


class Command(BaseCommand):
    help = "Send each row of FILE as a message; whoever runs consume_rows DATASET stores them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="what the rows are, for example people")
        parser.add_argument("file", type=Path)
        parser.add_argument("--layout", default="", help="which kind of file it is, where the dataset has several")
        parser.add_argument("--wait", action="store_true", help="end when every row is stored, and say what became of them")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            run = self._submit(path, options["dataset"], options["layout"])
        except OSError as problem:
            raise CommandError(f"{path} cannot be read: {problem.strerror}.") from problem
        except KeyError as problem:
            raise CommandError(str(problem.args[0])) from problem
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        self._run(run)
        self._tell(run)
        if options["wait"] and run.state == State.CONSUMING:
            self._wait(run)
            self._tell(run)
        if run.state not in (State.DONE, State.CONSUMING):
            sys.exit(1)

    def _submit(self, path: Path, dataset: str, layout: str) -> Import:
        control.check_queue(datasets.get(dataset))
        with path.open("rb") as stream:
            file = uploads.keep(owner=None, name=path.name, stream=stream)
        try:
            decision = unattended.decide(file, unattended.Wish(dataset, layout))
        except ImportProblem:
            uploads.give_up(file.public_id)
            raise
        if decision.note:
            self.stderr.write(decision.note)
        chosen = replace(decision.options, queue=True)
        return control.submit(file, dataset, owner=None, options=chosen, layout=decision.kind.layout_name)

    def _run(self, run: Import) -> None:
        """Send it here; when a worker was quicker, wait for that."""
        runner.run(run.pk)
        run.refresh_from_db()
        while run.state not in FINAL | {State.CONSUMING}:
            time.sleep(0.5)
            sweep.revive()
            if run.state == State.QUEUED:
                runner.run(run.pk)
            run.refresh_from_db()

    def _wait(self, run: Import) -> None:
        while run.state not in FINAL:
            results.look()
            time.sleep(0.2)
            run.refresh_from_db()

    def _tell(self, run: Import) -> None:
        if run.state == State.FAILED:
            self.stdout.write(f"Failed: {run.error}")
            return
        remaining = max(0, run.lines - run.counted)
        seconds = run.seconds.get(State.PUBLISHING, 0.0)
        self.stdout.write(
            f"{State(run.state).label}: {run.lines:,} lines; {run.published:,} sent in {seconds:.1f} s"
            f" ({run.published / max(seconds, 0.001):,.0f} rows/s), {run.created:,} created, {run.unchanged:,} unchanged,"
            f" {run.rejected:,} rejected, {remaining:,} on their way. Import {run.public_id}."
        )
