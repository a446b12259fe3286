"""A worker that dies between two commits, buttons pressed just then, and files that change on the disk meanwhile."""

import os
from collections.abc import Callable

import pytest
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError

from importer import control, runner, staging, sweep, tasks
from importer.attempt import Attempt, worker_name
from importer.heart import Heart, Interrupted
from importer.models import Heartbeat, Import
from importer.options import Options
from importer.staging import Staging
from importer.states import State
from loadify.processes import wait_until
from products.models import Product

HEAD = "sku,name,description\n"
LINES = 12_000


def expire() -> None:
    Heartbeat.objects.update(lease_until="2020-01-01T00:00Z")


@pytest.fixture
def die_before(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run an import whose worker dies at the `nth` call of `name`, of the runner or its staging; it is queued again."""

    def die_before(run: Import, name: str, nth: int = 1) -> None:
        calls = []
        owner = Staging if hasattr(Staging, name) else runner.Runner
        original = getattr(owner, name)

        def dying(*args):
            calls.append(args)
            if len(calls) == nth:
                raise OperationalError("as if the process had died here")
            return original(*args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dying)
            runner.run(run.pk)
        expire()
        sweep.revive()
        run.refresh_from_db()
        assert (len(calls), run.state) == (nth, State.QUEUED)

    return die_before


def go_on(run: Import) -> Import:
    runner.run(run.pk)
    run.refresh_from_db()
    return run


# --- limits that were passed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("nth", [1, 2], ids=["before the batch", "after the batch"])
def test_an_import_above_its_limit_of_rejects_does_not_land_because_a_worker_died(submit, die_before, nth):
    run = submit(HEAD + ",x,\n" * 5 + "a,b,\n", options=Options(most_rejects=2))
    die_before(run, "_check_rejects", nth)
    assert go_on(run).state == State.FAILED
    assert run.error == "5 of the first 6 lines are rejected, and 2 were allowed at the start. Nothing was written."
    assert not Product.objects.exists()


def test_an_import_above_its_limit_of_rejects_does_not_land_when_it_is_tried_again(load):
    run = load(HEAD + ",x,\n" * 5 + "a,b,\n", options=Options(most_rejects=2))
    sentence = run.error
    control.retry(run, None)
    assert (go_on(run).state, run.error) == (State.FAILED, sentence)
    assert not Product.objects.exists()


def test_a_wrong_file_is_refused_however_long_its_lines_are_and_whoever_died(submit, die_before):
    run = submit(HEAD + f",x,{'d' * 9_000}\n" * 1_200 + "a,b,\n")
    die_before(run, "_check_rejects", 2)
    assert 0 < run.lines < staging.HOPELESS, "its lines need several batches"
    assert go_on(run).state == State.FAILED
    assert run.error.startswith("None of the first 1,000 lines can be taken, so nothing was written. Line 2: ")


# --- files that change on the disk --------------------------------------------------------------------------------


def half_read(submit, die_before) -> tuple[Import, str]:
    """An import that has read a part of its file, and where that file lies."""
    run = submit(HEAD + "".join(f"s{number},Name,{'d' * 100}\n" for number in range(LINES)))
    die_before(run, "_batch", 2)
    assert 0 < run.lines < LINES
    return run, default_storage.path(run.file.path)


def test_a_file_that_was_cut_off_on_the_disk_is_not_taken_for_a_short_one(submit, die_before):
    run, path = half_read(submit, die_before)
    size = run.file.size
    os.truncate(path, size - 50_000)
    assert go_on(run).state == State.FAILED
    assert run.error == f"The file in storage has {size - 50_000:,} bytes now; {size:,} had arrived. Upload it again."
    assert not Product.objects.exists()


def test_a_file_that_is_cut_off_while_it_is_read_is_not_taken_for_a_short_one(submit, monkeypatch):
    run = submit(HEAD + "".join(f"s{number},Name,{'d' * 100}\n" for number in range(LINES)))
    original = Staging._batch

    def cut(self, batch, rows):
        original(self, batch, rows)
        os.truncate(default_storage.path(run.file.path), 1_000_000)

    monkeypatch.setattr(Staging, "_batch", cut)
    assert go_on(run).state == State.FAILED
    assert run.error.startswith("The file in storage has 1,000,000 bytes now; ")
    assert not Product.objects.exists()


def test_reading_does_not_go_on_in_another_file_of_the_same_size(submit, die_before):
    run, path = half_read(submit, die_before)
    with open(path, "r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"x")
    assert go_on(run).state == State.FAILED
    assert run.error == "The file in storage is not the one that arrived any more; upload it again."
    assert not Product.objects.exists()


# --- buttons and shutdowns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("press", "wanted"), [(control.pause, "pause"), (lambda *who: control.cancel(*who, False), "cancel")])
def test_a_worker_that_is_shut_down_still_does_what_a_person_wants(submit, monkeypatch, press, wanted):
    run = submit(HEAD + "a,b,\n")
    assert Attempt.claim(run.pk) is not None
    press(run, None)
    # The signal comes to the worker's main process.
    monkeypatch.setattr(tasks, "worker_name", lambda parent, process: worker_name(os.getppid(), process))
    tasks.yield_imports()
    run.refresh_from_db()
    assert run.wanted == wanted


def test_an_attempt_that_is_asked_to_stop_counts_as_no_death(submit):
    run = submit(HEAD + "a,b,\n")
    for _ in range(sweep.DEATHS):
        attempt = Attempt.claim(run.pk)
        with Heart(run.pk, attempt.run.attempt) as attempt.heart:
            Import.objects.filter(pk=run.pk).update(wanted=Import.Wanted.YIELD)
        runner.Runner(attempt).give_back(Interrupted("yield").wanted)
    assert Attempt.claim(run.pk) is not None
    expire()
    sweep.revive()
    run.refresh_from_db()
    assert run.state == State.QUEUED, run.error


@pytest.mark.parametrize("problem", [OperationalError, InterfaceError])
def test_a_heart_beats_on_after_its_connection_was_cut(submit, monkeypatch, problem):
    run = submit(HEAD + "a,b,\n")
    attempt = Attempt.claim(run.pk)
    beats = []
    original = Heart._once

    def once(self):
        beats.append(self)
        if len(beats) == 1:
            raise problem("connection already closed")
        original(self)

    monkeypatch.setattr(Heart, "_once", once)
    monkeypatch.setattr(Heart, "PERIOD", 0.01)
    with Heart(run.pk, attempt.run.attempt):
        assert wait_until(lambda: len(beats) > 2, 30)
