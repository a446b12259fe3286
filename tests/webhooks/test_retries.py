"""Receivers whose last try failed are served apart: what hangs there takes no thread from new deliveries to the others."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from loadify.celery import app
from loadify.supervisor import programs
from tests.importer.workers import Workers, wait_for
from tests.webhooks.conftest import happen, make_due
from tests.webhooks.plays import answer, hang
from tests.webhooks.receiver import Receiver
from webhooks import claims, delivery, hints, tasks
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LINGER", 0.0)


@contextmanager
def coordinators() -> Iterator[None]:
    """Both coordinators of a worker, called again whenever they have nothing to do, as the timetable does."""
    stop = threading.Event()

    def work(failing: bool) -> None:
        while not stop.wait(delivery.POLL):
            delivery.Coordinator(stop, failing=failing).run()
        connection.close()

    threads = [threading.Thread(target=work, args=(failing,)) for failing in (False, True)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def test_retries_that_hang_take_no_thread_from_new_deliveries(
    endpoint, receiver: Receiver, hinted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "DEADLINE", 3.0)
    monkeypatch.setattr(delivery, "FAREWELL", 0.1)
    sick = [f"/sick/{number}" for number in range(40)]
    for path in sick:
        endpoint(path, "thing.changed")
        receiver.plays[path] = answer(500)
    endpoint("/well", "thing.gone")
    happen()
    with coordinators():
        receiver.wait_for(40)
        wait_for(lambda: Endpoint.objects.filter(failures=1).count() == 40, 10)
    receiver.plays |= dict.fromkeys(sick, hang)
    make_due()
    with coordinators():
        receiver.wait_for(40 + delivery.THREADS)
        began = time.monotonic()
        happen("thing.gone")
        wait_for(lambda: receiver.at("/well"), 10)
        # Nobody has given up yet: every thread for retries is taken.
        assert not Endpoint.objects.filter(failures=2).exists()
    assert receiver.at("/well")[0].at - began < 1
    assert len(receiver.requests) == 40 + delivery.THREADS + 1


def test_a_claim_takes_of_failing_receivers_or_of_the_others(endpoint, hinted: list[str]) -> None:
    well, sick = endpoint("/well"), endpoint("/sick")
    Endpoint.objects.filter(pk=sick.pk).update(failures=1)
    for _ in range(3):
        happen()
    assert [one.endpoint_id for one in claims.claim(64, failing=False)] == [well.pk, well.pk]
    assert [one.endpoint_id for one in claims.claim(64, failing=True)] == [sick.pk]
    assert claims.claim(64, failing=False) == claims.claim(64, failing=True) == []


def test_receiver_that_changes_sides_is_made_known_to_the_other_coordinator(endpoint, hinted: list[str]) -> None:
    endpoint("/500")
    happen()
    hinted.clear()
    assert [serve(failing=False), hinted] == [1, [hints.RETRY]]
    make_due()
    hinted.clear()
    assert [serve(failing=True), hinted] == [1, []]
    Endpoint.objects.update(url=Endpoint.objects.get().url.removesuffix("/500") + "/200")
    make_due()
    assert [serve(failing=True), hinted] == [1, [hints.DELIVER]]
    happen()
    hinted.clear()
    assert [serve(failing=False), hinted] == [1, []]


def test_a_worker_has_one_coordinator_of_each_kind(endpoint, receiver: Receiver, hinted: list[str]) -> None:
    """Of two hints of a kind the second ends at once; the other kind is served all the same."""
    endpoint("/well")
    happen()
    with tasks._one[False]:
        tasks.deliver()
        assert receiver.requests == []
        Endpoint.objects.update(failures=1)
        tasks.retry()
        assert len(receiver.requests) == 1
    Endpoint.objects.update(failures=1)
    happen()
    with tasks._one[True]:
        tasks.retry()
        assert len(receiver.requests) == 1


def test_the_process_webhooks_listens_to_all_queues_but_that_of_imports() -> None:
    argv = next(program.argv for program in programs(0) if program.name == "webhooks")
    queues = argv[argv.index("--queues") + 1].split(",")
    assert set(queues) == {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert argv[argv.index("--concurrency") + 1] == str(len(queues))
    app.loader.import_default_modules()
    assert settings.CELERY_TASK_ROUTES.keys() <= app.tasks.keys()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} >= {hints.DELIVER, hints.RETRY}


@pytest.mark.slow
@pytest.mark.whole
def test_workers_of_each_queue_hand_a_receiver_over_without_the_timetable(
    endpoint, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADIFY_WEBHOOK_ALLOW_PRIVATE", "1")
    endpoint("/")
    receiver.play = lambda request: answer(500 if len(receiver.requests) <= 2 else 200)
    with (
        Workers(tmp_path, options=("--queues", "webhooks", "--pool", "threads", "--concurrency", "1")) as first,
        Workers(tmp_path, options=("--queues", "retries", "--pool", "threads", "--concurrency", "1")) as again,
    ):
        for _ in range(4):
            happen()
        wait_for(lambda: Delivery.objects.filter(state="delivered").count() == 2, 30, lambda: first.said() + again.said())


def serve(*, failing: bool) -> int:
    return delivery.Coordinator(threading.Event(), failing=failing).run()
