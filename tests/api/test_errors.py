"""Every error is a problem document, and no operation is open."""

import json
import re

import pytest
from django.core.exceptions import RequestDataTooBig
from django.test import Client

from accounts.models import User
from api.urls import patterns
from api.v1 import api
from tests.api.conftest import Program, problem

pytestmark = pytest.mark.django_db

OPERATIONS = [
    (method.upper(), path.removeprefix("/api/v1"), operation["operationId"])
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1")["paths"].items()
    for method, operation in methods.items()
]


def filled(path: str) -> str:
    return re.sub(r"\{public_id\}", "0188a1b2-1111-4222-8333-444455556666", re.sub(r"\{pk\}", "1", path))


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in OPERATIONS])
def test_no_operation_is_open(method: str, path: str) -> None:
    answer = Program(None)(method, filled(path), {} if method in ("POST", "PATCH") else None)
    assert problem(answer, 401)["detail"] == "Sign in first."
    assert "WWW-Authenticate" in answer.headers


def test_every_address_is_among_the_operations() -> None:
    """What the test above walks through is all there is."""
    known = {re.sub(r"\{.*?\}", "*", path).strip("/") for _, path, _ in OPERATIONS}
    there = {re.sub(r"<.*?>", "*", str(pattern.pattern)) for pattern in patterns}
    assert there - known == {"openapi.json", ""}
    assert known - there == set()


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in OPERATIONS if method != "GET"])
def test_no_change_goes_without_the_csrf_token(anna: User, method: str, path: str) -> None:
    answer = Program(anna)(method, filled(path), {} if method in ("POST", "PATCH") else None, X_CSRFToken="made-up")
    assert "X-CSRFToken" in problem(answer, 403)["detail"]


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/products/", "/products/12/34", "/products/x", "/products/99", "/webhooks/1"]
)
def test_unknown_address_is_404(call: Program, path: str) -> None:
    problem(call("GET", path), 404)


def test_unknown_address_is_404_for_every_method_without_a_csrf_token(anna: User) -> None:
    for method in ("POST", "PATCH", "DELETE"):
        problem(Program(anna)(method, "/products/x%0ay", {}, X_CSRFToken=""), 404)


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_number_that_no_row_can_have_is_404(call: Program, number: int) -> None:
    problem(call("GET", f"/products/{number}"), 404)


def test_method_that_is_not_there_is_405_and_says_which_are(call: Program) -> None:
    answer = call("PUT", "/products/1", {})
    problem(answer, 405)
    assert sorted(answer.headers["Allow"].split(", ")) == ["DELETE", "GET", "PATCH"]


@pytest.mark.parametrize("body", ["{", b"\xff\xfe{}", "[" * 100_000, "nothing"])
def test_body_that_is_not_json_is_400(call: Program, body: str | bytes) -> None:
    assert problem(call("POST", "/products", body), 400)["detail"] == "The body is not JSON."


def test_body_that_says_it_is_something_else_is_415(anna: User) -> None:
    client = Client()
    client.force_login(anna)
    assert "text/csv" in problem(client.post("/api/v1/products", "a,b", content_type="text/csv"), 415)["detail"]
    problem(client.post("/api/v1/products", {"sku": "a"}), 415)


def test_body_that_is_too_large_is_413(call: Program, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    problem(call("POST", "/products", {"sku": "a", "name": "x" * 1_000}), 413)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"/sku": "Field required.", "/name": "Field required."}),
        ([], {"": "Input should be a valid dictionary"}),
        ({"sku": 5, "name": "n"}, {"/sku": "Input should be a valid string."}),
        ({"sku": "a", "name": None}, {"/name": "Input should be a valid string."}),
        ({"sku": "a", "name": "n", "active": "yes"}, {"/active": "Input should be a valid boolean."}),
        ({"sku": "a", "name": "n", "price": 1}, {"/price": "Extra inputs are not permitted."}),
        ({"sku": " ", "name": "n"}, {"/sku": ""}),
        ({"sku": "a" * 101, "name": "n" * 256}, {"/sku": "", "/name": ""}),
        ({"sku": "a\x00b", "name": "n"}, {"/sku": ""}),
    ],
)
def test_body_that_cannot_be_taken_is_422_and_says_where(call: Program, body: object, errors: dict[str, str]) -> None:
    found = problem(call("POST", "/products", body), 422)["errors"]
    assert {error["pointer"] for error in found} == errors.keys()
    for error in found:
        assert error["detail"].startswith(errors[error["pointer"]]) and error["detail"].endswith(".")


def test_text_that_is_no_unicode_is_422(call: Program) -> None:
    assert problem(call("POST", "/products", '{"sku": "\\ud800", "name": "n"}'), 422)["errors"][0]["pointer"] == "/sku"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("?sort=price", "sort"), ("?active=maybe", "active"), ("?q=" + "x" * 300, "q")],
)
def test_parameter_that_cannot_be_taken_is_422_and_says_which(call: Program, query: str, parameter: str) -> None:
    assert [error["parameter"] for error in problem(call("GET", f"/products{query}"), 422)["errors"]] == [parameter]


def test_bug_is_500_without_a_trace_of_the_code(call: Program, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("the inside of things")

    monkeypatch.setattr("api.products._find", broken)
    answer = call("GET", "/products")
    problem(answer, 500)
    assert "inside" not in answer.text and "Traceback" not in answer.text
    assert "the inside of things" in caplog.text


def test_too_big_is_known_by_its_class() -> None:
    """Django raises it while the body is read; an ordinary SuspiciousOperation must not become a 413."""
    assert api._lookup_exception_handler(RequestDataTooBig()) is not api._lookup_exception_handler(ValueError())


def test_problem_documents_are_json_in_utf8(call: Program) -> None:
    answer = call("PUT", "/products/1", {})
    assert json.loads(answer.content.decode()) == answer.json()
