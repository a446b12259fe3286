"""`python -m bench.timed_import FILE`: one import of products, timed from submit to done, printed as one JSON object.

The file is in storage before the clock starts. The import runs in this process, by the same call that a worker makes;
with --by-worker a Celery worker runs it, and this process only waits.
"""

import argparse
import json
import os
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
django.setup()

# The models can only be imported after Django is set up.
from importer import control, runner  # noqa: E402
from importer.intake import uploads  # noqa: E402
from importer.models import Import  # noqa: E402
from importer.options import Options  # noqa: E402
from importer.states import FINAL, State  # noqa: E402

COUNTS = ("lines", "created", "updated", "unchanged", "superseded", "held", "rejected")


def timed_import(path: Path, *, by_worker: bool) -> tuple[Import, float]:
    """Import the file; returns the import and the seconds from just before submit to just after its end."""
    with path.open("rb") as stream:
        file = uploads.keep(owner=None, name=path.name, stream=stream)
    began = time.perf_counter()
    run = control.submit(file, "products", owner=None, options=Options(unasked=True))
    if not by_worker:
        runner.run(run.pk)
    run.refresh_from_db()
    while by_worker and run.state not in FINAL:
        time.sleep(0.1)
        run.refresh_from_db()
    return run, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--by-worker", action="store_true")
    options = parser.parse_args()
    run, seconds = timed_import(options.file, by_worker=options.by_worker)
    counts = {name: getattr(run, name) for name in COUNTS}
    print(json.dumps({"seconds": round(seconds, 3), "phases": run.seconds, **counts}))
    if run.state != State.DONE:
        raise SystemExit(f"The import ended as {run.state}: {run.error}")


if __name__ == "__main__":
    main()
