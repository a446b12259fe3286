"""Workers killed again and again, buttons pressed, broker and database restarted: the table is what plain Python says.

LOADIFY_CHAOS=30 makes it 30 kills over imports of 100,000 lines; the short form has a kill in every phase.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.db import connection

from importer import control, sweep
from importer.models import Import
from importer.states import FINAL, WORKING, State
from products.models import Product
from tests import throwaway
from tests.importer.reference import Catalogue
from tests.importer.workers import Workers, at_work, submit, wait_for, write_sample

KILLS = int(os.environ.get("LOADIFY_CHAOS", "5"))
ROWS = 100_000 if KILLS >= 30 else 40_000
PHASES = [State.STAGING, State.COMPARING, State.APPLYING, State.INDEXING, State.UNDOING]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with Workers(tmp_path) as workers:
        yield workers


def versions(folder: Path) -> list[Path]:
    """Three files over the same SKUs: each changes some names and brings some rows that the one before has not."""
    first = write_sample(folder / "first.csv", ROWS)
    text = first.read_text(encoding="utf-8")
    files = [first]
    for number, (old, new) in enumerate((("a", "á"), ("e", "E"))):
        path = folder / f"version{number}.csv"
        head, *lines = text.splitlines(keepends=True)
        changed = (line.replace(old, new) if place % 3 == number else line for place, line in enumerate(lines))
        path.write_text(head + "".join(changed), encoding="utf-8")
        files.append(path)
    return files


class Chaos:
    """Kills, buttons and restarts while one import after the other goes its way."""

    def __init__(self, workers: Workers, seed: int) -> None:
        self.workers = workers
        self.random = random.Random(seed)
        self.landed: Counter[State] = Counter()
        self.pauses = 0
        self.slowest_pause = 0.0

    def wanted_phase(self, among: list[State]) -> State:
        """The phase with the fewest kills so far."""
        return min(among, key=lambda phase: (self.landed[phase], self.random.random()))

    def kill(self, run: Import, phase: State) -> None:
        """SIGKILL the process at work at a random moment of `phase`; counted by the phase in which it really died."""
        self.until(run, lambda: (run.state == phase and alive(run)) or run.state in FINAL)
        time.sleep(self.random.random() * 0.15)
        run.refresh_from_db()
        if run.state not in WORKING:
            return
        try:
            os.kill(at_work(run), signal.SIGKILL)
        except ProcessLookupError:
            # It was killed before, and nobody has taken the import up yet.
            return
        time.sleep(0.1)
        before = run.attempt
        run.refresh_from_db()
        if run.state in WORKING and run.attempt == before:
            self.landed[State(run.state)] += 1

    def pause(self, run: Import) -> None:
        """Pause, and see that the worker lets go within two seconds; then resume."""
        run.refresh_from_db()
        if run.state in FINAL:
            return
        pressed = time.monotonic()
        try:
            control.pause(run, None)
        except control.Refused:
            return
        # A worker that was just killed cannot hear it; the sweep pauses its import when the lease has run out.
        self.until(run, lambda: run.state == State.PAUSED or run.state in FINAL)
        if run.state == State.PAUSED:
            self.slowest_pause = max(self.slowest_pause, time.monotonic() - pressed)
            self.pauses += 1
            control.resume(run, None)

    def until(self, run: Import, reached) -> None:
        """Play the timetable until the import is where `reached` says."""
        end = time.monotonic() + 120
        swept = 0.0
        while True:
            run.refresh_from_db()
            if reached():
                return
            assert time.monotonic() < end, f"{run.state}: {self.workers.said()[-3000:]}"
            if time.monotonic() - swept > 0.5:
                self.workers.revive()
                sweep.sweep()
                swept = time.monotonic()
            time.sleep(0.005)

    def through(self, run: Import, phases: list[State], restart) -> None:
        """Bring an import to its end over two kills, a pause, and a restart."""
        for _ in range(2):
            self.kill(run, self.wanted_phase(phases))
        self.pause(run)
        restart()
        self.until(run, lambda: run.state in FINAL)


def alive(run: Import) -> bool:
    return run.attempt > 0 and psutil.pid_exists(at_work(run))


def live() -> dict[str, tuple[str, str, str, bool]]:
    return {row[0]: row[1:] for row in Product.objects.values_list("sku_key", "sku", "name", "description", "active")}


def restart_database() -> None:
    connection.close()
    throwaway.restart_database()


def test_the_table_is_right_whatever_dies(tmp_path, workers):
    files = versions(tmp_path)
    texts = [file.read_text(encoding="utf-8") for file in files]
    seed = random.randrange(10**6)
    chaos, catalogue = Chaos(workers, seed), Catalogue()
    restarts = [lambda: None, throwaway.restart_broker, lambda: None, restart_database]
    number = 0
    while chaos.landed.total() < KILLS or any(not chaos.landed[phase] for phase in PHASES):
        assert number < 4 * KILLS + 10, f"seed {seed}: {chaos.landed}"
        which = number % len(files)
        before, rows_before = Catalogue(dict(catalogue.rows)), list(Product.objects.order_by("pk").values_list())
        expected = catalogue.load(texts[which])
        run = submit(files[which])
        chaos.through(run, PHASES[:4], restarts[number % 4])
        assert run.state == State.DONE, f"seed {seed}: {run.error}"
        assert {name: getattr(run, name) for name in expected["counts"]} == expected["counts"], f"seed {seed}"
        assert sorted(run.rejects.values_list("line", flat=True)) == expected["rejected"], f"seed {seed}"
        assert live() == catalogue.rows, f"seed {seed}"
        if number % 2:
            control.undo(run, None)
            chaos.through(run, [State.UNDOING], lambda: None)
            assert run.state == State.UNDONE, f"seed {seed}: {run.error}"
            assert list(Product.objects.order_by("pk").values_list()) == rows_before, f"seed {seed}"
            catalogue = before
        number += 1
    assert chaos.pauses, "a pause is seen"
    print(
        f"seed {seed}: {dict(chaos.landed)} over {number} imports, {chaos.pauses} pauses, {chaos.slowest_pause:.2f} s at most"
    )
    wait_for(lambda: not Import.objects.exclude(state__in=FINAL).exists(), 60)
