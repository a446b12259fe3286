"""What no program should send is answered, and nothing of it breaks anything."""

import os
import re
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from api.v1 import api
from tests.api.conftest import Program

pytestmark = pytest.mark.django_db

PATHS: dict[str, dict[str, Any]] = api.get_openapi_schema(path_prefix="/api/v1")["paths"]
ODD = ["%00", "%", "%ff%fe", "%ed%a0%80", "%F0%9F%98%80", "x" * 5_000, "-1", str(10**30), "null", "[]", "%0d%0aX:y", "%D9%A3"]
BODIES = ["null", "[]", '"x"', "1e999", "NaN", '{"\\u0000": 1}', '{"sku": "\\u0000", "url": "\\ud800", "since": 1e400}']
BODIES += ['{"dataset": "\\u0000", "upload": "x", "events": [[]], "seen": 1e30}', "{" + '"a":{' * 2_000]


def filled(path: str, value: str) -> str:
    return re.sub(r"\{\w+\}", value, path)


def odd() -> Iterator[tuple[str, str, str]]:
    """Each operation with some odd values in its path, and in each parameter of its query; all with LOADIFY_FULL=1."""
    values = cycle(ODD)
    some = len(ODD) if os.environ.get("LOADIFY_FULL") == "1" else 2
    for path, operations in PATHS.items():
        for method, operation in operations.items():
            if "{" in path:
                yield from ((method, filled(path, value), "") for value in islice(values, some))
            names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
            real = re.sub(r"\{public_id\}", "0198a1b2-1111-7222-8333-444455556666", path).replace("{name}", "contacts")
            for name in names:
                yield from ((method, re.sub(r"\{\w+\}", "1", real), f"{name}={value}") for value in islice(values, some))


def test_odd_paths_and_queries_are_answered_with_problems(anna: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(anna)
    wrong = []
    for method, path, query in odd():
        answer = client.generic(method.upper(), path, query_params=None, QUERY_STRING=query)
        told = answer.headers["Content-Type"] == "application/problem+json" or answer.status_code < 400
        if answer.status_code >= 500 or not told:
            wrong.append((method, path[:80], query[:80], answer.status_code))
    assert wrong == []


def test_odd_bodies_are_answered_with_problems(call: Program) -> None:
    wrong = []
    for path, operations in PATHS.items():
        for method, operation in operations.items():
            if "requestBody" not in operation:
                continue
            for body in BODIES:
                address = filled(path, "1").removeprefix("/api/v1") if "pk" in path else path.removeprefix("/api/v1")
                address = address.replace("{public_id}", "0198a1b2-1111-7222-8333-444455556666")
                answer = call(method.upper(), address, body)
                if answer.status_code not in (400, 404, 422):
                    wrong.append((method, path, body[:60], answer.status_code))
    assert wrong == []


def test_address_with_another_method_is_405_with_those_that_are_there(call: Program) -> None:
    for path, operations in PATHS.items():
        address = filled(path.replace("{pk}", "1"), "0198a1b2-1111-7222-8333-444455556666").removeprefix("/api/v1")
        for method in {"get", "post", "put", "patch", "delete"} - operations.keys():
            answer = call(method.upper(), address)
            assert (path, method, answer.status_code) == (path, method, 405)
            assert set(answer.headers["Allow"].lower().split(", ")) == operations.keys()
