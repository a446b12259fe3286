"""`manage.py import_file DATASET FILE`: the same import as the page's, in this process."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from importer import control, datasets, locks, runner, sweep
from importer.intake import uploads
from importer.models import Import
from importer.options import Options
from importer.states import FINAL, State
from importer.values import ImportProblem

BUCKETS = ("created", "updated", "unchanged", "superseded", "held", "rejected")


class Command(BaseCommand):
    help = "Import FILE into DATASET in this process, and print counts and seconds for each phase."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="what the rows are, for example products")
        parser.add_argument("file", type=Path)
        parser.add_argument("--yes", action="store_true", help="write without waiting for a review, whatever the warnings say")
        parser.add_argument("--json", action="store_true", help="print one JSON object for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            datasets.get(options["dataset"])
            with path.open("rb") as stream:
                file = uploads.keep(owner=None, name=path.name, stream=stream)
            run = control.submit(file, options["dataset"], owner=None, options=Options(unasked=options["yes"]))
        except OSError as problem:
            raise CommandError(f"{path} cannot be read: {problem.strerror}.") from problem
        except KeyError as problem:
            raise CommandError(str(problem.args[0])) from problem
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        self._run(run)
        self.stdout.write(json.dumps(self._report(run)) if options["json"] else self._words(run))
        if run.state != State.DONE:
            sys.exit(1)

    def _run(self, run: Import) -> None:
        """Run it here; when a worker was quicker or another import has the dataset, wait."""
        runner.run(run.pk)
        run.refresh_from_db()
        while run.state not in FINAL | {State.REVIEW}:
            time.sleep(0.5)
            sweep.revive()
            if run.state == State.QUEUED or (run.state == State.WAITING and locks.next_waiting(run.dataset) == run.pk):
                runner.run(run.pk)
            run.refresh_from_db()

    def _report(self, run: Import) -> dict[str, Any]:
        assert run.started_at is not None
        ended = run.finished_at or timezone.now()
        return {
            "id": str(run.public_id),
            "dataset": run.dataset,
            "state": run.state,
            "error": run.error,
            "lines": run.lines,
            **{name: getattr(run, name) for name in BUCKETS},
            "seconds": round((ended - run.queued_at).total_seconds(), 3),
            "phases": {state.value: run.seconds[state] for state in State if state in run.seconds},
        }

    def _words(self, run: Import) -> str:
        if run.state == State.REVIEW:
            return self._waits(run)
        report = self._report(run)
        counts = ", ".join(f"{report[name]:,} {name}" for name in BUCKETS if report[name] or name in ("created", "updated"))
        phases = ", ".join(f"{State(name).label.lower()} {seconds:.1f} s" for name, seconds in report["phases"].items())
        text = [
            f"{State(run.state).label}: {run.lines:,} lines = {counts}, in {report['seconds']:.1f} s"
            f" ({run.lines / max(report['seconds'], 0.001):,.0f} rows/s).",
            f"Phases: {phases}.",
        ]
        if run.error:
            text.append(run.error)
        rejects = run.rejects.order_by("line")[:20]
        text += [reject.reason for reject in rejects]
        if run.rejected > len(rejects):
            text.append(f"… and {run.rejected - len(rejects):,} more rejected lines.")
        return "\n".join(text)

    def _waits(self, run: Import) -> str:
        counts = run.review["counts"]
        names = ("to_create", "to_update", "to_hold", "unchanged", "superseded", "rejected")
        found = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names if counts[name] or name != "to_hold")
        address = f"{settings.LOADIFY_URL}{reverse('import-review', args=[run.public_id])}"
        return "\n".join(
            [
                f"Nothing was written yet: {run.lines:,} lines = {found}.",
                *(warning["sentence"] for warning in run.review["warnings"]),
                f"Look at it and let it go on: {address}",
                "Or cancel it there, and import the file with --yes.",
            ]
        )
