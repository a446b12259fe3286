"""Workers that are shut down give their imports back; an import is claimed once, and not for ever."""

import signal
import time

import pytest
from celery import current_app
from django.db import transaction

from importer import runner, sweep
from importer.attempt import Attempt
from importer.models import Heartbeat, Import
from importer.states import State
from tests.importer.workers import Workers, clear, finish, outcome, submit, wait_for, write_sample

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROWS = 40_000


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample") / "products.csv", ROWS)


def test_shutting_a_worker_down_gives_its_import_back(tmp_path):
    sample = write_sample(tmp_path / "large.csv", 2 * ROWS)
    with Workers(tmp_path) as workers:
        run = submit(sample)
        wait_for(lambda: Import.objects.filter(pk=run.pk, state=State.STAGING, lines__gt=0).exists(), 60, workers.said)
        workers.process.send_signal(signal.SIGTERM)
        workers.process.wait(10)
        assert "is given back to the queue (yield)" in workers.said()
    with Workers(tmp_path) as workers:
        assert finish(run, told=workers.said).state == State.DONE
    result = outcome(run)
    clear()
    again = submit(sample)
    runner.run(again.pk)
    again.refresh_from_db()
    assert outcome(again) == result


def test_an_import_is_claimed_once(sample):
    run = submit(sample)
    assert Attempt.claim(run.pk).run.attempt == 1
    assert Attempt.claim(run.pk) is None


def test_a_worker_takes_no_more_imports_than_it_may_however_close_their_hints_are(sample, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(runner, "hint", lambda pk: None)
        runs = [submit(sample).pk for _ in range(3)]
    # Hints of other tests that nobody has heard.
    current_app.control.purge()
    with Workers(tmp_path) as workers:
        with transaction.atomic():
            # Nobody can claim one of them before all three processes of the worker had time to look.
            list(Import.objects.select_for_update().order_by("pk"))
            for pk in runs:
                runner.hint(pk)
            wait_for(lambda: workers.said().count("Task importer.run") == 3, 30, workers.said)
            time.sleep(1)
        # The first task to end is the one that found the worker's hands full, or the first import.
        wait_for(lambda: "succeeded in" in workers.said(), 60, workers.said)
        assert sorted(Import.objects.values_list("attempt", flat=True)) == [0, 1, 1]
        # One that stops half-way leaves the next test without search indexes.
        for run in Import.objects.order_by("pk"):
            assert finish(run, told=workers.said).state == State.DONE


def test_workers_that_keep_dying_at_one_place_are_not_sent_for_ever(sample):
    run = submit(sample)
    for _ in range(sweep.DEATHS):
        assert Attempt.claim(run.pk) is not None
        Heartbeat.objects.filter(run=run).update(lease_until="2020-01-01T00:00Z")
        sweep.revive()
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "5 workers died" in run.error
