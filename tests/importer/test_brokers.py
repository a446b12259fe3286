"""The hints travel over every broker Loadify supports; while there is none, nobody waits for it and nothing is lost."""

import io
import subprocess
import sys

import pytest
from django.conf import settings

from importer import control, runner
from importer.intake import uploads
from importer.models import Import
from importer.states import State
from tests.importer.workers import ROOT, Workers, wait_for, worker_env

pytestmark = pytest.mark.django_db(transaction=True)

FILE = b"sku,name,description\n" + b"".join(b"s-%d,Name,words\n" % n for n in range(50))
HINT = """
import time, django; django.setup()
from importer import runner
began = time.monotonic()
runner.hint({pk})
print(time.monotonic() - began)
"""


def submit(monkeypatch: pytest.MonkeyPatch) -> Import:
    with monkeypatch.context() as patch:
        patch.setattr(runner, "hint", lambda pk: None)
        return control.submit(uploads.keep(None, "file.csv", io.BytesIO(FILE)), "products", owner=None)


def hint(run: Import, broker: str) -> tuple[float, str]:
    """Send the hint from a process of its own, as a page would; returns the seconds it took and what was logged."""
    sent = subprocess.run(
        [sys.executable, "-c", HINT.format(pk=run.pk)],
        cwd=ROOT,
        env=worker_env(broker),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return float(sent.stdout.split()[-1]), sent.stderr


@pytest.mark.slow
@pytest.mark.every
@pytest.mark.parametrize("broker", ["valkey", "redis", "rabbitmq"])
def test_a_hint_starts_an_import(broker, request, tmp_path, monkeypatch):
    url = settings.BROKER_URL if broker == "valkey" else request.getfixturevalue(f"{broker}_url")
    with Workers(tmp_path, url) as workers:
        run = submit(monkeypatch)
        hint(run, url)
        wait_for(lambda: Import.objects.filter(pk=run.pk, state=State.DONE).exists(), 60, workers.said)


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:9/0", "redis://127.0.0.1:9/x", "amqp://guest:guest@127.0.0.1:9//"])
def test_a_broker_that_is_away_neither_stops_nor_slows_a_person(broker, monkeypatch):
    run = submit(monkeypatch)
    seconds, logged = hint(run, broker)
    # Far less; a machine that is busy may take its time.
    assert seconds < 15
    assert "starts when the sweep finds it" in logged
    run.refresh_from_db()
    assert run.state == State.QUEUED


@pytest.mark.parametrize(("right", "wrong"), [("guest:guest@", "guest:wrong@"), ("5672//", "5672/nowhere")])
def test_a_broker_that_lets_nobody_in_stops_no_person(rabbitmq_url, right, wrong, monkeypatch):
    run = submit(monkeypatch)
    _, logged = hint(run, rabbitmq_url.replace(right, wrong))
    assert "starts when the sweep finds it" in logged and "wrong" not in logged
