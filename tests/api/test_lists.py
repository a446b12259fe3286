"""Cursors of every list: one that leads nowhere says so, and one past the end is an empty page."""

import pytest

from cards.models import CardEvent
from contacts.models import Person
from tests.api.conftest import Program, problem

LISTS = ["/products", "/contacts", "/held", "/exports", "/webhooks", "/datasets/people/records", "/cards/zyw1"]


@pytest.mark.parametrize("path", LISTS)
def test_cursor_that_was_made_up_is_404(call: Program, path: str) -> None:
    CardEvent.objects.create(card_id="ZYW1", stage=1, phone="0585", at="2023-11-13T09:34:56Z", event_key="zyw1 x")
    assert call("GET", path).status_code == 200
    for cursor in ("x", "%00", "a:b", "x" * 1_000, "%F0%9F%98%80"):
        found = problem(call("GET", f"{path}?cursor={cursor}"), 404)
        assert found["errors"] == [{"parameter": "cursor", "detail": found["detail"]}]
    problem(call("GET", f"{path}?cursor={'x' * 1_001}"), 422)


def test_cursor_of_another_order_is_404(call: Program) -> None:
    for number in range(26):
        call("POST", "/products", {"sku": f"{number:02}", "name": "n"})
    cursor = call("GET", "/products").json()["next"]
    assert call("GET", f"/products?cursor={cursor}").json()["items"][0]["sku"] == "25"
    problem(call("GET", f"/products?sort=name&cursor={cursor}"), 404)


def test_cursor_past_the_end_is_an_empty_page(call: Program) -> None:
    Person.objects.bulk_create(Person(email=f"p{number:02}@example.com") for number in range(26))
    cursor = call("GET", "/datasets/people/records").json()["next"]
    Person.objects.filter(email="p00@example.com").delete()
    page = call("GET", f"/datasets/people/records?cursor={cursor}").json()
    assert page == {"items": [], "next": None, "previous": None}
