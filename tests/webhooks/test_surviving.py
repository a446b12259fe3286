"""Nothing is lost when the broker or the worker goes away, and nothing is sent of what was rolled back."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from loadify import servers
from loadify.embedded import free_port
from loadify.processes import Process
from tests.importer.workers import ROOT, Workers, wait_for, worker_env
from tests.webhooks.conftest import happen
from tests.webhooks.plays import answer, delayed
from tests.webhooks.receiver import Receiver
from webhooks.models import Delivery, Event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

OPTIONS = ("--queues", "webhooks", "--pool", "threads", "--concurrency", "1")


@pytest.fixture(autouse=True)
def _private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADIFY_WEBHOOK_ALLOW_PRIVATE", "1")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[str, list[Process]]]:
    """The address of a broker of its own, and its process, to be stopped and started again."""
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    running = [servers.valkey(tmp_path, url)]
    yield url, running
    running[-1].stop()


@pytest.fixture
def beat(broker: tuple[str, list[Process]], tmp_path: Path) -> Iterator[None]:
    argv = [sys.executable, "-m", "celery", "-A", "loadify", "beat", "--pidfile="]
    with (tmp_path / "beat.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, env=worker_env(broker[0]), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        yield
        process.kill()
        process.wait()


def arrived(receiver: Receiver) -> set[str]:
    return {got.headers["webhook-id"] for got in receiver.requests}


def known() -> set[str]:
    return set(Event.objects.values_list("message_id", flat=True))


@pytest.mark.usefixtures("beat")
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_broker_that_is_away_during_edits_loses_no_event_and_delays_no_edit(
    endpoint, receiver: Receiver, broker: tuple[str, list[Process]], tmp_path: Path, how: str
) -> None:
    url, running = broker
    endpoint("/")
    with Workers(tmp_path, url, options=OPTIONS) as worker:
        editing = subprocess.Popen(
            [sys.executable, "-m", "tests.webhooks.editing", "100", "5"], cwd=ROOT, env=worker_env(url), stdout=subprocess.PIPE
        )
        receiver.wait_for(20, 30)
        signum = signal.SIGKILL if how == "killed" else signal.SIGSTOP
        os.kill(running[-1].pid, signum)
        printed, _ = editing.communicate(timeout=60)
        assert editing.returncode == 0
        assert Event.objects.count() == 100
        if how == "killed":
            wait_for(running[-1].ended, 5)
            running.append(servers.valkey(tmp_path, url))
        else:
            os.kill(running[-1].pid, signal.SIGCONT)
        wait_for(lambda: arrived(receiver) == known(), 60, worker.said)
    # An edit that waited for the broker would have waited for seconds.
    assert float(printed) < 3
    assert all(got.verified for got in receiver.requests)


def test_worker_killed_while_posting_loses_nothing_and_receivers_tell_copies_by_their_id(
    endpoint, receiver: Receiver, tmp_path: Path
) -> None:
    for number in range(5):
        endpoint(f"/{number}")
        receiver.plays[f"/{number}"] = delayed(0.2, answer())
    for _ in range(12):
        happen()
    with Workers(tmp_path, options=OPTIONS) as worker:
        receiver.wait_for(13, 60)
        assert worker.process is not None
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
    time.sleep(0.3)
    leased = Delivery.objects.filter(state="due", lease_until__gt=timezone.now())
    under_way = leased.count()
    assert 0 < under_way <= 10
    # Their minute passes.
    leased.update(lease_until=timezone.now())
    with Workers(tmp_path, options=OPTIONS) as worker:
        happen()
        wait_for(lambda: not Delivery.objects.filter(state="due").exists(), 60, worker.said)
    copies = Counter((got.path, got.headers["webhook-id"]) for got in receiver.requests)
    assert len(copies) == 5 * 13
    assert 0 < sum(copies.values()) - len(copies) <= under_way
    assert all(got.verified for got in receiver.requests)


def test_nothing_is_sent_before_the_commit_and_nothing_of_what_is_rolled_back(
    endpoint, receiver: Receiver, tmp_path: Path
) -> None:
    endpoint("/")
    with Workers(tmp_path, options=OPTIONS) as worker:
        happen()
        receiver.wait_for(1, 30)
        with transaction.atomic():
            late = happen()
            time.sleep(1.5)
            assert len(receiver.requests) == 1
        wait_for(lambda: late.message_id in arrived(receiver), 10, worker.said)
        with transaction.atomic():
            happen()
            transaction.set_rollback(True)
        time.sleep(1)
    assert arrived(receiver) == known()
    assert len(receiver.requests) == 2
    connection.close()
