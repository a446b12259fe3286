"""/readyz says what is missing in time, costs little however often it is asked, and names no address."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from importer.intake import identity
from loadify import checks, health
from loadify.health import Readiness


@pytest.fixture
def storage_of_the_test(settings, tmp_path):
    backend = {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    return tmp_path


@pytest.fixture
def ready(transactional_db, monkeypatch, storage_of_the_test) -> Client:
    """Asks a site that remembers nothing of other tests."""
    monkeypatch.setattr(health, "readiness", Readiness(checks.READY))
    return Client()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody takes connections there and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_readyz_of_a_site_that_has_all_it_needs(ready, storage_of_the_test):
    answer = ready.get("/readyz")
    ok = {"database": "ok", "migrations": "ok", "broker": "ok", "storage": "ok"}
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": ok})
    assert "no-store" in answer["Cache-Control"]
    assert list((storage_of_the_test / "health").iterdir()) == []


@pytest.mark.parametrize("url", ["redis://:s3cret@127.0.0.1:{}/0", "amqp://me:s3cret@127.0.0.1:{}//", "nonsense"])
def test_broker_that_is_away_or_silent_does_not_hold_readyz_up(ready, settings, silent_port, url):
    settings.BROKER_URL = url.format(silent_port)
    began = time.monotonic()
    answer = ready.get("/readyz")
    assert time.monotonic() - began < health.LIMIT + 0.5
    found = answer.json()
    assert (answer.status_code, found["ready"], found["checks"]["database"]) == (503, False, "ok")
    assert found["checks"]["broker"].startswith(("The broker does not answer.", "There was no answer within 2 seconds."))
    assert "s3cret" not in answer.text and "127.0.0.1" not in answer.text


def test_migration_that_is_not_applied_is_named(ready):
    [last] = MigrationRecorder.Migration.objects.filter(app="students").order_by("-id")[:1]
    MigrationRecorder(connection).record_unapplied("students", last.name)
    try:
        found = ready.get("/readyz").json()["checks"]["migrations"]
    finally:
        MigrationRecorder(connection).record_applied("students", last.name)
    assert found == f"Migrations are not applied: 1, beginning with students.{last.name}."


def test_storage_of_another_database_is_told(ready, storage_of_the_test, monkeypatch):
    identity._check()
    (storage_of_the_test / ".storage-id").write_text("another")
    monkeypatch.setattr(identity, "_known", False)
    answer = ready.get("/readyz")
    said = "Storage is not the one in which the files of this database lie."
    assert (answer.status_code, answer.json()["checks"]["storage"]) == (503, said)


def test_storage_that_cannot_be_written_to_is_told(ready, storage_of_the_test):
    (storage_of_the_test / "health").write_text("in the way")
    answer = ready.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["storage"]) == (503, "A file cannot be written to storage.")
    assert str(storage_of_the_test) not in answer.text


def test_database_that_is_away_is_told_without_its_address(ready, monkeypatch):
    # Threads of the checks open connections of their own by these settings.
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", "1")
        answer = ready.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "The database does not answer."
    assert "127.0.0.1" not in answer.text


def test_check_that_hangs_is_asked_once_and_costs_one_thread():
    go_on, runs = threading.Event(), []

    def hangs() -> str:
        runs.append(1)
        go_on.wait(30)
        return ""

    asked = Readiness({"slow": (hangs, 60), "quick": (str, 60)})
    before = threading.active_count()
    for _ in range(5):
        assert asked.ask(0.02) == {"slow": "There was no answer within 0.02 seconds.", "quick": "ok"}
    assert (len(runs), threading.active_count() - before) == (1, 2)
    go_on.set()
    assert asked.ask(30) == {"slow": "ok", "quick": "ok"}
    assert len(runs) == 1


def test_answer_that_is_good_for_a_while_is_not_asked_for_again():
    runs: list[int] = []

    def counted() -> str:
        runs.append(1)
        return ""

    asked = Readiness({"a": (counted, 60)})
    assert [asked.ask(10) for _ in range(3)] == [{"a": "ok"}] * 3
    assert len(runs) == 1
    short = Readiness({"a": (counted, -1)})
    assert [short.ask(10) for _ in range(3)] == [{"a": "ok"}] * 3
    assert len(runs) == 4
