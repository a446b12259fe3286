"""One import at a time changes a dataset; what the timetable finds and mends."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from importer import control, locks, sweep
from importer.attempt import Attempt
from importer.heart import Heart, Interrupted, Lost
from importer.loaders import search_indexes, work_tables
from importer.models import DatasetLock, Heartbeat, Import, StoredFile
from importer.states import State
from tests.importer.conftest import query

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hinted(monkeypatch) -> list[int]:
    sent: list[int] = []
    monkeypatch.setattr("importer.runner.hint", sent.append)
    return sent


def make(state: State = State.QUEUED, **fields) -> Import:
    file = StoredFile.objects.create(name="a.csv", size=1)
    return Import.objects.create(file=file, dataset="products", state=state, **fields)


def test_the_lock_goes_to_one_and_is_given_back():
    first, second = make(), make()
    assert locks.take(first)
    assert locks.take(first), "again, for the next attempt"
    assert not locks.take(second)
    locks.release(second)
    assert not locks.take(second), "who does not hold it cannot give it back"
    locks.release(first)
    assert locks.take(second)


def test_the_lock_of_an_import_that_ended_is_free():
    first, second = make(), make()
    assert locks.take(first)
    Import.objects.filter(pk=first.pk).update(state=State.FAILED)
    assert locks.take(second)


def test_who_waits_longer_comes_first():
    holder, early, late = make(), make(State.WAITING), make(State.WAITING)
    assert locks.take(holder)
    assert locks.next_waiting("products") is None
    locks.release(holder)
    assert not locks.take(late)
    assert locks.next_waiting("products") == early.pk
    assert locks.take(early)


def test_a_persons_lock_holds_until_its_lease_ends():
    DatasetLock.objects.create(dataset="products", holder="somebody", lease_until=timezone.now() + timedelta(minutes=1))
    run = make()
    assert not locks.take(run)
    DatasetLock.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert locks.take(run)


def test_the_sweep_wakes_the_queued_and_the_first_in_line(hinted):
    queued, first, _ = make(), make(State.WAITING), make(State.WAITING)
    sweep.sweep()
    assert sorted(hinted) == [queued.pk, first.pk]


def test_the_sweep_leaves_the_living_alone_and_queues_the_dead(hinted):
    alive, dead = make(), make()
    for run in (alive, dead):
        assert Attempt.claim(run.pk) is not None
    Heartbeat.objects.filter(run=dead).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep.sweep()
    states = dict(Import.objects.values_list("pk", "state"))
    assert states == {alive.pk: State.STAGING, dead.pk: State.QUEUED}
    assert hinted == [dead.pk]


def test_a_heart_does_not_take_up_a_lease_that_ran_out():
    attempt = Attempt.claim(make().pk)
    heart = Heart(attempt.run.pk, attempt.run.attempt)
    heart._once()
    assert not heart.lost
    late = timezone.now() - timedelta(seconds=1)
    Heartbeat.objects.update(lease_until=late)
    heart._once()
    assert heart.lost
    assert Heartbeat.objects.get().lease_until == late
    with pytest.raises(Lost):
        heart.check()


def test_a_heart_hears_what_people_want():
    attempt = Attempt.claim(make().pk)
    heart = Heart(attempt.run.pk, attempt.run.attempt)
    Import.objects.update(wanted=Import.Wanted.YIELD)
    heart._once()
    with pytest.raises(Interrupted, match="yield"):
        heart.check()


def test_the_sweep_builds_search_indexes_that_an_import_left_missing():
    before = search_indexes.found("products_product")
    with connection.cursor() as cursor:
        for name, _, _ in before:
            cursor.execute(f'DROP INDEX "{name}"')
    run = make(State.FAILED)
    DatasetLock.objects.create(
        dataset="products", run=run, missing_indexes=[[name, definition] for name, definition, _ in before]
    )
    sweep.sweep()
    assert search_indexes.found("products_product") == before
    assert DatasetLock.objects.get().missing_indexes == []


def test_tidying_drops_the_work_tables_that_nobody_needs():
    running, failed, old, ended = make(), make(State.FAILED), make(State.FAILED), make(State.DONE)
    Import.objects.filter(pk=failed.pk).update(finished_at=timezone.now())
    Import.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=8))
    tables = [f"importer_stage_{run.pk}" for run in (running, failed, old, ended)] + ["importer_plan_999999"]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"CREATE TABLE {table} ()")
    sweep.tidy()
    left = {name for (name,) in query("SELECT relname FROM pg_class WHERE relname ~ '^importer_(stage|plan)_'")}
    assert left == {f"importer_stage_{running.pk}", f"importer_stage_{failed.pk}"}
    for table in left:
        query(f"DROP TABLE {table}; SELECT 1")


def test_the_work_tables_of_an_import_that_is_tried_again_in_the_last_moment_are_kept(monkeypatch):
    runs = [make(State.FAILED), make(State.FAILED)]
    Import.objects.filter(pk__in=[run.pk for run in runs]).update(finished_at=timezone.now() - timedelta(days=8))
    for run in runs:
        query(f"CREATE TABLE importer_stage_{run.pk} (); SELECT 1")
    drop = work_tables.drop
    monkeypatch.setattr(work_tables, "drop", lambda run_id: (control.retry(runs[1], None), drop(run_id)))
    sweep.tidy()
    assert [work_tables.exist(run.pk) for run in runs] == [False, True]
    query(f"DROP TABLE importer_stage_{runs[1].pk}; SELECT 1")


def test_a_work_table_that_a_frozen_worker_holds_is_dropped_later(caplog):
    run = make(State.DONE)
    other = connection.copy()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE importer_stage_{run.pk} ()")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE importer_stage_{run.pk} IN ROW EXCLUSIVE MODE")
        sweep.tidy()
        assert "they are dropped later" in caplog.text
        assert run.pk in work_tables.found()
    finally:
        other.close()
    sweep.tidy()
    assert run.pk not in work_tables.found()


def test_a_plan_of_which_nothing_was_written_is_made_anew():
    lanes = {"0": [0, 0, 50], "1": [0, 50, 100]}
    run = make(checkpoint={"v": 1, "phase": State.APPLYING, "lanes": lanes})
    assert Attempt.claim(run.pk).run.state == State.COMPARING
    run = make(checkpoint={"v": 1, "phase": State.APPLYING, "lanes": lanes | {"1": [20, 50, 100]}})
    assert Attempt.claim(run.pk).run.state == State.APPLYING
