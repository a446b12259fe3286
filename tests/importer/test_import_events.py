"""Webhooks hear of the end of an import: once, in the same transaction, and never of its rows."""

import json
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from importer import control, runner, sweep
from importer.models import Heartbeat, Import
from importer.states import State
from webhooks.models import Event

GOOD = "sku,name,description\na,A,x\nb,B,y\n,nobody,z\n"


def events() -> list[dict[str, object]]:
    return [json.loads(bytes(event.body)) for event in Event.objects.order_by("pk")]


def test_import_that_is_done_is_told_once_with_its_counts(load) -> None:
    run = load(GOOD)
    [event] = events()
    assert event["type"] == "import.completed"
    told = event["data"]["import"]
    assert told["id"] == str(run.public_id)
    assert told["state"] == run.state == "done"
    assert (told["lines"], told["created"], told["updated"], told["rejected"]) == (3, 2, 0, 1)
    assert told["url"] == f"http://127.0.0.1:8000/imports/{run.public_id}/"
    assert told["started_at"] is not None and told["finished_at"] is not None


def test_import_that_fails_is_told_with_its_sentence(load) -> None:
    run = load("sku,name\na,A\n")
    [event] = events()
    assert event["type"] == "import.failed"
    assert event["data"]["import"]["error"] == run.error
    assert "no column “description”" in run.error


def test_import_whose_workers_keep_dying_is_told_as_failed(submit) -> None:
    run = submit(GOOD)
    Import.objects.filter(pk=run.pk).update(state=State.STAGING, attempt=sweep.DEATHS)
    past = timezone.now() - timedelta(minutes=1)
    Heartbeat.objects.create(run=run, attempt=sweep.DEATHS, worker="gone", beat_at=past, lease_until=past)
    sweep.revive()
    [event] = events()
    assert (event["type"], event["data"]["import"]["state"]) == ("import.failed", "failed")


def test_event_that_cannot_be_recorded_does_not_keep_an_import_from_its_end(load, monkeypatch, caplog) -> None:
    def refuse(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_function()")

    monkeypatch.setattr("webhooks.outbox.record", refuse)
    run = load(GOOD)
    assert (run.state, run.created, events()) == (State.DONE, 2, [])
    assert "no_such_function" in caplog.text


def test_import_that_is_cancelled_or_undone_is_told(submit, load) -> None:
    control.cancel(submit(GOOD), None, roll_back=False)
    run = load(GOOD)
    control.undo(run, None)
    runner.run(run.pk)
    assert [event["type"] for event in events()] == ["import.cancelled", "import.completed", "import.undone"]
    assert [event["data"]["import"]["state"] for event in events()] == ["cancelled", "done", "undone"]
