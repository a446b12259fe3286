"""What schemathesis is told beside schemathesis.toml."""

import json
import os
from random import Random
from typing import Any
from uuid import uuid4

import requests
import schemathesis

#: What is there, by the path that names it: path parameters, as tests/api/test_schemathesis.py has made them.
THERE: dict[str, list[dict[str, Any]]] = json.loads(os.environ["API_THERE"])
HEADERS = {"Authorization": f"Bearer {os.environ['API_TOKEN']}"}
DRAW = Random(1)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A key is for one request: the same one with another request is refused, and rightly so. And every other call is of
    something that is there: no data that is made up would ever meet one."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key:
        case.headers["Idempotency-Key"] = f"{key[:223]}{uuid4().hex}"
    path = case.meta.components.get("path")
    if path is not None and path.mode.is_positive and DRAW.random() < 0.5:
        case.path_parameters.update(_named(case.operation))


def _named(operation: Any) -> dict[str, Any]:
    path = operation.path.removeprefix("/api/v1")
    if path == "/products/{pk}":
        return {"pk": _made(operation, "/products", {"sku": uuid4().hex, "name": "Made to be called"})}
    if operation.method == "delete" and path == "/webhooks/{public_id}":
        return {
            "public_id": _made(
                operation, "/webhooks", {"url": f"http://127.0.0.1:65530/{uuid4()}", "events": ["import.completed"]}
            )
        }
    known = [name for name in THERE if path.startswith(name)]
    return DRAW.choice(THERE[max(known, key=len)]) if known else {}


def _made(operation: Any, path: str, body: dict[str, Any]) -> Any:
    answer = requests.post(
        f"{operation.schema.get_base_url().rstrip('/')}/api/v1{path}", json=body, headers=HEADERS, timeout=30
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]
