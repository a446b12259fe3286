"""Workers that die or freeze, with real processes: the import ends as if nothing had happened."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer import runner
from importer.models import Heartbeat, Import
from importer.states import State
from products.models import Product
from tests.importer.workers import LEASE, Workers, at_work, clear, finish, outcome, submit, wait_for, write_sample

ROWS = 60_000

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "products.csv", ROWS)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Workers]:
    with Workers(tmp_path_factory.mktemp("workers")) as workers:
        yield workers


@pytest.fixture(scope="module")
def outcomes() -> list[tuple[object, ...]]:
    """What came of the sample once nothing disturbed its import: after the first test that asks."""
    return []


@pytest.fixture
def undisturbed(sample: Path, outcomes: list[tuple[object, ...]]) -> tuple[object, ...]:
    if not outcomes:
        run = submit(sample)
        runner.run(run.pk)
        run.refresh_from_db()
        assert finish(run).state == State.DONE
        assert run.rejected == ROWS // 100
        assert len(run.checkpoint["lanes"]) == 2
        outcomes.append(outcome(run))
        clear()
    return outcomes[0]


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
            # More when the machine was too busy for a heartbeat in time.
            assert run.attempt >= 2
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
        assert run.attempt >= 2
        assert at_work(run) != frozen
        result, version = outcome(run), run.version
    finally:
        os.kill(frozen, signal.SIGCONT)
    wait_for(lambda: "belongs to somebody else now; attempt 1 ends" in workers.said(), 60, workers.said)
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
    wait_for(lambda: "belongs to somebody else now; attempt 1 ends" in workers.said(), 60, workers.said)
    run.refresh_from_db()
    assert run.version == version
    assert Product.objects.count() == 0
    assert finish(run, told=workers.said).state == State.DONE


def test_of_two_imports_into_one_dataset_one_waits(sample, workers):
    first, second = submit(sample), submit(sample)
    waited = []

    def over() -> bool:
        states = dict(Import.objects.values_list("pk", "state"))
        waited.extend(pk for pk, state in states.items() if state == State.WAITING)
        working = [state for state in states.values() if state in (State.APPLYING, State.INDEXING)]
        assert len(working) <= 1
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
