"""Links to original files: they work for a while, for whom they were made, and as long as that person may have the file."""

import time
from uuid import uuid4

import pytest
from django.core import signing
from django.test import Client

from accounts.models import User
from importer.models import Import
from pages import signed

FILE = "sku,name,description\na,One,\n"


@pytest.fixture
def ada(transactional_db):
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


@pytest.fixture
def run(load, ada):
    run = load(FILE)
    Import.objects.update(owner=ada)
    run.refresh_from_db()
    return run


def link(client: Client, run: Import, user: User) -> str:
    client.force_login(user)
    answer = client.get(f"/imports/{run.public_id}/file")
    assert answer.status_code == 302
    assert "no-store" in answer["Cache-Control"]
    return answer["Location"]


def test_a_link_works_without_a_session(client, run, ada):
    answer = Client().get(link(client, run, ada))
    assert b"".join(answer.streaming_content) == FILE.encode()
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="file.csv"'
    assert answer["Content-Length"] == str(len(FILE))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]


def test_nobody_else_gets_a_link(client, run):
    client.force_login(User.objects.create_user("bob@example.com", role="editor"))
    assert client.get(f"/imports/{run.public_id}/file").status_code == 403
    client.logout()
    assert client.get(f"/imports/{run.public_id}/file")["Location"].startswith("/accounts/login/")


def test_a_link_expires(client, run, ada, settings, monkeypatch):
    address = link(client, run, ada)
    later = time.time() + settings.LOADIFY_LINK_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    answer = Client().get(address)
    assert (answer.status_code, "The link has expired." in answer.content.decode()) == (410, True)


def test_a_link_that_was_changed_opens_nothing(client, run, ada):
    address = link(client, run, ada)
    head, _, tail = address.partition(":")
    other = signing.dumps(["import", run.public_id.hex, ada.pk], salt="another")
    for changed in (f"{head}x:{tail}", f"{address[:-1]}{'A' if address[-1] != 'A' else 'B'}", f"/files/{other}", "/files/x"):
        answer = Client().get(changed)
        assert (answer.status_code, "is not one of this site" in answer.content.decode()) == (403, True), changed


def test_a_link_ends_with_the_right_to_the_file(client, run, ada):
    staff = User.objects.create_user("staff@example.com", role="admin")
    address = link(client, run, staff)
    User.objects.filter(pk=staff.pk).update(role="editor", is_staff=False)
    assert Client().get(address).status_code == 403
    address = link(client, run, ada)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert Client().get(address).status_code == 403


def test_a_link_to_what_is_not_there_says_no_more_than_a_forged_one(ada, db):
    for kind, public_id, user_id in (("import", uuid4(), ada.pk), ("import", uuid4(), 0), ("nothing", uuid4(), ada.pk)):
        answer = Client().get(f"/files/{signed.token(signed.Link(kind, public_id, user_id))}")
        assert answer.status_code == 403


def test_a_head_of_a_link_sends_no_body(client, run, ada):
    answer = Client().head(link(client, run, ada))
    assert b"".join(answer.streaming_content) == b""
