"""Real consumers, several at once, killed on the way: the file of 11,000 people ends the same way every time."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from contacts.models import Person
from importer import results, runner
from importer.loaders.queue import QueueLoader
from importer.models import Import, Inbox
from importer.options import Options
from importer.states import State
from tests.importer.workers import ROOT, worker_env
from tests.throwaway import restart_broker

FILE = Path(__file__).parent.parent / "files" / "people-no-header.csv"
NO_HEADING = {"kind": "csv", "heading": False}
PLACES = {"name": 0, "email": 1}


class Consumers:
    """Processes of `manage.py consume_rows people`; each that is killed is started again."""

    def __init__(self, folder: Path, number: int, **more: str) -> None:
        self.env = worker_env(settings.BROKER_URL) | {
            "LOADIFY_QUEUE_PREFIX": settings.LOADIFY_QUEUE_PREFIX,
            "LOADIFY_QUEUE_RETURN": str(settings.LOADIFY_QUEUE_RETURN),
            **more,
        }
        self.log = folder / "consumers.log"
        self.processes = [self._start() for _ in range(number)]

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", "consume_rows", "people", "--batch", "100", "--wait", "0.2"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)

    def kill_one(self) -> None:
        place = random.randrange(len(self.processes))
        self.processes[place].send_signal(signal.SIGKILL)
        self.processes[place].wait()
        self.processes[place] = self._start()

    def __enter__(self) -> "Consumers":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


def send_twice(submit: Callable[..., Import], monkeypatch: pytest.MonkeyPatch, content: bytes = FILE.read_bytes()) -> Import:
    """Publish the whole file, every message twice under one import."""
    copy = QueueLoader.copy

    def copy_twice(self: QueueLoader, batch: Any) -> None:
        copy(self, batch)
        copy(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(QueueLoader, "copy", copy_twice)
        chosen = Options(queue=True, places=PLACES, format=NO_HEADING)
        run = submit(content, "people", "people.csv", options=chosen)
        runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.published) == (State.CONSUMING, len(content.splitlines())), run.error
    return run


@pytest.mark.slow
@pytest.mark.parametrize("queue_broker", ["redis", "rabbitmq"], indirect=True)
def test_eleven_thousand_people_whoever_is_killed(queue_broker, submit, monkeypatch, tmp_path):
    run = send_twice(submit, monkeypatch)
    kills = 0
    with Consumers(tmp_path, 3) as consumers:
        until = time.monotonic() + 150
        while run.state != State.DONE:
            stored = Inbox.objects.count()
            if kills < 5 and kills * 1_000 < stored < 11_273:
                consumers.kill_one()
                kills += 1
            elif kills == 5 or stored == 11_273:
                # Not earlier: collecting goes on for as long as consumers send.
                results.collect()
            run.refresh_from_db()
            said = consumers.log.read_text()[-3000:]
            assert time.monotonic() < until, f"{stored} stored, {run.counted} counted. {said}"
            time.sleep(0.02)
        # What was delivered twice is still on its way, and changes nothing.
        assert all(process.poll() is None for process in consumers.processes), consumers.log.read_text()[-3000:]
    results.collect()
    run.refresh_from_db()
    assert kills >= 3
    assert (run.lines, run.created, run.unchanged, run.rejected) == (11_273, 11_000, 273, 0)
    assert Person.objects.count() == Person.objects.values("email_key").distinct().count() == 11_000
    assert Inbox.objects.filter(run=run.public_id).count() == 11_273


@pytest.mark.slow
@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_consumers_come_back_when_the_broker_does(queue_broker, submit, monkeypatch, tmp_path):
    run = send_twice(submit, monkeypatch)
    with Consumers(tmp_path, 2) as consumers:
        until = time.monotonic() + 120
        restarted = False
        while run.state != State.DONE:
            if not restarted and Inbox.objects.count() > 1_000:
                restart_broker()
                restarted = True
            results.look()
            run.refresh_from_db()
            assert time.monotonic() < until, f"{run.counted} counted. {consumers.log.read_text()[-3000:]}"
            time.sleep(0.1)
        assert restarted
        assert all(process.poll() is None for process in consumers.processes), consumers.log.read_text()[-3000:]
    assert (run.created, run.unchanged, run.rejected) == (11_000, 273, 0)
    assert Person.objects.count() == 11_000
