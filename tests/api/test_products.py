"""Products over the API: each operation, versions, and the same events as from the pages."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from importer import changes
from importer.models import Change
from products import edits
from products.models import Product
from tests.api.conftest import Program, problem
from webhooks.models import Event

pytestmark = pytest.mark.django_db
MUG = {"sku": "MUG-1", "name": "Mug", "description": "Red", "active": True}


@pytest.fixture
def mug(anna: User) -> Product:
    return edits.create(MUG, anna)


def etag(call: Program, pk: int) -> str:
    return call("GET", f"/products/{pk}").headers["ETag"]


def test_product_is_shown_with_all_its_fields(call: Program, mug: Product) -> None:
    answer = call("GET", f"/products/{mug.pk}")
    assert answer.status_code == 200
    shown = answer.json()
    assert list(shown) == ["id", "sku", "name", "description", "active", "created_at", "updated_at"]
    assert {name: shown[name] for name in MUG} == MUG and shown["id"] == mug.pk
    assert answer.headers["ETag"] == f'"{round(mug.updated_at.timestamp() * 1_000_000)}"'


def test_product_is_made(call: Program, anna: User) -> None:
    answer = call("POST", "/products", {"sku": " MUG-1 ", "name": "Mug “Öl” 😀"})
    assert answer.status_code == 201
    made = Product.objects.get()
    assert answer.headers["Location"] == f"/api/v1/products/{made.pk}"
    assert answer.headers["ETag"] == etag(call, made.pk)
    assert (made.sku, made.name, made.description, made.active) == ("MUG-1", "Mug “Öl” 😀", "", True)
    change = Change.objects.get()
    assert (change.kind, change.person) == (Change.Kind.CREATED, anna)


def test_sku_that_is_taken_is_409_with_the_product_that_has_it(call: Program, mug: Product) -> None:
    found = problem(call("POST", "/products", {"sku": "mug-1", "name": "Other"}), 409)
    assert found["errors"] == [{"pointer": "/sku", "detail": "The SKU MUG-1 is taken."}]
    assert (found["stored"]["id"], found["stored"]["name"]) == (mug.pk, "Mug")
    other = edits.create({**MUG, "sku": "B"}, None)
    assert problem(call("PATCH", f"/products/{other.pk}", {"sku": "MUG-1"}), 409)["stored"]["id"] == mug.pk


def test_patch_changes_only_what_it_names(call: Program, mug: Product) -> None:
    answer = call("PATCH", f"/products/{mug.pk}", {"name": "Cup"})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["description"]) == ("Cup", "Red")
    mug.refresh_from_db()
    assert (mug.name, mug.sku, mug.active) == ("Cup", "MUG-1", True)
    assert answer.headers["ETag"] == etag(call, mug.pk)
    assert call("PATCH", f"/products/{mug.pk}", {"active": False}).json()["active"] is False
    assert call("PATCH", f"/products/{mug.pk}", {}).json()["name"] == "Cup"


def test_patch_with_the_version_seen_goes_through_once(call: Program, mug: Product) -> None:
    seen = etag(call, mug.pk)
    assert call("PATCH", f"/products/{mug.pk}", {"name": "Cup"}, If_Match=seen).status_code == 200
    found = problem(call("PATCH", f"/products/{mug.pk}", {"name": "Glass"}, If_Match=seen), 412)
    assert (found["stored"]["name"], found["stored"]["id"]) == ("Cup", mug.pk)
    problem(call("DELETE", f"/products/{mug.pk}", If_Match=seen), 412)
    for broken in ("", seen.strip('"'), f"{seen} {seen}", f"{seen},"):
        refused = problem(call("PATCH", f"/products/{mug.pk}", {"name": "Glass"}, If_Match=broken), 422)
        assert refused["errors"][0]["parameter"] == "If-Match"
    assert call("PATCH", f"/products/{mug.pk}", {"name": "Glass"}, If_Match="*").status_code == 200
    several = f'"1", {etag(call, mug.pk)}'
    assert call("PATCH", f"/products/{mug.pk}", {"name": "Jug"}, If_Match=several).status_code == 200
    problem(call("PATCH", f"/products/{mug.pk}", {"name": "No"}, If_Match=f"W/{etag(call, mug.pk)}"), 412)


def test_version_that_is_known_is_304(call: Program, mug: Product) -> None:
    seen = etag(call, mug.pk)
    for known in (seen, f'"1", W/{seen}', "*"):
        answer = call("GET", f"/products/{mug.pk}", If_None_Match=known)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", seen)
    call("PATCH", f"/products/{mug.pk}", {"name": "Cup"})
    for known in (seen, "1", ""):
        assert call("GET", f"/products/{mug.pk}", If_None_Match=known).json()["name"] == "Cup"


def test_change_between_look_and_write_is_412(call: Program, mug: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is quicker, after If-Match was looked at and before the row is locked."""
    seen = etag(call, mug.pk)
    change = edits.change

    def slower(pk: int, values: Any, person: User | None, version: Any = None) -> Product:
        change(pk, {"name": "Quicker"}, None)
        return change(pk, values, person, version)

    monkeypatch.setattr(edits, "change", slower)
    found = problem(call("PATCH", f"/products/{mug.pk}", {"name": "Slower"}, If_Match=seen), 412)
    assert found["stored"]["name"] == "Quicker"


