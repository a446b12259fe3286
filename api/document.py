"""What the framework leaves out of the OpenAPI document: every problem, headers, examples, and that answers may be no JSON."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

PROBLEM = "application/problem+json"
CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Answers that every operation may give.
_ALWAYS = (401, 403, 429, 500)
_TAGS = {
    "imports": "Files that become records: begun, followed, steered, taken back.",
    "datasets": "What files may be imported as, and the records of each.",
    "products": "The catalogue, one product at a time.",
    "cards": "Where a bank card is.",
    "contacts": "People a call centre may ring.",
    "held": "Rows of files that wait for their moment.",
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
_ETAG = '(W/)?"[!#-~]{0,100}"'
#: RFC 9110 §13.1.1.
IF_MATCH = rf"^(\*|{_ETAG}(, *{_ETAG})*)$"
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The ETag of the version that may be changed; another one is answered 412.",
    "schema": {"type": "string", "pattern": IF_MATCH},
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The ETag of the version that is known; where it is the present one, the answer is 304. Else passed over.",
    "schema": {"type": "string"},
}
_HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "Names the version of the product.", "schema": {"type": "string"}},
    "Location": {"description": "The address of what was made.", "schema": {"type": "string", "format": "uri-reference"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "What to sign in with.", "schema": {"type": "string"}},
}
#: Operations that make something with an address of its own: the parameter that takes its id, and operations with it.
_MAKING = {
    "start_import": ("public_id", ("get_import", "cancel_import", "undo_import")),
    "start_export": ("public_id", ("get_export", "get_export_file", "cancel_export")),
    "create_product": ("pk", ("get_product", "change_product", "delete_product")),
    "add_webhook": ("public_id", ("get_webhook", "change_webhook", "list_deliveries", "delete_webhook")),
}
#: Operations that tell versions apart.
_VERSIONED = {"create_product", "get_product", "change_product"}
#: Answers that are no JSON, or not always.
_TYPES: dict[str, dict[str, Any]] = {
    "get_import_file": {"application/octet-stream": {}},
    "get_export_file": {CSV: {}, XLSX: {}},
    # A schema would be taken for that of one event (OpenAPI 3.2) by some, for that of the whole stream by others.
    "follow_import": {
        "text/event-stream": {"example": 'event: snapshot\nid: 7\ndata: {"state": "applying", "percent": 61.0}\n\n'}
    },
    "list_rejects": {CSV: {"schema": {"type": "string"}}},
}


class Api(NinjaAPI):
    """A NinjaAPI whose document says all of this. An operation is called what its function is."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._documents: dict[str, OpenAPISchema] = {}

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        # It takes a quarter of a second to make, and stays the same while the process runs.
        asked = f"{options} {settings.LOADIFY_URL}"
        if asked not in self._documents:
            self._documents[asked] = self._made(**options)
        return self._documents[asked]

    def _made(self, **options: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**options)
        document["servers"] = [{"url": settings.LOADIFY_URL}]
        document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
        for operations in document["paths"].values():
            for method, operation in operations.items():
                _complete(operation, method)
        return document


def _complete(operation: dict[str, Any], method: str) -> None:
    name = operation["operationId"]
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    for parameter in parameters:
        parameter["schema"] = _absent_or(parameter["schema"])
    responses: dict[int, dict[str, Any]] = operation["responses"]
    for status in _statuses(operation, method) - responses.keys():
        responses[status] = {}
    if name == "get_product":
        parameters.append(_IF_NONE_MATCH)
        responses[304] = {}
    if method == "post":
        parameters.append(_KEY)
    if 412 in responses:
        parameters.append(_IF_MATCH)
    for status, response in responses.items():
        _describe(response, status, name)
    operation["responses"] = {str(status): responses[status] for status in sorted(responses)}


def _statuses(operation: dict[str, Any], method: str) -> set[int]:
    """The problems that an operation may answer."""
    found, places = {*_ALWAYS}, {parameter["in"] for parameter in operation["parameters"]}
    if "path" in places or any(parameter["name"] == "cursor" for parameter in operation["parameters"]):
        found.add(404)
    if "query" in places:
        found.add(422)
    if "requestBody" in operation:
        found |= {400, 413, 415, 422}
    if method == "post":
        # An Idempotency-Key that is at work, is none, or was used for another request.
        found |= {400, 409, 422}
    return found


def _describe(response: dict[str, Any], status: int, name: str) -> None:
    response.setdefault("description", HTTPStatus(status).phrase)
    headers = []
    if status >= 400:
        response["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        headers = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(status, [])
    elif status != 204:
        if made := _MAKING.get(name):
            linked = {"parameters": {made[0]: "$response.body#/id"}}
            response["links"] = {operation: {"operationId": operation, **linked} for operation in made[1]}
        headers = ["Location"] * (name in _MAKING) + ["ETag"] * (name in _VERSIONED)
        if types := _TYPES.get(name):
            kept = response["content"] if name == "list_rejects" else {}
            response["content"] = kept | types
    if headers:
        response["headers"] = {header: _HEADERS[header] for header in headers}


def _absent_or(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that may be left out, but cannot be null: an address has only texts."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1 == len(schema["anyOf"]) - 1:
        schema = {**{key: value for key, value in schema.items() if key not in ("anyOf", "default")}, **choices[0]}
    return schema
