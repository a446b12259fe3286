"""Programs that talk JSON: one that is signed in, and one with a token."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from accounts import tokens
from accounts.models import Right, Role, User
from importer import runner
from webhooks import hints

#: A file of products that is good.
GOOD = b"sku,name,description\nA-1,One,first\nA-2,Two,second\n"


class Program:
    """Sends JSON with the CSRF token of its session, as a script in a page would; or with a bearer token and no session."""

    def __init__(self, person: User | None = None, key: str = "") -> None:
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        self.key = key
        if person:
            self.client.force_login(person)
            self.client.get("/products/")

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        token = self.client.cookies["csrftoken"].value if "csrftoken" in self.client.cookies else ""
        who = {"Authorization": f"Bearer {self.key}"} if self.key else {"X-CSRFToken": token}
        sent = who | {name.replace("_", "-"): value for name, value in headers.items()}
        data = "" if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.client.generic(method, f"/api/v1{path}", data, content_type="application/json", headers=sent)


class Shop:
    """A program of somebody's, with a token; it sends forms and JSON."""

    def __init__(self, user: User, *scopes: Right) -> None:
        _, key = tokens.make(user, "shop", scopes or tuple(Right))
        self.headers = {"Authorization": f"Bearer {key}"}
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def send(self, content: bytes, name: str = "products.csv", **fields: Any) -> HttpResponse:
        data = {"file": SimpleUploadedFile(name, content), **fields}
        return self.client.post("/api/v1/imports", data, headers=self.headers)

    def get(self, path: str) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        data = "" if body is None else json.dumps(body)
        return self.client.generic("POST", f"/api/v1{path}", data, content_type="application/json", headers=sent)


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna@example.com", role=Role.ADMIN)


@pytest.fixture
def call(anna: User) -> Program:
    return Program(anna)


@pytest.fixture
def eva(db: None) -> User:
    return User.objects.create_user("eva@example.com", role=Role.EDITOR)


@pytest.fixture
def shop(eva: User, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(runner, "hint", lambda pk: None)
    return Shop(eva)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    monkeypatch.setattr(hints, "give", lambda *_: None)
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = True
    # tests/api/test_rates.py counts.
    settings.LOADIFY_API_RATE = 0


def problem(answer: HttpResponse, status: int) -> dict[str, Any]:
    """The problem document of an answer, after looking at its form (RFC 9457)."""
    assert answer.status_code == status, answer.content[:500]
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found.keys() >= {"type", "title", "status", "detail", "instance"}
    assert (found["type"], found["status"], found["instance"]) == ("about:blank", status, answer.wsgi_request.path)
    assert found["detail"].endswith(".")
    return found