def test_deleted_product_is_gone(call: Program, mug: Product) -> None:
    answer = call("DELETE", f"/products/{mug.pk}", If_Match=etag(call, mug.pk))
    assert (answer.status_code, answer.content) == (204, b"")
    assert Product.objects.count() == 0
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        problem(call(method, f"/products/{mug.pk}", body), 404)


@pytest.mark.django_db(transaction=True)
def test_clearing_asks_for_the_word(call: Program, mug: Product) -> None:
    sentence = "This deletes all products. Say confirm=delete if you mean it."
    for query, said in (("", "Field required."), ("?confirm=yes", sentence), ("?confirm=DELETE", sentence)):
        errors = problem(call("DELETE", f"/products{query}"), 422)["errors"]
        assert errors == [{"parameter": "confirm", "detail": said}]
    assert Product.objects.count() == 1
    answer = call("DELETE", "/products?confirm=delete")
    assert (answer.status_code, answer.json()) == (200, {"deleted": 1})
    assert Product.objects.count() == 0


def test_clearing_while_an_import_writes_is_409(call: Program, mug: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*args: object) -> int:
        raise changes.Busy("An import of Anna is changing products.")

    monkeypatch.setattr(changes, "clear", busy)
    found = problem(call("DELETE", "/products?confirm=delete"), 409)
    assert found["detail"] == "An import of Anna is changing products."


def test_list_is_paged_both_ways_and_searched(call: Program) -> None:
    for number in range(30):
        Product.objects.create(sku=f"S-{number:02}", name="Shelf" if number % 2 else "Table")
    first = call("GET", "/products").json()
    assert [item["sku"] for item in first["items"]] == [f"S-{number:02}" for number in range(25)]
    assert first["previous"] is None
    second = call("GET", f"/products?cursor={first['next']}").json()
    assert [item["sku"] for item in second["items"]] == [f"S-{number:02}" for number in range(25, 30)]
    assert second["next"] is None
    assert call("GET", f"/products?cursor={second['previous']}").json() == first
    found = call("GET", "/products?q=shel").json()
    assert len(found["items"]) == 15 and found["next"] is None


def test_list_is_narrowed_and_sorted_like_the_page(call: Program) -> None:
    for sku, name, description, active in (("a", "Z", "oak wood", True), ("b", "Y", "steel", True), ("c", "X", "wood", False)):
        Product.objects.create(sku=sku, name=name, description=description, active=active)

    def skus(query: str) -> list[str]:
        return [item["sku"] for item in call("GET", f"/products?{query}").json()["items"]]

    assert (skus("words=wood"), skus("words=wood&active=yes"), skus("active=no")) == (["a", "c"], ["a"], ["c"])
    assert (skus("sort=-sku"), skus("sort=name")) == (["c", "b", "a"], ["c", "b", "a"])


def test_number_of_queries_of_the_list_does_not_grow(call: Program) -> None:
    Product.objects.create(sku="a", name="A")
    with CaptureQueriesContext(connection) as one:
        call("GET", "/products")
    for number in range(30):
        Product.objects.create(sku=f"b-{number}", name="B")
    with CaptureQueriesContext(connection) as many:
        call("GET", "/products")
    # Session, person, statistics, count, page.
    assert len(one) == len(many) == 5


def test_events_are_those_of_the_pages(call: Program, mug: Product, anna: User) -> None:
    def story(edit: Any) -> list[tuple[str, dict[str, Any]]]:
        Event.objects.all().delete()
        edit()
        told = [(event.type, json.loads(bytes(event.body))["data"]) for event in Event.objects.order_by("pk")]
        for _, data in told:
            for stamp in ("id", "created_at", "updated_at"):
                data["product"].pop(stamp)
        return told

    def by_page() -> None:
        made = edits.create({**MUG, "sku": "NEW"}, anna)
        edits.change(made.pk, {"name": "Cup", "active": False}, anna)
        edits.delete(made.pk, anna)

    def by_program() -> None:
        pk = call("POST", "/products", {**MUG, "sku": "NEW"}).json()["id"]
        call("PATCH", f"/products/{pk}", {"name": "Cup", "active": False})
        call("DELETE", f"/products/{pk}")

    told = story(by_program)
    assert [event_type for event_type, _ in told] == ["product.created", "product.updated", "product.deleted"]
    assert told[1][1]["before"] == {"name": "Mug", "active": True}
    assert told == story(by_page)


def test_patch_that_changes_nothing_tells_nothing(call: Program, mug: Product) -> None:
    Event.objects.all().delete()
    assert call("PATCH", f"/products/{mug.pk}", {"name": "Mug"}).status_code == 200
    assert Event.objects.count() == 0
