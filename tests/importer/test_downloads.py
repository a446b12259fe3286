"""The original file and the rejects as CSV: for the owner and staff, harmless in a spreadsheet, ready to upload again."""

import asyncio
import csv
import io

import pytest
from django.test import AsyncClient

from accounts.models import User
from importer import downloads
from importer.models import Import, Reject
from products.models import Product

BAD = 'Extra,SKU,Name,Description\n1,a,One,\n2,,=cmd|x,"two\nlines"\n3,c,Three\n4,d,D,,more\n'


@pytest.fixture
def ada(transactional_db):
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


@pytest.fixture
def run(load, ada):
    run = load(BAD, name="spring “1”\r\n.csv")
    Import.objects.update(owner=ada)
    run.refresh_from_db()
    return run


def body(response) -> bytes:
    return b"".join(response.streaming_content)


def test_the_original_file_comes_back_byte_for_byte_as_an_attachment(client, run, ada, monkeypatch):
    monkeypatch.setattr(downloads, "BLOCK", 10)
    client.force_login(ada)
    answer = client.get(f"/imports/{run.public_id}/file", follow=True)
    assert body(answer) == BAD.encode()
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Length"] == str(len(BAD.encode()))
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''spring%20%E2%80%9C1%E2%80%9D")
    assert "\n" not in answer["Content-Disposition"]


@pytest.mark.parametrize("path", ["file", "rejects.csv"])
def test_downloads_are_for_the_owner_and_staff(client, run, path):
    address = f"/imports/{run.public_id}/{path}"
    assert client.get(address)["Location"].startswith("/accounts/login/")
    client.force_login(User.objects.create_user("bob@example.com", role="editor"))
    assert client.get(address).status_code == 403
    client.force_login(User.objects.create_user("staff@example.com", role="admin"))
    assert client.get(address, follow=True).status_code == 200
    assert client.post(address).status_code == 405


def test_a_file_that_is_gone_is_said_to_be_gone(client, run, ada, tmp_path):
    client.force_login(ada)
    (tmp_path / run.file.path).unlink()
    answer = client.get(f"/imports/{run.public_id}/file", follow=True)
    assert (answer.status_code, "is not in storage any more" in answer.content.decode()) == (410, True)


def test_rejects_keep_their_cells_and_are_harmless_in_a_spreadsheet(client, run, ada, monkeypatch):
    monkeypatch.setattr(downloads, "PIECE", 2)
    client.force_login(ada)
    answer = client.get(f"/imports/{run.public_id}/rejects.csv")
    assert "no-store" in answer.headers["Cache-Control"]
    content = body(answer).decode()
    assert content.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")))
    reasons = dict(Reject.objects.values_list("line", "reason"))
    assert rows == [
        ["line", "reason", "Extra", "SKU", "Name", "Description"],
        ["3", reasons[3], "2", "", "'=cmd|x", "two\nlines"],
        ["5", reasons[5], "3", "c", "Three"],
        ["6", reasons[6], "4", "d", "D", "", "more"],
    ]


def test_mended_rejects_are_imported_and_those_left_are_not_widened(client, run, ada, load):
    client.force_login(ada)
    content = body(client.get(f"/imports/{run.public_id}/rejects.csv")).decode()
    again = load(content.replace(",2,,", ",2,b,").replace("4,d,D,,more", "4,d,D,"), name="mended.csv")
    assert (again.lines, again.created, again.rejected) == (3, 2, 1)
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["a", "b", "d"]
    Import.objects.update(owner=ada)
    twice = body(client.get(f"/imports/{again.public_id}/rejects.csv")).decode()
    rows = list(csv.reader(io.StringIO(twice.removeprefix("\ufeff"))))
    assert rows[0] == ["line", "reason", "Extra", "SKU", "Name", "Description"]
    assert [row[2:] for row in rows[1:]] == [["3", "c", "Three"]]


def test_an_import_that_knows_no_heading_says_where_columns_were_found(run):
    run.checkpoint = {"places": {"sku": 1, "name": 2, "description": 3}, "width": 4}
    assert downloads.heading(run) == ["", "sku", "name", "description"]
    run.checkpoint = {}
    assert downloads.heading(run)[:3] == ["sku", "name", "description"]


async def _read(path: str, run: Import, user: User) -> bytes:
    client = AsyncClient()
    await client.aforce_login(user)
    answer = await client.get(f"/imports/{run.public_id}/{path}", follow=True)
    return b"".join([piece async for piece in answer.streaming_content])


def test_a_server_that_waits_for_its_clients_sends_the_same(client, run, ada):
    client.force_login(ada)
    for path in ("file", "rejects.csv"):
        assert asyncio.run(_read(path, run, ada)) == body(client.get(f"/imports/{run.public_id}/{path}", follow=True))
