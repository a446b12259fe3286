"""Consumers whose database is another one than the site's: SQLite and MariaDB, two of them at once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from importer import results
from importer.models import DeadLetter, Import
from importer.states import State
from tests.elsewhere import environment
from tests.importer.test_consumers import FILE, send_twice
from tests.importer.test_queue import message, put
from tests.site import ROOT

#: A third of the file, among which 137 say an e-mail again; all of it goes through the queue to PostgreSQL.
LINES = FILE.read_bytes().splitlines(keepends=True)[:4_000]
PEOPLE = 3_863


def told(url: str, folder: Path, run: Import) -> None:
    """Store every message on the database at `url`, and compare what its tables and the import say."""
    put(message(run.public_id, 20_000, "nobody"), message(run.public_id, 20_001, "b@example.org", values=7))
    env = environment(url, folder, BROKER_URL=settings.BROKER_URL, LOADIFY_QUEUE_PREFIX=settings.LOADIFY_QUEUE_PREFIX)

    def start(what: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.importer.consumer_site", what]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(process: "subprocess.Popen[str]") -> str:
        out, problems = process.communicate(timeout=200)
        assert process.returncode == 0, problems[-3000:]
        return out

    finish(start("migrate"))
    for process in [start("consume"), start("consume")]:
        finish(process)
    people, inbox, imports, first = json.loads(finish(start("tell")))
    assert (people, inbox, imports) == (PEOPLE, 4_002, 0)
    assert first[0][1] < first[1][1]
    for _ in range(10):
        results.collect()
    run.refresh_from_db()
    assert (run.created, run.unchanged, run.rejected) == (PEOPLE, 4_000 - PEOPLE, 2)
    assert run.state == State.DONE
    assert sorted(DeadLetter.objects.values_list("line", "run")) == [(20_000, run.pk), (20_001, run.pk)]


@pytest.mark.slow
@pytest.mark.parametrize("queue_broker", ["rabbitmq"], indirect=True)
def test_sqlite_stores_people(queue_broker: str, submit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path, send_twice(submit, monkeypatch, b"".join(LINES)))


@pytest.mark.slow
@pytest.mark.parametrize("queue_broker", ["redis"], indirect=True)
def test_mariadb_stores_people(
    queue_broker: str, submit: Any, monkeypatch: pytest.MonkeyPatch, mariadb_url: str, tmp_path: Path
) -> None:
    told(mariadb_url, tmp_path, send_twice(submit, monkeypatch, b"".join(LINES)))
