"""The switch "take no new imports": every door refuses with the reason, what was begun goes on, and nothing slips through."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client

from accounts import tokens
from accounts.models import AuditEntry, Right, User
from importer import control, maintenance, runner, tasks, unattended
from importer.intake import uploads
from importer.models import Import, Maintenance, StoredFile
from importer.states import State
from tests.importer.test_prepare import form_of

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = "sku,name,description\na,One,\n"
SENTENCE = (
    "No new imports are taken at the moment: the database is being moved, until 14:00. Those that were begun go on; try again "
    "later."
)
REASON = "the database is being moved, until 14:00"


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_nothing_begins_and_what_was_begun_goes_on(submit, bob: User) -> None:
    queued = submit(ROWS)
    file = uploads.keep(None, "late.csv", io.BytesIO(ROWS.encode()))
    upload = uploads.begin(bob, "parts.csv", 10)
    maintenance.close(bob, REASON)
    for begin in (
        lambda: control.submit(file, "products", None),
        lambda: uploads.keep(None, "a.csv", io.BytesIO(b"a")),
        lambda: uploads.begin(bob, "a.csv", 1),
    ):
        with pytest.raises(maintenance.Closed) as refused:
            begin()
        assert str(refused.value) == SENTENCE
    assert uploads.append(bob, upload.public_id, 0, io.BytesIO(b"x" * 10), 10).completed_at, "an upload goes on"
    runner.run(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.DONE
    assert Import.objects.count() == 1
    control.undo(queued, None)
    maintenance.open_again(bob)
    assert control.submit(file, "products", None).state == State.QUEUED


def test_every_turn_of_the_switch_is_written_down_once(bob: User) -> None:
    maintenance.close(bob, "one")
    maintenance.close(bob, "one")
    since = Maintenance.objects.get().closed_at
    maintenance.close(None, "two")
    assert Maintenance.objects.get().closed_at == since
    maintenance.open_again(bob)
    maintenance.open_again(bob)
    said = AuditEntry.objects.filter(kind="maintenance").order_by("pk").values_list("person__email", "detail")
    assert list(said) == [
        ("bob@example.com", "No new imports are taken. one"),
        (None, "No new imports are taken. two"),
        ("bob@example.com", "New imports are taken again."),
    ]


def test_who_is_queueing_while_somebody_closes_comes_first_and_nobody_after(submit) -> None:
    """Else an import could be queued after the command has said that none is."""
    submit(ROWS)
    file = StoredFile.objects.get()
    closed = threading.Event()

    def close() -> None:
        try:
            maintenance.close(None, "")
            closed.set()
        finally:
            connection.close()

    closer = threading.Thread(target=close)
    with transaction.atomic():
        control.submit(file, "products", None)
        closer.start()
        assert not closed.wait(0.3), "it waits for the import that is being queued"
    assert closed.wait(10)
    closer.join()
    assert Import.objects.count() == 2
    with pytest.raises(maintenance.Closed):
        control.submit(file, "products", None)


def test_programs_hear_503_and_when_to_ask_again(ada: User, submit, client: Client) -> None:
    submit(ROWS)
    file = uploads.keep(ada, "late.csv", io.BytesIO(ROWS.encode()))
    maintenance.close(None, REASON)
    _, key = tokens.make(ada, "shop", tuple(Right))
    who = {"Authorization": f"Bearer {key}"}
    begun = client.post("/uploads/", headers=who | {"Tus-Resumable": "1.0.0", "Upload-Length": "11"})
    assert (begun.status_code, begun["Retry-After"], begun.content.decode()) == (503, "120", f"{SENTENCE}\n")
    named = json.dumps({"upload": str(file.public_id), "dataset": "products"})
    for sent in (
        client.post("/api/v1/imports", {"file": SimpleUploadedFile("a.csv", ROWS.encode())}, headers=who),
        client.post("/api/v1/imports", named, content_type="application/json", headers=who),
    ):
        assert (sent.status_code, sent["Retry-After"], sent.json()["detail"]) == (503, "120", SENTENCE)
        assert sent["Content-Type"] == "application/problem+json"
    assert Import.objects.count() == 1


def test_pages_say_it_to_those_who_import_and_offer_no_form(ada: User, client: Client, submit) -> None:
    client.force_login(ada)
    assert "No new imports" not in text(client.get("/imports/"))
    assert 'type="file"' in text(client.get("/imports/new/"))
    maintenance.close(None, REASON)
    assert SENTENCE in text(client.get("/imports/"))
    page = text(client.get("/imports/new/"))
    assert (page.count(SENTENCE), 'type="file"' in page, "upload.js" in page) == (1, False, False)
    posted = client.post("/imports/new/", {"dataset": "products", "file": SimpleUploadedFile("a.csv", ROWS.encode())})
    assert (posted.status_code, posted["Retry-After"], SENTENCE in text(posted)) == (503, "120", True)
    client.force_login(User.objects.create_user("eve@example.com", role="viewer"))
    assert "No new imports" not in text(client.get("/imports/"))


def test_file_that_was_prepared_is_refused_with_the_reason(ada: User, client: Client, submit) -> None:
    file = submit(ROWS).file
    StoredFile.objects.filter(pk=file.pk).update(owner=ada)
    client.force_login(ada)
    address = f"/imports/prepare/{file.public_id}/?dataset=products"
    fields = form_of(client.get(address)) | {"start": "1", "mode": "apply"}
    maintenance.close(None, REASON)
    refused = client.post(address, fields)
    assert (refused.status_code, SENTENCE in text(refused)) == (422, True)
    maintenance.open_again(None)
    assert client.post(address, fields).status_code == 302
    assert Import.objects.count() == 2


def test_folder_is_left_as_it_is(tmp_path: Path, settings: Any, submit) -> None:
    settings.LOADIFY_FOLDER, settings.LOADIFY_FOLDER_SETTLE = str(tmp_path / "in"), 0
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "products.csv").write_text(ROWS)
    maintenance.close(None, REASON)
    tasks.scan()
    (outcome,) = unattended.take_all(tmp_path / "in", 0, unattended.Wish())
    assert (outcome.problem, outcome.waits) == (SENTENCE, True)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["products.csv"]
    maintenance.open_again(None)
    tasks.scan()
    assert Import.objects.count() == 1
    assert [path.name for path in (tmp_path / "in" / "done").iterdir()] == ["products.csv"]


def test_file_that_was_taken_just_before_is_kept_for_later(tmp_path: Path, submit, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "products.csv").write_text(ROWS)
    decide = unattended.decide

    def meanwhile(*arguments: Any) -> unattended.Decision:
        maintenance.close(None, REASON)
        return decide(*arguments)

    monkeypatch.setattr(unattended, "decide", meanwhile)
    (outcome,) = unattended.take_all(tmp_path / "in", 0, unattended.Wish())
    assert (outcome.problem, outcome.waits) == (SENTENCE, True)
    assert not (tmp_path / "in" / "failed").exists()
    monkeypatch.undo()
    maintenance.open_again(None)
    (outcome,) = unattended.take_all(tmp_path / "in", 0, unattended.Wish())
    assert outcome.run is not None
    assert StoredFile.objects.count() == 1


def test_admin_turns_the_switch_on_its_page(bob: User, ada: User, client: Client) -> None:
    client.force_login(ada)
    assert client.post("/maintenance/", {"reason": REASON}).status_code == 403
    client.force_login(bob)
    assert "No import runs, and none waits in line." in text(client.get("/maintenance/"))
    assert client.post("/maintenance/", {"reason": "x" * 201}).status_code == 422
    assert maintenance.closed() is None
    assert client.post("/maintenance/", {"reason": REASON})["Location"] == "/maintenance/"
    Import.objects.create(dataset="products", state=State.STAGING)
    page = text(client.get("/maintenance/"))
    assert f"by Bob: {REASON}" in page and "1 import runs and 0 wait in line." in page
    client.post("/maintenance/", {"open": "yes"})
    assert maintenance.closed() is None


def test_command_turns_it_too(submit, tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        out = io.StringIO()
        call_command("take_imports", *arguments, stdout=out)
        return out.getvalue()

    assert said("off", "--reason", REASON) == f"{SENTENCE}\n"
    (tmp_path / "a.csv").write_text(ROWS)
    with pytest.raises(CommandError, match="No new imports are taken"):
        call_command("import_file", "products", str(tmp_path / "a.csv"))
    with pytest.raises(CommandError, match="has 201 characters"):
        said("off", "--reason", "x" * 201)
    with pytest.raises(CommandError, match="only while no imports"):
        said("on", "--reason", "why")
    assert said("on") == "New imports are taken.\n"
    assert said("off") == "No new imports are taken at the moment. Those that were begun go on; try again later.\n"
