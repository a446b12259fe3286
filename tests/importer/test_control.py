"""Pause, resume, cancel, roll back, retry: in every state, pressed twice, and by two people at once."""

import io
import shutil
import signal
import subprocess
from datetime import timedelta
from threading import Event, Thread
from types import SimpleNamespace

import pytest
import xlsxwriter
from django.db import OperationalError, connection
from django.utils import timezone

from importer import control, lanes, locks, review, runner, staging, sweep, tasks
from importer.loaders import work_tables
from importer.models import DatasetLock, Heartbeat, Import
from importer.readers.csv_rows import CsvRows
from importer.staging import Staging
from importer.states import FINAL, State
from products.models import Product

ROWS = "sku,name,description\n" + "".join(f"s{i:02},n,d\n" for i in range(12))
WRONG = "sku,name,description\na,One\n"


def press_during(monkeypatch, phase: str, press) -> None:
    """Let `press(run)` happen when the import has done one step of `phase` and is at its next."""
    steps = {"applying": "_apply_bucket", "comparing": "_compare", "indexing": "_index"}
    owner, name = (Staging, "_batch") if phase == "staging" else (runner.Runner, steps[phase])
    whole = getattr(owner, name)
    calls = []

    def pressed(self, *args):
        calls.append(args)
        if len(calls) == (2 if phase in ("staging", "applying") else 1):
            press(Import.objects.get(pk=self.run.pk))
            self.attempt.heart._once()
        return whole(self, *args)

    monkeypatch.setattr(owner, name, pressed)


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(staging, "CHUNK", 4)
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
    anna, ben = (django_user_model.objects.create_user(f"{name}@example.com", role="editor") for name in ("anna", "ben"))
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


def by_somebody(press, run_id: int) -> None:
    """On a connection of their own: the worker is in the middle of a transaction."""
    press(Import.objects.get(pk=run_id))
    connection.close()


def press_unheard(monkeypatch, module, name, press) -> None:
    """Let `press(run)` happen just before `module.name`, the last thing that a worker does; its heart looks too late."""
    whole = getattr(module, name)

    def pressed(run, *args, **kwargs):
        monkeypatch.setattr(module, name, whole)
        person = Thread(target=by_somebody, args=(press, getattr(run, "pk", run)))
        person.start()
        person.join()
        return whole(run, *args, **kwargs)

    monkeypatch.setattr(module, name, pressed)


#: Where a worker is about to let go of an import: in review, in line for the dataset, at its end.
LAST_MOMENTS = [(review, "decide"), (locks, "take"), (work_tables, "drop")]


@pytest.mark.parametrize(("module", "name"), LAST_MOMENTS)
def test_a_button_pressed_at_the_last_moment_of_a_worker_counts(submit, monkeypatch, module, name):
    other = submit(ROWS)
    Import.objects.filter(pk=other.pk).update(state=State.APPLYING)
    for press, after in (
        (lambda found: control.cancel(found, None, roll_back=False), State.CANCELLED),
        (lambda found: control.pause(found, None), State.PAUSED),
    ):
        run = submit(ROWS, mode=Import.Mode.REVIEW if name == "decide" else Import.Mode.APPLY)
        DatasetLock.objects.update_or_create(dataset="products", defaults={"run": other if name == "take" else None})
        press_unheard(monkeypatch, module, name, press)
        go(run)
        assert (run.state, run.wanted) == (after, "")
    control.resume(run, None)
    Import.objects.filter(pk=other.pk).update(state=State.CANCELLED)
    assert go(run).state == (State.REVIEW if name == "decide" else State.DONE)


def test_a_cancel_at_the_last_moment_is_rolled_back_as_it_was_wished(submit, monkeypatch):
    run = submit(ROWS)
    press_unheard(monkeypatch, work_tables, "drop", lambda found: control.cancel(found, None, roll_back=True))
    assert go(run).state == State.QUEUED
    assert go(run).state == State.UNDONE
    assert not Product.objects.exists()


@pytest.mark.parametrize("wanted", [Import.Wanted.PAUSE, Import.Wanted.CANCEL])
def test_a_worker_that_is_shut_down_does_what_was_wished_for(submit, monkeypatch, wanted):
    run = submit(ROWS)
    monkeypatch.setattr(tasks, "worker_name", lambda parent, process: "here:")
    assert runner.Attempt.claim(run.pk)
    Heartbeat.objects.update(worker="here:1")
    Import.objects.filter(pk=run.pk).update(wanted=wanted)
    monkeypatch.setattr(tasks.connection, "close", lambda: None)
    tasks.yield_imports()
    run.refresh_from_db()
    assert run.wanted == wanted


def test_worker_is_asked_to_stop_until_it_has_ended(monkeypatch):
    """A process of it may claim something after it was asked, and the database may be away for a moment."""
    asked, ended = [], Event()

    def ask() -> None:
        asked.append(len(asked))
        if len(asked) == 2:
            raise OperationalError("The database is away.")

    def sleep(seconds: float) -> None:
        assert seconds == 1
        if len(asked) == 4:
            ended.set()
            # Nothing but the end of its process ends the thread.
            Event().wait()

    monkeypatch.setattr(tasks, "yield_imports", ask)
    monkeypatch.setattr(tasks, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(tasks.connection, "close", lambda: None)
    tasks.yield_to_the_end()
    assert ended.wait(10)
    assert asked == [0, 1, 2, 3]


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
    owner = django_user_model.objects.create_user("anna@example.com", role="editor")
    for after, news in ((0, "ended"), (60, "")):
        settings.LOADIFY_TELL_AFTER = after
        run = submit(ROWS)
        Import.objects.filter(pk=run.pk).update(owner=owner)
        assert go(run).news == news


def test_a_workbook_that_is_still_being_read_is_paused(submit, monkeypatch):
    """Its process says nothing for as long as it takes; here it never would."""
    whole, started = subprocess.Popen, []

    def sleeper(command, **kwargs):
        started.append(whole([shutil.which("sleep"), "60"], **kwargs))
        Thread(target=by_somebody, args=(lambda found: control.pause(found, None), run.pk)).start()
        return started[-1]

    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as made:
        made.add_worksheet().write_row(0, 0, ["sku", "name", "description"])
    run = submit(book.getvalue(), name="workbook.xlsx")
    monkeypatch.setattr(subprocess, "Popen", sleeper)
    assert go(run).state == State.PAUSED, run.error
    assert [process.poll() for process in started] == [-signal.SIGKILL]
