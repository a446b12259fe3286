"""Exports over the API: asked for, followed, steered and fetched."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.models import Role, User
from importer import exports
from importer.models import Export
from products.models import Product
from tests.api.conftest import Program, problem

FIELDS = ["id", "dataset", "state", "format", "from", "to", "raw", "rows", "percent", "rows_per_second", "bytes", "sha256"]
FIELDS += ["error", "created_at", "started_at", "finished_at", "expires_at", "file"]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def bert(transactional_db: None) -> Program:
    """A viewer: exporting is looking."""
    return Program(User.objects.create_user("bert@example.com", role=Role.VIEWER))


@pytest.fixture(autouse=True)
def _no_hints(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    monkeypatch.setattr(exports, "hint", lambda export_id: None)


def ask(call: Program, **more: Any) -> dict[str, Any]:
    answer = call("POST", "/exports", {"dataset": "products", **more})
    assert answer.status_code == 202, answer.content
    made: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/api/v1/exports/{made['id']}"
    return made


def run(made: dict[str, Any]) -> None:
    exports.run(Export.objects.get(public_id=made["id"]).pk)


def test_export_is_asked_for_followed_and_fetched(bert: Program) -> None:
    Product.objects.create(sku="a", name="=1")
    made = ask(bert)
    assert list(made) == FIELDS
    assert (made["state"], made["format"], made["raw"], made["rows"], made["file"]) == ("queued", "csv", False, 0, None)
    assert (made["bytes"], made["sha256"], made["from"], made["started_at"]) == (None, None, None, None)
    path = f"/exports/{made['id']}"
    early = problem(bert("GET", f"{path}/file"), 409)
    assert (early["detail"], early["stored"]["state"]) == ("There is no file: the export is queued.", "queued")
    run(made)
    done = bert("GET", path).json()
    assert (done["state"], done["rows"], done["percent"], done["error"]) == ("done", 1, 100.0, "")
    assert done["started_at"] <= done["finished_at"] < done["expires_at"]
    file = bert("GET", done["file"].removeprefix("/api/v1"))
    content = file.getvalue()
    assert b"'=1" in content
    assert (len(content), hashlib.sha256(content).hexdigest()) == (done["bytes"], done["sha256"])
    assert file.headers["Content-Disposition"] == 'attachment; filename="products-all.csv"'
    assert (file.headers["Content-Type"], file.headers["Content-Length"]) == ("text/csv; charset=utf-8", str(len(content)))


def test_days_format_and_formulas_are_as_asked(bert: Program) -> None:
    made = ask(bert, **{"from": "2024-01-31", "to": "2024-02-29"}, format="xlsx", raw=True)
    assert (made["from"], made["to"], made["format"], made["raw"]) == ("2024-01-31", "2024-02-29", "xlsx", True)
    export = Export.objects.get()
    assert (export.since, export.until, export.escape) == (date(2024, 1, 31), date(2024, 2, 29), False)
    assert ask(bert, **{"from": None, "to": None})["from"] is None


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"dataset": "sweets"}, "/dataset", "sweets"),
        ({"dataset": "products", "format": "pdf"}, "/format", "'csv' or 'xlsx'"),
        ({"dataset": "products", "from": "31-01-2024"}, "/from", "Write the day like 2024-12-31."),
        ({"dataset": "products", "from": 0}, "/from", "Write the day like 2024-12-31."),
        ({"dataset": "products", "to": "2024-02-30"}, "/to", "There is no day 2024-02-30."),
        ({"dataset": "products", "from": "2024-02-02", "to": "2024-02-01"}, "/to", "The last day, 2024-02-01, is before"),
        ({"dataset": "products", "first": "2024-02-02"}, "/first", "Extra inputs are not permitted."),
        ({}, "/dataset", "Field required."),
    ],
)
def test_export_that_cannot_be_made_is_422(bert: Program, body: dict[str, Any], pointer: str, words: str) -> None:
    [error] = problem(bert("POST", "/exports", body), 422)["errors"]
    assert error["pointer"] == pointer and words in error["detail"]
    assert not Export.objects.exists()


def test_exports_are_for_those_who_made_them_and_admins(anna: User, bert: Program) -> None:
    made = ask(bert)
    other = Program(User.objects.create_user("cleo@example.com", role=Role.EDITOR))
    sentence = "Only the person who started an export, and admins, may see it."
    for method, tail in (("GET", ""), ("GET", "/file"), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/cancel")):
        assert problem(other(method, f"/exports/{made['id']}{tail}"), 403)["detail"] == sentence
        problem(other(method, f"/exports/{uuid.uuid4()}{tail}"), 404)
    mine = ask(other)

    def listed(who: Program) -> list[str]:
        return [item["id"] for item in who("GET", "/exports").json()["items"]]

    assert (listed(other), listed(bert), listed(Program(anna))) == ([mine["id"]], [made["id"]], [mine["id"], made["id"]])
    assert Program(anna)("GET", f"/exports/{made['id']}").status_code == 200


def test_export_is_paused_resumed_and_cancelled(bert: Program) -> None:
    path = f"/exports/{ask(bert)['id']}"
    assert [bert("POST", f"{path}/{verb}").json()["state"] for verb in ("pause", "pause", "resume", "cancel", "cancel")] == [
        "paused",
        "paused",
        "queued",
        "cancelled",
        "cancelled",
    ]
    refused = problem(bert("POST", f"{path}/resume"), 409)
    assert refused["detail"] == "There is nothing to resume: the export is cancelled."
    assert refused["stored"]["state"] == "cancelled"
    assert problem(bert("GET", f"{path}/file"), 409)["detail"] == "There is no file: the export is cancelled."


def test_file_whose_days_are_over_is_410(bert: Program) -> None:
    made = ask(bert)
    run(made)
    export = Export.objects.get()
    default_storage.delete(export.path)
    problem(bert("GET", f"/exports/{made['id']}/file"), 410)
    Export.objects.update(expires_at=timezone.now() - timedelta(days=1))
    exports.expire()
    assert bert("GET", f"/exports/{made['id']}").json()["file"] is None
    assert "export again" in problem(bert("GET", f"/exports/{made['id']}/file"), 410)["detail"]


def test_cursors_lead_through_the_exports(bert: Program) -> None:
    made = [ask(bert)["id"] for _ in range(26)]
    first = bert("GET", "/exports").json()
    second = bert("GET", f"/exports?cursor={first['next']}").json()
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert (first["previous"], second["next"]) == (None, None)
    assert bert("GET", f"/exports?cursor={second['previous']}").json()["items"] == first["items"]
