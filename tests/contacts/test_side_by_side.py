"""The three-minute rule with real processes: three workers on overlapping files, two timetables, one of each killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest

from contacts.models import Contact
from importer import control
from importer.intake import uploads
from importer.models import Held, Import
from importer.options import Options
from importer.states import State
from tests.importer.conftest import query
from tests.importer.workers import ROOT, Workers, at_work, finish, wait_for, worker_env

LINES, WINDOW = 400, 2

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@contextmanager
def timetable() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contacts.timetable"], cwd=ROOT, env=worker_env(), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def too_close(column: str) -> list[tuple[object, ...]]:
    """Pairs of stored contacts with the same value and less than the window between them, as the database sees it."""
    return query(
        f"""SELECT a.id, b.id, b.created_at - a.created_at FROM contacts_contact a JOIN contacts_contact b
        ON a.{column} = b.{column} AND a.{column} <> '' AND a.id <> b.id
        AND b.created_at >= a.created_at AND b.created_at - a.created_at < interval '{WINDOW} s'"""
    )


def write(path, seed: int):
    """A file whose phones and e-mails also stand in the others, and more than once in itself."""
    draw = random.Random(seed)
    with path.open("w") as file:
        file.write("Name,Phone Number,Email Address\n")
        for line in range(LINES):
            email = f"p{draw.randrange(900)}@example.am" if draw.random() < 0.5 else ""
            file.write(f"{seed}-{line},0772{draw.randrange(900):05},{email}\n")
    return path


def submit(path) -> Import:
    with path.open("rb") as stream:
        return control.submit(uploads.keep(None, path.name, stream), "contacts", None, options=Options(unasked=True))


def test_no_two_contacts_are_closer_than_the_window(tmp_path, monkeypatch, settings):
    settings.LOADIFY_HOLD_SECONDS = WINDOW
    monkeypatch.setenv("LOADIFY_HOLD_SECONDS", str(WINDOW))
    with ExitStack() as stack:
        workers = [stack.enter_context(Workers(tmp_path, options=["--concurrency", "1"])) for _ in range(3)]
        first, second = stack.enter_context(timetable()), stack.enter_context(timetable())
        runs = [submit(write(tmp_path / f"{seed}.csv", seed)) for seed in range(3)]
        wait_for(lambda: Import.objects.filter(state=State.APPLYING).exists() or Contact.objects.exists(), 60)
        for run in Import.objects.filter(state=State.APPLYING):
            os.kill(at_work(run), signal.SIGKILL)
        first.send_signal(signal.SIGKILL)
        for run in runs:
            finish(run, told=lambda: [worker.said()[-2000:] for worker in workers])
        wait_for(lambda: not Held.objects.filter(state=Held.State.WAITING).exists(), 120)
        assert second.poll() is None
    for run in runs:
        run.refresh_from_db()
        assert (run.state, run.counted, run.rejected) == (State.DONE, LINES, 0)
        assert run.held > 0
    assert Contact.objects.count() == 3 * LINES
    assert too_close("phone") == []
    assert too_close("email") == []
    late = [held for held in Held.objects.all() if held.ended_at and held.ended_at - held.due_at > timedelta(seconds=30)]
    assert late == []


def test_holds_survive_a_timetable_that_was_away(tmp_path, monkeypatch, settings):
    settings.LOADIFY_HOLD_SECONDS = WINDOW
    monkeypatch.setenv("LOADIFY_HOLD_SECONDS", str(WINDOW))
    path = tmp_path / "chain.csv"
    path.write_text("Name,Phone Number,Email Address\n" + "".join(f"N{n},077112233,\n" for n in range(4)))
    with Workers(tmp_path):
        run = finish(submit(path))
        assert (run.created, run.held) == (1, 3)
        time.sleep(3 * WINDOW)
    with timetable():
        wait_for(lambda: Contact.objects.count() == 4, 60)
    assert too_close("phone") == []
    assert list(Contact.objects.order_by("created_at").values_list("name", flat=True)) == ["N0", "N1", "N2", "N3"]
