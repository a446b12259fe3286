"""Live events for programs with a token, through a real web process."""

import pytest
import requests

from accounts import tokens
from accounts.models import Right, User
from importer.models import Import
from importer.states import State
from importer.told import told
from loadify.live import LOOK
from tests.importer.live_web import Viewer, Web, step


@pytest.fixture(scope="module")
def web(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), Web() as web:
        yield web


def test_program_with_a_token_follows_an_import(web: Web, transactional_db: None) -> None:
    viewer = User.objects.create_user("vera@example.com")
    token, key = tokens.make(viewer, "watch", [Right.READ])
    headers = {"Authorization": f"Bearer {key}"}
    run = Import.objects.create(dataset="products", state=State.STAGING, version=3, attempt=1)
    path = f"/api/v1/imports/{run.public_id}/events"

    with Viewer(web.port, path, headers=headers) as program:
        first = program.snapshot()
        assert (first["version"], first["state"], first["phase"], first["lines"]) == (3, "staging", "staging", 0)
        assert first.keys() == told(run).keys()
        step(run, lines=1000)
        assert program.snapshot_of(run.version)["lines"] == 1000

    once = requests.get(f"{web.url}{path}?once=1", headers=headers, timeout=20)
    assert (once.status_code, once.headers["Content-Type"]) == (200, "text/event-stream")
    assert once.text.count("event: snapshot") == 1
    # Nothing in the query leads to another import, nor a program to what pages are told.
    with Viewer(web.port, f"{path}?channel=import-{run.public_id}", headers=headers) as program:
        assert "html" not in program.snapshot()

    def refused(path: str, **headers: str) -> tuple[int, str]:
        answer = requests.get(web.url + path, headers=headers, timeout=20)
        return answer.status_code, answer.headers["Content-Type"]

    assert refused(path) == (401, "application/problem+json")
    assert refused(path.replace(str(run.public_id), "0195aaaa-bbbb-7ccc-8ddd-eeeeffff0000"), **headers) == (
        404,
        "application/problem+json",
    )
    with Viewer(web.port, path, headers=headers) as program:
        program.snapshot()
        assert program.silent(LOOK + 1)
        tokens.revoke(token, viewer)
        with pytest.raises(EOFError):
            program.snapshot(LOOK + 10)
    assert refused(path, **headers) == (401, "application/problem+json")
