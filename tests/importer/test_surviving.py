"""Workers that die, freeze or are shut down, with real processes: the import ends as if nothing had happened."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from importer import control, runner, sweep
from importer.intake import uploads
from importer.models import Change, Heartbeat, Import
from importer.states import State
from products.models import Product
from products.samples import sample as sample_records
from tests.importer.workers import LEASE, Workers, at_work, finish, wait_for

ROWS = 40_000
COUNTERS = ("lines", "created", "updated", "unchanged", "superseded", "held", "rejected")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample file with a bad line in every hundred."""
    return write_sample(tmp_path_factory.mktemp("sample") / "products.csv", ROWS)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Workers]:
    with Workers(tmp_path_factory.mktemp("workers")) as workers:
        yield workers


def write_sample(path: Path, rows: int) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, record in enumerate(sample_records(rows, random.Random(7))):
            cells = record[:2] if number % 100 == 50 else record
            file.write(",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n")
    return path


def submit(path: Path) -> Import:
    with path.open("rb") as stream:
        return control.submit(uploads.keep(None, path.name, stream), "products", owner=None)


def outcome(run: Import) -> tuple[object, ...]:
    """All that an import leaves behind, but for ids and moments."""
    rows = list(Product.objects.order_by("sku_key").values_list("sku", "name", "description", "active"))
    changes = sorted(Change.objects.filter(run=run).values_list("line", "kind"))
    keys = dict(Product.objects.values_list("pk", "sku_key"))
    of_rows = sorted(keys[row] for row in Change.objects.filter(run=run).values_list("row_id", flat=True))
    return [getattr(run, n) for n in COUNTERS], rows, changes, of_rows, sorted(run.rejects.values_list("line", "reason"))


def clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products_product")


@pytest.fixture
def undisturbed(sample: Path) -> tuple[object, ...]:
    run = submit(sample)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.DONE
    assert run.rejected == ROWS // 100
    result = outcome(run)
    clear()
    return result


def kill_in(run: Import, phase: State, workers: Workers) -> bool:
    """SIGKILL the process at work as soon as the import is in `phase`; True when it really died there."""

    def reached() -> bool:
        run.refresh_from_db()
        assert run.state != State.FAILED, run.error
        return run.state == State.DONE or (run.state == phase and (phase == State.COMPARING or run.step_done > 0))

    wait_for(reached, 60, workers.said)
    if run.state == State.DONE:
        return False
    os.kill(at_work(run), signal.SIGKILL)
    time.sleep(0.2)
    run.refresh_from_db()
    return run.state == phase


@pytest.mark.parametrize("phase", [State.STAGING, State.COMPARING, State.APPLYING, State.INDEXING])
def test_kill_9_in_any_phase_changes_nothing(sample, undisturbed, workers, phase):
    for _ in range(6):
        run = submit(sample)
        hit = kill_in(run, phase, workers)
        finish(run, told=workers.said)
        assert run.state == State.DONE, run.error
        assert outcome(run) == undisturbed
        clear()
        if hit:
            assert run.attempt == 2
            return
    raise AssertionError(f"No kill landed in {phase}.")


def test_a_frozen_worker_that_wakes_writes_nothing(sample, undisturbed, workers):
    run = submit(sample)
    wait_for(lambda: Import.objects.filter(pk=run.pk, state=State.STAGING, lines__gt=0).exists(), 60, workers.said)
    frozen = at_work(run)
    os.kill(frozen, signal.SIGSTOP)
    try:
        time.sleep(LEASE + 0.5)
        finish(run, told=workers.said)
        assert run.attempt == 2
        assert at_work(run) != frozen
        result, version = outcome(run), run.version
    finally:
        os.kill(frozen, signal.SIGCONT)
    wait_for(lambda: "belongs to somebody else now; attempt 1 ends" in workers.said(), 15, workers.said)
    run.refresh_from_db()
    assert run.version == version
    assert outcome(run) == result == undisturbed


def test_a_worker_late_by_its_lease_stops_even_when_nobody_took_over(sample, workers):
    run = submit(sample)
    wait_for(lambda: Import.objects.filter(pk=run.pk, state=State.STAGING, lines__gt=0).exists(), 60, workers.said)
    os.kill(at_work(run), signal.SIGSTOP)
    run.refresh_from_db()
    version = run.version
    Heartbeat.objects.filter(run=run).update(lease_until="2020-01-01T00:00Z")
    os.kill(at_work(run), signal.SIGCONT)
    wait_for(lambda: "belongs to somebody else now; attempt 1 ends" in workers.said(), 15, workers.said)
    run.refresh_from_db()
    assert run.version == version
    assert Product.objects.count() == 0
    assert finish(run, told=workers.said).state == State.DONE


def test_shutting_a_worker_down_gives_its_import_back(tmp_path):
    sample = write_sample(tmp_path / "large.csv", 4 * ROWS)
    with Workers(tmp_path) as workers:
        run = submit(sample)
        wait_for(lambda: Import.objects.filter(pk=run.pk, state=State.STAGING, lines__gt=0).exists(), 60, workers.said)
        began = time.monotonic()
        workers.process.send_signal(signal.SIGTERM)
        workers.process.wait(10)
        assert time.monotonic() - began < 8
        assert "is given back to the queue (yield)" in workers.said()
    with Workers(tmp_path) as workers:
        assert finish(run, told=workers.said).state == State.DONE
    result = outcome(run)
    clear()
    again = submit(sample)
    runner.run(again.pk)
    again.refresh_from_db()
    assert outcome(again) == result


def test_of_two_imports_into_one_dataset_one_waits(sample, workers):
    first, second = submit(sample), submit(sample)
    waited = []

    def over() -> bool:
        states = dict(Import.objects.values_list("pk", "state"))
        waited.extend(pk for pk, state in states.items() if state == State.WAITING)
        working = [state for state in states.values() if state in (State.COMPARING, State.APPLYING, State.INDEXING)]
        assert len(working) <= 2
        return set(states.values()) == {State.DONE}

    wait_for(over, 60, workers.said)
    first.refresh_from_db()
    second.refresh_from_db()
    assert waited, "the later one is seen waiting"
    late, early = (first, second) if first.pk in waited else (second, first)
    assert early.created == early.lines - early.superseded - early.rejected
    assert (late.created, late.updated) == (0, 0)
    assert late.unchanged == early.created
    assert late.finished_at > early.finished_at


def test_an_import_is_claimed_once(sample):
    run = submit(sample)
    assert runner.claim(run.pk).attempt == 1
    assert runner.claim(run.pk) is None


def test_workers_that_keep_dying_at_one_place_are_not_sent_for_ever(sample):
    run = submit(sample)
    for _ in range(sweep.DEATHS):
        assert runner.claim(run.pk) is not None
        Heartbeat.objects.filter(run=run).update(lease_until="2020-01-01T00:00Z")
        sweep.revive()
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "5 workers died" in run.error
