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


@pytest.fixture
def beats(tmp_path: Path) -> Iterator[tuple[Beat, Beat]]:
    """The one that acts, and the one that stands by."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(beat(tmp_path / name)) for name in ("first", "second"))
        wait_for(lambda: first.sent() or second.sent(), 60)
        acting, waiting = (first, second) if first.sent() else (second, first)
        wait_for(lambda: "This beat stands by." in waiting.said(), 60)
        assert Lease.objects.get().name == "beat"
        yield acting, waiting


def test_one_beat_acts_and_the_other_takes_over_when_it_is_killed(beats: tuple[Beat, Beat]) -> None:
    acting, waiting = beats
    time.sleep(2)
    assert waiting.sent() == []
    acting.process.kill()
    killed_at = time.monotonic()
    wait_for(waiting.sent, 10)
    assert 2 < time.monotonic() - killed_at < 6
    assert max(acting.sent()) < min(waiting.sent())
    # Without its table, as without the database, it does not act, and does not die.
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE importer_lease RENAME TO importer_lease_away")
        try:
            wait_for(lambda: waiting.said().count("This beat stands by.") == 2, 10)
        finally:
            cursor.execute("ALTER TABLE importer_lease_away RENAME TO importer_lease")
    wait_for(lambda: waiting.said().count("This beat acts.") == 2, 10)
    assert waiting.process.poll() is None


@pytest.mark.whole
def test_a_frozen_beat_wakes_to_another_and_one_that_leaves_is_not_waited_for(
    beats: tuple[Beat, Beat],
) -> None:
    acting, waiting = beats
    os.kill(acting.process.pid, signal.SIGSTOP)
    wait_for(waiting.sent, 10)
    os.kill(acting.process.pid, signal.SIGCONT)
    wait_for(lambda: acting.said().count("This beat stands by.") == 1, 10)
    assert max(acting.sent()) < min(waiting.sent())
    count, left_at = len(acting.sent()), time.monotonic()
    waiting.process.send_signal(signal.SIGTERM)
    assert waiting.process.wait(10) == 0
    wait_for(lambda: len(acting.sent()) > count, 10)
    assert time.monotonic() - left_at < 3
