"""Answers that every page gives alike, and the pages of errors."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("anna@example.com", "not-important-9", role="editor"))
    return client


def test_address_that_is_not_known_is_answered_by_a_page_with_the_way_back(reader: Client) -> None:
    answer = reader.get("/no/such/page")
    assert answer.status_code == 404
    assert "<h1>Nothing is here</h1>" in answer.text
    assert "anna@example.com" in answer.text


def test_more_than_a_request_may_carry_is_answered_by_a_sentence(reader: Client) -> None:
    answer = reader.post("/imports/new/", {"dataset": "x" * 3_000_000})
    assert answer.status_code == 413
    assert "<h1>That is too large</h1>" in answer.text


def test_host_that_is_not_ours_is_answered_by_a_sentence(reader: Client) -> None:
    answer = reader.get("/products/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "<h1>This request could not be read</h1>" in answer.text


def test_form_without_its_token_is_answered_by_a_sentence() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("anna@example.com", "not-important-9", role="editor"))
    answer = client.post("/imports/new/", {"dataset": "products"})
    assert answer.status_code == 403
    assert "<h1>The form was too old</h1>" in answer.text


def test_page_of_a_breakdown_needs_neither_person_nor_database() -> None:
    page = render_to_string("500.html")
    assert "<h1>Something went wrong on our side</h1>" in page
    assert "Sign out" not in page


@pytest.mark.parametrize(
    ("headers", "whole"),
    [({}, True), ({"HX-Request": "true"}, False), ({"HX-Request": "true", "HX-Boosted": "true"}, True)],
)
def test_htmx_gets_the_part_and_everybody_else_the_page(reader: Client, headers: dict[str, str], whole: bool) -> None:
    answer = reader.get("/products/", headers=headers)
    assert ("<html" in answer.text) is whole
    assert {"HX-Request", "HX-Boosted", "HX-History-Restore-Request"} <= set(answer.headers["Vary"].split(", "))


def test_pages_bring_no_inline_script_or_style(reader: Client) -> None:
    for path in ("/imports/", "/imports/new/", "/products/", "/accounts/password/change/", "/no/such/page"):
        text = reader.get(path).text
        assert "style=" not in text, path
        assert "<style" not in text, path
        assert "<script>" not in text, path
        assert " onclick" not in text, path
