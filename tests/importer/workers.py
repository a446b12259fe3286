"""Real Celery workers on the tests' database, to be killed, frozen and shut down."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from importer import control, sweep
from importer.intake import uploads
from importer.models import Change, Heartbeat, Import
from importer.options import Options
from importer.states import FINAL
from products.models import Product
from products.samples import sample as sample_records

ROOT = Path(__file__).resolve().parents[2]
LEASE = 2
#: As in Procfile.
QUIET = ("--without-mingle", "--without-gossip")
COUNTERS = ("lines", "created", "updated", "unchanged", "superseded", "held", "rejected")


def worker_env(broker: str | None = None, lease: int = LEASE) -> dict[str, str]:
    """The environment of a process that works on the tests' database."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "loadify.settings",
        "DATABASE_URL": url._replace(path="/" + str(connection.settings_dict["NAME"])).geturl(),
        "BROKER_URL": broker or settings.BROKER_URL,
        "LOADIFY_LEASE": str(lease),
    }


class Workers:
    """A worker with its pool, as Procfile starts it. `with` stops it at the end, however the test went."""

    def __init__(self, folder: Path, broker: str | None = None, lease: int = LEASE, options: Sequence[str] = ()) -> None:
        self.env = worker_env(broker, lease)
        self.options = options
        self.log = folder / f"worker-{time.monotonic_ns()}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Workers":
        self._start()
        return self

    def revive(self) -> None:
        """Start it again if it ended, as bin/up does: with the broker away, kombu's Redis transport may end it (seen)."""
        if self.process is not None and self.process.poll() is not None:
            self.log = self.log.with_name(f"worker-{time.monotonic_ns()}.log")
            self._start()

    def _start(self) -> None:
        with self.log.open("wb") as log:
            name = f"test{os.urandom(3).hex()}@%h"
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "celery",
                    "-A",
                    "loadify",
                    "worker",
                    "--loglevel",
                    "info",
                    "-n",
                    name,
                    *QUIET,
                    *self.options,
                ],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: "ready." in self.said(), 60, self.said)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def wait_for(condition: Callable[[], object], seconds: float, told: Callable[[], object] = lambda: "") -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"Waited {seconds} s in vain. {told()}"
        time.sleep(0.004)


def at_work(run: Import) -> int:
    """The process id that has the import."""
    return int(Heartbeat.objects.get(run=run).worker.rsplit(":", 1)[1])


def finish(run: Import, seconds: float = 90, told: Callable[[], object] = lambda: "") -> Import:
    """Play the timetable until the import ends."""
    end = time.monotonic() + seconds
    while run.state not in FINAL:
        assert time.monotonic() < end, f"{run.state} after {seconds} s. {told()}"
        sweep.sweep()
        time.sleep(0.3)
        run.refresh_from_db()
    return run


def write_sample(path: Path, rows: int) -> Path:
    """A sample file with a bad line in every hundred."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, record in enumerate(sample_records(rows, random.Random(7))):
            cells = record[:2] if number % 100 == 50 else record
            file.write(",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n")
    return path


def submit(path: Path) -> Import:
    with path.open("rb") as stream:
        file = uploads.keep(None, path.name, stream)
    return control.submit(file, "products", owner=None, options=Options(unasked=True))


def outcome(run: Import) -> tuple[object, ...]:
    """All that an import leaves behind, but for ids and moments."""
    rows = list(Product.objects.order_by("sku_key").values_list("sku", "name", "description", "active"))
    changes = sorted(Change.objects.filter(run=run).values_list("line", "kind"))
    keys = dict(Product.objects.values_list("pk", "sku_key"))
    of_rows = sorted(keys[row] for row in Change.objects.filter(run=run).values_list("row_id", flat=True))
    return [getattr(run, n) for n in COUNTERS], rows, changes, of_rows, sorted(run.rejects.values_list("line", "reason"))


def clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products_product")
