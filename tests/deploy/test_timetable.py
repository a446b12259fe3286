"""Of two beats exactly one acts; when it goes, however it goes, the other one does."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import connection

from importer.models import Lease
from tests.importer.workers import ROOT, wait_for, worker_env

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Beat:
    """A beat as Procfile starts it; `sent` says when it sent tasks, in seconds of one clock for all."""

    def __init__(self, log: Path) -> None:
        self.log = log
        argv = [sys.executable, "-m", "celery", "-A", "loadify", "beat", "--loglevel", "INFO", "--pidfile="]
        with log.open("wb") as output:
            self.process = subprocess.Popen(argv, cwd=ROOT, env=worker_env(), stdout=output, stderr=output)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def sent(self) -> list[float]:
        times = re.findall(r"(\d+):(\d+):(\d+),(\d+).*Sending due task", self.said())
        return [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in times]


@contextmanager
def beat(log: Path) -> Iterator[Beat]:
    started = Beat(log)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def test_one_beat_acts_and_another_takes_over(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(beat(tmp_path / name)) for name in ("first", "second"))
        wait_for(lambda: first.sent() or second.sent(), 60)
        acting, waiting = (first, second) if first.sent() else (second, first)
        wait_for(lambda: "This beat stands by." in waiting.said(), 60)
        assert Lease.objects.get().name == "beat"
        # A beat that was frozen finds on waking that another acts.
        os.kill(acting.process.pid, signal.SIGSTOP)
        frozen_at = time.monotonic()
        wait_for(waiting.sent, 10)
        assert 2 < time.monotonic() - frozen_at < 6
        os.kill(acting.process.pid, signal.SIGCONT)
        wait_for(lambda: acting.said().count("This beat stands by.") == 1, 10)
        assert max(acting.sent()) < min(waiting.sent())
        # One that leaves in order is not waited for, and comes back as the one who stands by.
        count, left_at = len(acting.sent()), time.monotonic()
        waiting.process.send_signal(signal.SIGTERM)
        assert waiting.process.wait(10) == 0
        wait_for(lambda: len(acting.sent()) > count, 10)
        assert time.monotonic() - left_at < 2.5
        # Killed, it is waited for until its lease has run out.
        third = stack.enter_context(beat(tmp_path / "third"))
        wait_for(lambda: "This beat stands by." in third.said(), 60)
        acting.process.kill()
        killed_at = time.monotonic()
        wait_for(third.sent, 10)
        assert time.monotonic() - killed_at < 6
        assert max(acting.sent()) < min(third.sent())
        # Without the database nobody acts, and nobody dies.
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE importer_lease RENAME TO importer_lease_away")
            try:
                wait_for(lambda: third.said().count("This beat stands by.") == 2, 10)
            finally:
                cursor.execute("ALTER TABLE importer_lease_away RENAME TO importer_lease")
        wait_for(lambda: third.said().count("This beat acts.") == 2, 10)
        assert third.process.poll() is None
