"""Workers of every kind that get SIGTERM leave within ten seconds, whatever they are at, and lose nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from contacts.models import Person
from importer import control, export_control, exports, runner, stopping
from importer.intake import uploads
from importer.models import Export, Import
from importer.options import Options
from importer.states import ExportState, State
from tests.importer.conftest import queue_broker  # noqa: F401  a fixture
from tests.importer.test_consumers import FILE, NO_HEADING, PLACES
from tests.importer.test_exports_surviving import MAKE
from tests.importer.workers import ROOT, Workers, finish, submit, wait_for, worker_env, write_sample
from tests.webhooks.conftest import _types, endpoint, happen, receiver  # noqa: F401  fixtures
from tests.webhooks.plays import answer, drip
from tests.webhooks.receiver import Receiver
from webhooks.models import Delivery

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

IN_TIME = 10.0
ROWS = 200_000
PHASES = [State.STAGING, State.COMPARING, State.APPLYING, State.INDEXING]


def leave(process: "subprocess.Popen[bytes] | None", at: str) -> float:
    """Send SIGTERM; returns the seconds until the process had ended by itself. `pytest -rP` shows them."""
    assert process is not None
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    took = time.monotonic() - began
    print(f"{at}: {took:.1f} s")
    return took


# The short form is in tests/importer/test_retiring.py.
@pytest.mark.whole
def test_an_import_is_given_back_in_time_in_every_phase(tmp_path: Path) -> None:
    run = submit(write_sample(tmp_path / "products.csv", ROWS))
    for phase in PHASES:
        with Workers(tmp_path) as workers:

            def there(phase: State = phase) -> bool:
                run.refresh_from_db()
                assert run.state != State.DONE
                return run.state == phase and (phase == State.COMPARING or run.step_done > 0)

            if phase != PHASES[0]:
                runner.hint(run.pk)
            wait_for(there, 120, workers.said)
            time.sleep(0.2)
            assert leave(workers.process, phase) < IN_TIME
            run.refresh_from_db()
            assert (run.state, stopping.phase(run)) == (State.QUEUED, phase), workers.said()[-3000:]
    with Workers(tmp_path) as workers:
        assert finish(run, told=workers.said).state == State.DONE
    assert run.attempt == len(PHASES) + 1
    assert (run.lines, run.rejected) == (ROWS, ROWS // 100)
    assert run.created + run.superseded == ROWS - ROWS // 100


@pytest.mark.whole
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_export_is_given_back_in_time(tmp_path: Path, kind: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MAKE, [120_000])
    export = export_control.request_export("products", None, format=Export.Format(kind))
    with Workers(tmp_path) as workers:

        def there() -> bool:
            export.refresh_from_db()
            assert export.state != ExportState.DONE
            return export.rows_packed > 0 if kind == "xlsx" else export.rows_done > 0

        exports.hint(export.pk)
        wait_for(there, 90, workers.said)
        assert leave(workers.process, f"export to {kind}") < IN_TIME
        export.refresh_from_db()
        assert export.state == ExportState.QUEUED, workers.said()[-3000:]


def publish(path: Path) -> Import:
    with path.open("rb") as stream:
        file = uploads.keep(None, path.name, stream)
    run = control.submit(file, "people", owner=None, options=Options(queue=True, places=PLACES, format=NO_HEADING))
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.CONSUMING, run.error
    return run


@pytest.mark.whole
@pytest.mark.parametrize("queue_broker", ["valkey", "rabbitmq"], indirect=True)
def test_a_consumer_settles_what_it_has_taken(queue_broker: str, tmp_path: Path, request: Any) -> None:  # noqa: F811
    with (tmp_path / "people.csv").open("wb") as file:
        file.write(FILE.read_bytes())
    run = publish(tmp_path / "people.csv")
    env = worker_env(settings.BROKER_URL) | {"LOADIFY_QUEUE_PREFIX": settings.LOADIFY_QUEUE_PREFIX}
    log = tmp_path / "consumer.log"
    with log.open("wb") as output:
        consumer = subprocess.Popen(
            [sys.executable, "manage.py", "consume_rows", "people"], cwd=ROOT, env=env, stdout=output, stderr=output
        )
    wait_for(lambda: Person.objects.count() > 500, 60, log.read_text)
    assert leave(consumer, f"consumer of {queue_broker.partition(':')[0]}") < IN_TIME
    assert f"{run.published:,}" not in log.read_text()
    assert 500 < Person.objects.count() < 11_000


def test_a_worker_of_webhooks_does_not_wait_for_receivers_that_never_end(
    endpoint: Any,  # noqa: F811
    receiver: Receiver,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOADIFY_WEBHOOK_ALLOW_PRIVATE", "1")
    endpoint("/drips")
    receiver.plays["/drips"] = drip(answer()[:20], b"x")
    with Workers(tmp_path, options=("--queues", "webhooks", "--pool", "threads", "--concurrency", "1")) as worker:
        happen()
        receiver.wait_for(1, 30)
        assert leave(worker.process, "webhooks") < IN_TIME
    # Its lease runs out, and it is tried again: a receiver may get it twice, never not at all.
    assert Delivery.objects.get().state == Delivery.State.DUE
