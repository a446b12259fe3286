"""What the framework leaves out of the OpenAPI document: every problem, headers, and that answers may be no JSON."""

from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

PROBLEM = "application/problem+json"
#: Answers that every operation may give.
_ALWAYS = (401, 403, 429, 500)
_METHODS = ("get", "post", "patch", "delete")
_TAGS = {
    "imports": "Files that become records: begun, followed, steered, taken back.",
    "products": "The catalogue, one product at a time.",
    "datasets": "What files may be imported as, and the records of each.",
    "cards": "Where a bank card is.",
    "contacts": "People a call centre may ring, and rows of them that wait for their moment.",
    "exports": "Records as a file, made in the background.",
    "webhooks": "Who is told of edits and of the ends of imports.",
}
_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same request with the same key happens once: for 24 hours it is given the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The ETag of the version that may be changed.",
    "schema": {"type": "string", "pattern": '^"[0-9]{1,20}"$'},
}
_HEADERS = {
    "ETag": "Names the version of the product.",
    "Location": "The address of what was made.",
    "Retry-After": "Seconds to wait.",
}


class Api(NinjaAPI):
    """A NinjaAPI whose document says all of this."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**options)
        document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
        for path, operations in document["paths"].items():
            for method in _METHODS:
                if method in operations:
                    _complete(operations[method], method, path)
        return document


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    responses = operation["responses"]
    statuses = {*_ALWAYS}
    if "{" in path:
        statuses.add(404)
    if operation.get("parameters") or "requestBody" in operation:
        statuses |= {400, 422}
    if method in ("post", "patch"):
        statuses |= {400, 409, 413, 415, 422}
    for status in sorted(statuses - set(responses)):
        responses[status] = {"description": HTTPStatus(status).phrase}
    for status, response in responses.items():
        if int(status) >= 400:
            response["description"] = HTTPStatus(int(status)).phrase
            response["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses[429]["headers"] = {"Retry-After": _header("Retry-After", "integer")}
    if method == "post":
        operation.setdefault("parameters", []).append(_KEY)
    if path.endswith("/products/{pk}") and method in ("patch", "delete"):
        operation.setdefault("parameters", []).append(_IF_MATCH)
    for status in (200, 201, 202):
        _say_type(responses.get(status), operation["operationId"])
    if path.endswith("/products/{pk}") and method != "delete":
        responses[200]["headers"] = {"ETag": _header("ETag")}
    for status in (201, 202):
        if status in responses and path.count("/") == 3:
            responses[status]["headers"] = {"Location": _header("Location")}


def _say_type(response: dict[str, Any] | None, operation: str) -> None:
    """Files, tables and events are no JSON."""
    if response is None:
        return
    if operation.endswith("_file"):
        response["content"] = {"application/octet-stream": {}} | (
            {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}
            if "export" in operation
            else {}
        )
    elif operation.endswith("follow_import"):
        response["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif operation.endswith("list_rejects"):
        response["content"]["text/csv"] = {"schema": {"type": "string"}}


def _header(name: str, kind: str = "string") -> dict[str, Any]:
    return {"description": _HEADERS[name], "schema": {"type": kind}}
