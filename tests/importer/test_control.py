"""Pause, resume, cancel, roll back, retry: in every state, pressed twice, and by two people at once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from importer import control, lanes, runner, sweep
from importer.models import DatasetLock, Import
from importer.readers.csv_rows import CsvRows
from importer.states import FINAL, State
from products.models import Product

ROWS = "sku,name,description\n" + "".join(f"s{i:02},n,d\n" for i in range(12))
WRONG = "sku,name,description\na,One\n"


def press_during(monkeypatch, phase: str, press) -> None:
    """Let `press(run)` happen when the import has done one step of `phase` and is at its next."""
    name = {"staging": "_stage_batch", "applying": "_apply_bucket", "comparing": "_compare", "indexing": "_index"}[phase]
    whole = getattr(runner.Runner, name)
    calls = []

    def pressed(self, *args):
        calls.append(args)
        if len(calls) == (2 if phase in ("staging", "applying") else 1):
            press(Import.objects.get(pk=self.run.pk))
            self.attempt.heart._once()
        return whole(self, *args)

    monkeypatch.setattr(runner.Runner, name, pressed)


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(runner, "CHUNK", 4)
    monkeypatch.setattr(runner, "BUCKET", 5)
    monkeypatch.setattr(lanes, "BUCKET", 5)
    monkeypatch.setattr(lanes, "LANES", 1)


def go(run: Import) -> Import:
    runner.run(run.pk)
    run.refresh_from_db()
    return run


@pytest.mark.parametrize("phase", ["staging", "comparing", "applying", "indexing"])
def test_pause_frees_the_worker_and_resume_goes_on(submit, monkeypatch, small_steps, phase):
    run = submit(ROWS)
    with monkeypatch.context() as patch:
        press_during(patch, phase, lambda found: control.pause(found, None))
        go(run)
    assert run.state == State.PAUSED
    assert run.paused_at is not None
    held = DatasetLock.objects.filter(run=run).exists()
    assert held == (phase in ("applying", "indexing"))
    assert Product.objects.count() == {"applying": 5, "indexing": 12}.get(phase, 0)
    control.resume(run, None)
    assert (run.state, run.paused_at) == (State.QUEUED, None)
    go(run)
    assert (run.state, run.lines, run.created, run.counted) == (State.DONE, 12, 12, 12)


@pytest.mark.parametrize("state", [State.QUEUED, State.WAITING])
def test_what_waits_for_a_worker_is_paused_and_cancelled_at_once(submit, state):
    for press, after in (
        (lambda run: control.pause(run, None), State.PAUSED),
        (lambda run: control.cancel(run, None, roll_back=False), State.CANCELLED),
    ):
        run = submit(ROWS)
        Import.objects.filter(pk=run.pk).update(state=state)
        press(run)
        assert run.state == after
        version = run.version
        press(run)
        assert (run.state, run.version) == (after, version)
        runner.run(run.pk)
        run.refresh_from_db()
        assert run.state == after


def test_cancel_keeps_what_was_written_and_undo_takes_it_back(submit, monkeypatch, small_steps):
    run = submit(ROWS)
    with monkeypatch.context() as patch:
        press_during(patch, "applying", lambda found: control.cancel(found, None, roll_back=False))
        go(run)
    assert (run.state, run.created, Product.objects.count()) == (State.CANCELLED, 5, 5)
    assert not DatasetLock.objects.filter(run=run).exists()
    control.undo(run, None)
    assert go(run).state == State.UNDONE
    assert not Product.objects.exists()


def test_cancel_with_roll_back_ends_as_it_began(submit, load, monkeypatch, small_steps):
    load("sku,name,description\ns01,old,\n")
    before = list(Product.objects.values())
    run = submit(ROWS)
    with monkeypatch.context() as patch:
        press_during(patch, "applying", lambda found: control.cancel(found, None, roll_back=True))
        go(run)
    assert run.state == State.QUEUED
    assert DatasetLock.objects.filter(run=run).exists()
    assert go(run).state == State.UNDONE
    assert list(Product.objects.values()) == before


def test_cancel_of_a_paused_import_with_roll_back(submit, monkeypatch, small_steps):
    run = submit(ROWS)
    with monkeypatch.context() as patch:
        press_during(patch, "applying", lambda found: control.pause(found, None))
        go(run)
    control.cancel(run, None, roll_back=True)
    assert go(run).state == State.UNDONE
    assert not Product.objects.exists()


def test_of_two_who_press_different_buttons_the_second_is_told(submit, django_user_model):
    anna, ben = (django_user_model.objects.create_user(f"{name}@example.com") for name in ("anna", "ben"))
    run = submit(ROWS)
    Import.objects.filter(pk=run.pk).update(state=State.STAGING)
    control.cancel(run, anna, roll_back=True)
    with pytest.raises(control.Refused, match="is rolled back"):
        control.cancel(run, ben, roll_back=False)
    with pytest.raises(control.Refused, match="being cancelled"):
        control.pause(run, ben)
    run.refresh_from_db()
    assert (run.wanted, run.roll_back, run.decided_by) == ("cancel", True, anna)


def test_a_pause_is_taken_back_before_the_worker_saw_it(submit):
    run = submit(ROWS)
    Import.objects.filter(pk=run.pk).update(state=State.STAGING)
    control.pause(run, None)
    assert run.wanted == "pause"
    control.resume(run, None)
    assert (run.wanted, run.state) == ("", State.STAGING)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_has_ended_is_neither_paused_nor_resumed(submit, state):
    run = submit(ROWS)
    Import.objects.filter(pk=run.pk).update(state=state)
    for press in (control.pause, control.resume):
        with pytest.raises(control.Refused, match=f"the import is {State(state).label.lower()}"):
            press(run, None)


def test_a_pause_that_is_forgotten_becomes_a_cancel(submit, settings):
    late, soon = submit(ROWS), submit(ROWS)
    for run in (late, soon):
        control.pause(run, None)
    ago = timezone.now() - timedelta(seconds=settings.LOADIFY_PAUSE_LIMIT + 1)
    Import.objects.filter(pk=late.pk).update(paused_at=ago)
    sweep.sweep()
    late.refresh_from_db()
    soon.refresh_from_db()
    assert (late.state, soon.state) == (State.CANCELLED, State.PAUSED)
    assert late.finished_at is not None


@pytest.mark.parametrize(("wanted", "state"), [("pause", State.PAUSED), ("cancel", State.CANCELLED), ("", State.QUEUED)])
def test_what_was_wanted_of_a_worker_that_died_is_done_by_the_sweep(submit, wanted, state):
    run = submit(ROWS)
    assert runner.Attempt.claim(run.pk)
    Import.objects.filter(pk=run.pk).update(wanted=wanted)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE importer_heartbeat SET lease_until = now() - interval '1 s'")
    sweep.revive()
    run.refresh_from_db()
    assert (run.state, run.wanted) == (state, "")


def test_a_failed_import_goes_on_from_its_checkpoint(submit, monkeypatch, small_steps):
    run = submit(ROWS)
    with monkeypatch.context() as patch:
        whole = runner.Runner._apply_bucket

        def full(self, lane):
            if self.run.step_done:
                raise control.ImportProblem("The disk is full.")
            return whole(self, lane)

        patch.setattr(runner.Runner, "_apply_bucket", full)
        go(run)
    assert (run.state, run.error, Product.objects.count()) == (State.FAILED, "The disk is full.", 5)
    read = []
    monkeypatch.setattr(CsvRows, "batches", lambda *args: read.append(args) or iter(()))
    control.retry(run, None)
    assert (go(run).state, run.error, run.created, run.counted) == (State.DONE, "", 12, 12)
    assert not read


def test_a_failed_import_whose_tables_are_gone_starts_over_if_it_wrote_nothing(submit, monkeypatch):
    run = submit(WRONG)
    with monkeypatch.context() as patch:
        patch.setattr(runner.Runner, "_compare", lambda self: (_ for _ in ()).throw(control.ImportProblem("Stop.")))
        go(run)
    assert (run.state, run.rejected) == (State.FAILED, 1)
    runner.work_tables.drop(run.pk)
    control.retry(run, None)
    assert (run.state, run.lines, run.rejects.count()) == (State.QUEUED, 0, 0)


def test_only_what_failed_is_tried_again(load):
    run = load(ROWS)
    with pytest.raises(control.Refused, match="this one is done"):
        control.retry(run, None)


def test_an_end_is_told_to_the_owner_of_a_long_import_only(submit, settings, django_user_model):
    owner = django_user_model.objects.create_user("anna@example.com")
    for after, news in ((0, "ended"), (60, "")):
        settings.LOADIFY_TELL_AFTER = after
        run = submit(ROWS)
        Import.objects.filter(pk=run.pk).update(owner=owner)
        assert go(run).news == news
