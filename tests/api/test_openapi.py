"""The OpenAPI document, kept beside this test so that a change of the API shows in the change of a file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from api.v1 import api
from importer import datasets

SNAPSHOT = Path(__file__).with_name("openapi.json")


@pytest.mark.django_db
def test_document_is_the_one_that_was_looked_at(settings) -> None:
    document = json.dumps(Client().get("/api/v1/openapi.json").json(), indent=2, ensure_ascii=False) + "\n"
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(document, encoding="utf-8")
        pytest.fail("There was no openapi.json; it is written now. Look at it, and keep it.")
    assert document == SNAPSHOT.read_text(encoding="utf-8"), (
        "The API has changed. If it should: delete openapi.json, run again."
    )


DOCUMENT = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1")))
OPERATIONS = [(method, path, operation) for path, found in DOCUMENT["paths"].items() for method, operation in found.items()]


def nodes(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inside in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(inside)


def test_operations_are_called_by_short_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert {"list_products", "start_import", "get_export_file", "resend_delivery"} <= set(names)


def test_every_operation_says_which_problems_it_may_answer() -> None:
    for method, path, operation in OPERATIONS:
        answers = operation["responses"]
        assert {"401", "403", "429", "500"} <= answers.keys()
        assert ("{" in path) <= ("404" in answers)
        assert ("requestBody" in operation) <= ({"400", "413", "415", "422"} <= answers.keys())
        for status, answer in answers.items():
            if status >= "400":
                content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                assert (path, status, answer["content"]) == (path, status, content)
        assert "Retry-After" in answers["429"]["headers"]
        keyed = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"]
        assert ("Idempotency-Key" in keyed) == (method == "post")
        assert operation["security"] == [{"Bearer": []}, {"Session": []}]
        assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}


def test_every_body_has_an_example() -> None:
    for _, path, operation in OPERATIONS:
        if media := operation.get("requestBody", {}).get("content", {}).get("application/json"):
            schemas = [media["schema"], *media["schema"].get("anyOf", [])]
            named = [DOCUMENT["components"]["schemas"][node["$ref"].split("/")[-1]] for node in schemas if "$ref" in node]
            assert "example" in media or any(schema.get("examples") for schema in [*schemas, *named]), path


def test_what_is_referred_to_is_there_and_nothing_is_nullable_in_an_address() -> None:
    there = DOCUMENT["components"]["schemas"]
    assert {node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node} <= {f"#/components/schemas/{name}" for name in there}
    for _, _, operation in OPERATIONS:
        for parameter in operation["parameters"]:
            assert not any(node.get("type") == "null" for node in nodes(parameter)), parameter
            assert parameter["required"] == (parameter["in"] == "path" or parameter["name"] == "confirm")


def test_links_lead_to_operations_with_what_was_made() -> None:
    names = {operation["operationId"]: operation for _, _, operation in OPERATIONS}
    making = [answer for name in names for answer in names[name]["responses"].values() if "links" in answer]
    assert len(making) == 4
    for answer in making:
        assert "Location" in answer["headers"]
        for link in answer["links"].values():
            known = {parameter["name"] for parameter in names[link["operationId"]]["parameters"]}
            assert link["parameters"].keys() <= known


def test_limits_of_values_are_told() -> None:
    product = DOCUMENT["components"]["schemas"]["NewProduct"]["properties"]
    assert (product["sku"]["maxLength"], product["name"]["maxLength"], product["description"]["maxLength"]) == (
        100,
        255,
        50_000,
    )
    records = DOCUMENT["paths"]["/api/v1/datasets/{name}/records"]["get"]["parameters"]
    found = {parameter["name"]: parameter["schema"] for parameter in records}
    assert found["name"]["enum"] == [dataset.name for dataset in datasets.all()]
    assert (found["from"]["type"], found["from"]["format"], found["q"]["maxLength"]) == ("string", "date", 255)
    number = DOCUMENT["paths"]["/api/v1/products/{pk}"]["get"]["parameters"][0]["schema"]
    assert (number["minimum"], number["maximum"]) == (1, 2**63 - 1)
    assert DOCUMENT["servers"] == [{"url": "http://127.0.0.1:8000"}]
