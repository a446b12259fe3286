"""The OpenAPI document, kept beside this test so that a change of the API shows in the change of a file."""

import json
from pathlib import Path

import pytest
from django.test import Client

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
