"""The verbs of editing: what each stores, records and tells, and what two people do to each other."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from importer.models import Change
from products import edits
from products.models import Product
from webhooks.models import Event

pytestmark = pytest.mark.django_db

VALUES = {"sku": "Mug-1", "name": "Mug", "description": "Round & red", "active": True}


def changes_of(pk: int) -> list[Change]:
    return list(Change.objects.filter(dataset="products", row_id=pk).order_by("id"))


def told() -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, json.loads(bytes(event.body))["data"]) for event in Event.objects.order_by("pk")]


def test_creating_stores_the_product_its_change_and_its_event(anna: User) -> None:
    product = edits.create(VALUES, anna)
    stored = Product.objects.get(pk=product.pk)
    assert (stored.sku, stored.sku_key, stored.name, stored.active) == ("Mug-1", "mug-1", "Mug", True)
    assert stored.created_at == stored.updated_at
    [change] = changes_of(product.pk)
    assert (change.kind, change.person, change.at, change.before, change.after) == ("c", anna, stored.updated_at, None, VALUES)
    [(event, data)] = told()
    assert (event, data["before"], data["after"]) == ("product.created", {}, VALUES)
    assert (data["product"]["id"], data["product"]["sku"]) == (product.pk, "Mug-1")


def test_changing_stores_what_changed_and_nothing_else(anna: User) -> None:
    product = edits.create(VALUES, anna)
    changed = edits.change(product.pk, VALUES | {"name": "Cup", "sku": "MUG-1"}, anna)
    stored = Product.objects.get(pk=product.pk)
    assert (stored.sku, stored.sku_key, stored.name) == ("MUG-1", "mug-1", "Cup")
    assert stored.created_at == product.created_at
    assert stored.updated_at == changed.updated_at > product.updated_at
    change = changes_of(product.pk)[-1]
    assert change.before == {"updated_at": product.updated_at.isoformat(), "name": "Mug", "sku": "Mug-1"}
    assert (change.kind, change.at, change.after) == ("u", stored.updated_at, {"name": "Cup", "sku": "MUG-1"})
    event, data = told()[-1]
    assert (event, data["before"], data["after"]) == (
        "product.updated",
        {"name": "Mug", "sku": "Mug-1"},
        {"name": "Cup", "sku": "MUG-1"},
    )


def test_changing_to_what_it_is_already_does_nothing_even_with_an_old_version(anna: User) -> None:
    product = edits.create(VALUES, anna)
    assert edits.change(product.pk, VALUES, anna, product.updated_at - timedelta(days=1)).updated_at == product.updated_at
    assert len(changes_of(product.pk)) == len(told()) == 1


def test_a_later_stamp_is_later_even_when_the_clock_was_set_back(anna: User) -> None:
    future = datetime(2999, 1, 1, tzinfo=UTC)
    product = Product.objects.create(**VALUES, updated_at=future)
    assert edits.change(product.pk, {"name": "Cup"}, anna).updated_at == future + timedelta(microseconds=1)


def test_change_of_an_older_version_is_a_conflict_and_stores_nothing(anna: User) -> None:
    product = edits.create(VALUES, anna)
    theirs = edits.change(product.pk, {"name": "Cup"}, None)
    with pytest.raises(edits.Conflict) as problem:
        edits.change(product.pk, {"name": "Jug"}, anna, product.updated_at)
    assert (problem.value.stored.name, problem.value.stored.updated_at) == ("Cup", theirs.updated_at)
    assert edits.change(product.pk, {"name": "Jug"}, anna, theirs.updated_at).name == "Jug"
    assert len(changes_of(product.pk)) == len(told()) == 3


def test_deleting_keeps_what_it_was_in_its_change(anna: User) -> None:
    product = edits.create(VALUES, anna)
    gone = edits.delete(product.pk, anna, product.updated_at)
    assert (gone.sku, Product.objects.count()) == ("Mug-1", 0)
    stamps = {"created_at": product.created_at.isoformat(), "updated_at": product.updated_at.isoformat()}
    change = changes_of(product.pk)[-1]
    assert (change.kind, change.before, change.after) == ("d", VALUES | stamps, None)
    event, data = told()[-1]
    assert (event, data["before"], data["after"], data["product"]["id"]) == ("product.deleted", VALUES, {}, product.pk)


def test_deleting_another_version_than_was_seen_is_a_conflict(anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.change(product.pk, {"name": "Cup"}, anna)
    with pytest.raises(edits.Conflict):
        edits.delete(product.pk, anna, product.updated_at)
    assert Product.objects.get(pk=product.pk).name == "Cup"


@pytest.mark.parametrize("verb", [edits.delete, lambda pk, person: edits.change(pk, {"name": "x"}, person)])
def test_what_is_gone_cannot_be_edited(anna: User, verb: Callable[[int, User], Any]) -> None:
    with pytest.raises(edits.Gone, match="somebody deleted it"):
        verb(1, anna)
    assert told() == []


@pytest.mark.parametrize("sku", ["mug-1", " MUG-1\t", "\ufeffMug-1"])
def test_sku_is_taken_in_any_case_and_with_blanks(anna: User, sku: str) -> None:
    first = edits.create(VALUES, anna)
    with pytest.raises(edits.SkuTaken) as problem:
        edits.create(VALUES | {"sku": sku}, anna)
    assert problem.value.product == first
    other = edits.create(VALUES | {"sku": "other"}, anna)
    with pytest.raises(edits.SkuTaken):
        edits.change(other.pk, {"sku": sku}, anna)
    assert [kind for kind, _ in told()] == ["product.created"] * 2


def test_rolled_back_edit_leaves_no_change_and_no_event(anna: User) -> None:
    product = edits.create(VALUES, anna)

    def fail() -> None:
        with transaction.atomic():
            edits.change(product.pk, {"name": "Cup"}, anna)
            edits.delete(product.pk, anna)
            edits.clear(anna)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Product.objects.get().name == "Mug"
    assert len(changes_of(product.pk)) == len(told()) == 1


def test_old_value_of_a_field_is_restored_as_one_more_change(anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.change(product.pk, {"name": "Cup", "active": False}, anna)
    second = changes_of(product.pk)[-1]
    edits.change(product.pk, {"name": "Jug"}, anna)
    restored = edits.restore_field(product.pk, second.pk, "name", anna)
    assert (restored.name, restored.active) == ("Mug", False)
    last = changes_of(product.pk)[-1]
    assert (last.before["name"], last.after) == ("Jug", {"name": "Mug"})


@pytest.mark.parametrize("field", ["description", "updated_at", "pk", ""])
def test_what_a_change_does_not_hold_is_not_restored(anna: User, field: str) -> None:
    product = edits.create(VALUES, anna)
    edits.change(product.pk, {"name": "Cup"}, anna)
    with pytest.raises(edits.Gone):
        edits.restore_field(product.pk, changes_of(product.pk)[-1].pk, field, anna)
    other = edits.create(VALUES | {"sku": "other"}, anna)
    with pytest.raises(edits.Gone):
        edits.restore_field(other.pk, changes_of(product.pk)[-1].pk, "name", anna)


def test_deleted_product_comes_back_under_its_number_again_and_again(anna: User) -> None:
    product = edits.create(VALUES, anna)
    stamp = product.updated_at
    for _ in range(3):
        edits.delete(product.pk, anna)
        restored = edits.restore_deleted(product.pk, anna)
        assert {name: getattr(restored, name) for name in VALUES} == VALUES
        assert (restored.pk, restored.created_at) == (product.pk, product.created_at)
        assert restored.updated_at > stamp
        stamp = restored.updated_at
    assert [change.kind for change in changes_of(product.pk)] == list("cdcdcdc")
    assert [kind for kind, _ in told()][-2:] == ["product.deleted", "product.created"]


def test_restoring_what_is_there_already_does_nothing(anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.delete(product.pk, anna)
    edits.restore_deleted(product.pk, anna)
    assert edits.restore_deleted(product.pk, anna) == product
    assert [change.kind for change in changes_of(product.pk)] == ["c", "d", "c"]


def test_deleted_product_comes_back_with_other_values(anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.delete(product.pk, anna)
    restored = edits.restore_deleted(product.pk, anna, {"name": "Cup"})
    assert (restored.name, restored.sku) == ("Cup", "Mug-1")
    assert changes_of(product.pk)[-1].after == VALUES | {"name": "Cup"}


def test_restoring_a_sku_that_is_taken_by_now_is_refused(anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.delete(product.pk, anna)
    other = edits.create(VALUES, anna)
    with pytest.raises(edits.SkuTaken) as problem:
        edits.restore_deleted(product.pk, anna)
    assert problem.value.product == other


def test_clearing_says_how_many_and_what_it_cleared_is_not_restored(anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.create(VALUES | {"sku": "other"}, anna)
    assert edits.clear(anna) == 2
    assert Product.objects.count() == 0
    [change] = Change.objects.filter(kind="x")
    assert (change.row_id, change.person, change.after) == (0, anna, {"rows": 2})
    assert told()[-1] == ("products.cleared", {"deleted": 2})
    with pytest.raises(edits.Gone, match="Nothing is kept"):
        edits.restore_deleted(product.pk, anna)
    assert edits.create(VALUES, anna).pk > product.pk


# --- two at once: each with a connection of its own ---------------------------------------------------------------


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each of `works`, all started together in threads, returned or raised."""
    gate = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def work(place: int) -> None:
        try:
            gate.wait(10)
            results[place] = works[place]()
        except Exception as problem:
            results[place] = problem
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_one_version_at_once_one_wins_and_one_is_told(anna: User) -> None:
    product = edits.create(VALUES, anna)
    for _ in range(10):
        product.refresh_from_db()
        seen, before = product.updated_at, Event.objects.count()
        found = at_once(
            lambda seen=seen: edits.change(product.pk, {"name": f"A {seen}"}, anna, seen),
            lambda seen=seen: edits.change(product.pk, {"name": f"B {seen}"}, anna, seen),
        )
        [winner] = [one for one in found if isinstance(one, Product)]
        [loser] = [one for one in found if isinstance(one, edits.Conflict)]
        assert loser.stored.name == winner.name == Product.objects.get(pk=product.pk).name
        assert Event.objects.count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_make_one_sku_at_once_one_does_and_the_others_are_shown_it(anna: User) -> None:
    for number in range(5):
        skus = [f"race-{number}", f"RACE-{number} ", f"Race-{number}"]
        found = at_once(*(lambda sku=sku: edits.create(VALUES | {"sku": sku}, anna) for sku in skus))
        [winner] = [one for one in found if isinstance(one, Product)]
        losers = [one for one in found if isinstance(one, edits.SkuTaken)]
        assert [loser.product for loser in losers] == [winner, winner]
    assert Event.objects.count() == Change.objects.count() == Product.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_change_and_delete_at_once_leave_one_true_story(anna: User) -> None:
    for number in range(5):
        product = edits.create(VALUES | {"sku": f"both-{number}"}, anna)
        changed, deleted = at_once(
            lambda product=product: edits.change(product.pk, {"name": "Cup"}, anna, product.updated_at),
            lambda product=product: edits.delete(product.pk, anna, product.updated_at),
        )
        if isinstance(deleted, Product):
            assert isinstance(changed, edits.Gone)
            assert [change.kind for change in changes_of(product.pk)] == ["c", "d"]
        else:
            assert isinstance(deleted, edits.Conflict) and changed.name == "Cup"
            assert [change.kind for change in changes_of(product.pk)] == ["c", "u"]


@pytest.mark.django_db(transaction=True)
def test_restoring_twice_at_once_makes_one_product(anna: User) -> None:
    product = edits.create(VALUES, anna)
    for _ in range(10):
        edits.delete(product.pk, anna)
        found = at_once(*[lambda: edits.restore_deleted(product.pk, anna)] * 3)
        assert found == [product] * 3
    assert [change.kind for change in changes_of(product.pk)] == ["c", *["d", "c"] * 10]


@pytest.mark.django_db(transaction=True)
def test_two_who_swap_their_skus_at_once_are_answered_with_a_sentence(anna: User) -> None:
    one = edits.create(VALUES | {"sku": "one"}, anna)
    two = edits.create(VALUES | {"sku": "two"}, anna)
    for _ in range(10):
        found = at_once(
            lambda: edits.change(one.pk, {"sku": "two"}, anna),
            lambda: edits.change(two.pk, {"sku": "one"}, anna),
        )
        assert {type(each) for each in found} == {edits.SkuTaken}, found
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["one", "two"]
