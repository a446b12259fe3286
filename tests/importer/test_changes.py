"""The story of a row over imports and edits, and emptying a dataset beside imports and readers."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from importer import changes, locks, runner
from importer.attempt import Attempt
from importer.heart import Heart
from importer.models import Change, Import
from importer.states import State
from products import edits
from products.datasets import PRODUCTS
from products.edits import FIELDS
from products.forms import values_of
from products.models import Product
from tests.importer.conftest import Load

pytestmark = pytest.mark.django_db(transaction=True)

HEAD = "sku,name,description\n"


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna@example.com", name="Anna", role="editor")


def story(pk: int) -> list[tuple[str, dict[str, tuple[Any, Any]]]]:
    product = Product.objects.filter(pk=pk).first()
    found = changes.story("products", pk, FIELDS, values_of(product) if product else {})
    return [(entry.change.kind, {field.name: (field.before, field.after) for field in entry.fields}) for entry in found]


def test_story_over_imports_edits_deletion_and_restoring(load: Load, anna: User) -> None:
    load(HEAD + "a,One,first\nb,Other,x\n")
    pk = Product.objects.get(sku="a").pk
    run = load(HEAD + "b,Other,x\nA,Two,first\n")
    edits.change(pk, {"description": "second", "active": False}, anna)
    edits.delete(pk, anna)
    edits.restore_deleted(pk, anna)
    load(HEAD + "a,Three,second\n")
    edits.restore_field(pk, Change.objects.get(run=run, row_id=pk).pk, "name", anna)
    whole = {"sku": "A", "name": "Two", "description": "second", "active": False}
    assert story(pk) == [
        ("u", {"name": ("Three", "One")}),
        ("u", {"sku": ("A", "a"), "name": ("Two", "Three")}),
        ("c", {name: (None, value) for name, value in whole.items()}),
        ("d", {name: (value, None) for name, value in whole.items()}),
        ("u", {"description": ("first", "second"), "active": (True, False)}),
        ("u", {"sku": ("a", "A"), "name": ("One", "Two")}),
        ("c", {"sku": (None, "a"), "name": (None, "One"), "description": (None, "first"), "active": (None, True)}),
    ]
    found = changes.story("products", pk, FIELDS, values_of(Product.objects.get(pk=pk)))
    assert [entry.change.line for entry in found] == [None, 2, None, None, None, 3, 2]
    assert [entry.change.person for entry in found] == [anna, None, anna, anna, anna, None, None]
    assert found[5].change.run == run


def test_story_is_told_in_the_order_of_what_happened_whatever_the_clocks_said(anna: User) -> None:
    product = edits.create({"sku": "a", "name": "1", "description": "", "active": True}, anna)
    edits.change(product.pk, {"name": "2"}, anna)
    edits.change(product.pk, {"name": "3"}, anna)
    Change.objects.filter(after={"name": "3"}).update(at=product.created_at)
    assert [fields.get("name") for _, fields in story(product.pk)] == [("2", "3"), ("1", "2"), (None, "1")]


def test_story_of_a_row_that_was_cleared_ends_with_the_clearing(load: Load, anna: User) -> None:
    load(HEAD + "a,One,first\nb,Other,x\n")
    one, other = Product.objects.order_by("sku")
    edits.delete(other.pk, anna)
    load(HEAD + "a,Two,first\n")
    edits.clear(anna)
    edits.clear(anna)
    first = changes.clearings("products").last()
    assert story(one.pk) == [("x", {}), ("u", {"name": ("One", None)}), ("c", {"name": (None, "One")})]
    assert changes.story("products", one.pk, FIELDS, {})[0].change == first
    assert [kind for kind, _ in story(other.pk)] == ["d", "c"]
    assert story(999_999) == []


def test_story_asks_as_often_for_many_changes_as_for_one(load: Load, anna: User, django_assert_num_queries) -> None:
    load(HEAD + "a,0,first\n")
    pk = Product.objects.get().pk
    now = values_of(Product.objects.get())
    with django_assert_num_queries(1):
        changes.story("products", pk, FIELDS, now)
    for number in range(8):
        edits.change(pk, {"name": f"n{number}"}, anna)
    load(HEAD + "a,9,first\n")
    with django_assert_num_queries(1):
        found = changes.story("products", pk, FIELDS, now)
        assert {str(entry.change.person or entry.change.run and entry.change.run.file) for entry in found} == {
            "Anna",
            "file.csv",
        }


def test_what_fields_held_at_a_moment_is_found_over_imports_and_edits(load: Load, anna: User) -> None:
    load(HEAD + "a,One,first\n")
    product = Product.objects.get()
    edits.change(product.pk, {"name": "Two"}, anna)
    load(HEAD + "a,Three,second\n")
    assert changes.since("products", product.pk, product.updated_at) == {"name": "One", "description": "first"}
    middle = Change.objects.get(after={"name": "Two"}).at
    assert changes.since("products", product.pk, middle) == {"name": "Two", "description": "first"}
    assert changes.since("products", product.pk, product.updated_at.replace(year=2001)) is None
    product.refresh_from_db()
    assert changes.since("products", product.pk, product.updated_at) is None


def test_edits_are_listed_newest_first_without_imports(load: Load, anna: User) -> None:
    load(HEAD + "a,One,first\n")
    pk = Product.objects.get().pk
    edits.change(pk, {"name": "Two"}, anna)
    edits.delete(pk, anna)
    edits.clear(anna)
    found = changes.edits("products", FIELDS, None, 10)
    assert [entry.change.kind for entry in found] == ["x", "d", "u"]
    assert [entry.change.kind for entry in changes.edits("products", FIELDS, found[0].change.pk, 1)] == ["d"]
    assert changes.edits("others", FIELDS, None, 10) == []


# --- emptying ------------------------------------------------------------------------------------------------------


def test_fresh_upload_works_right_after_clearing(load: Load, anna: User) -> None:
    load(HEAD + "a,One,first\nb,Two,x\n")
    first = max(Product.objects.values_list("pk", flat=True))
    assert edits.clear(anna) == 2
    run = load(HEAD + "a,One,first\nc,Three,x\n")
    assert (run.state, run.created, run.updated) == ("done", 2, 0)
    assert min(Product.objects.values_list("pk", flat=True)) > first


@pytest.mark.parametrize("state", [State.COMPARING, State.APPLYING, State.INDEXING, State.PAUSED, State.QUEUED])
def test_clearing_is_refused_while_an_import_has_the_dataset(load: Load, submit: Load, anna: User, state: State) -> None:
    load(HEAD + "a,One,first\n")
    run = submit(HEAD + "b,Two,x\n")
    assert locks.take(run)
    Import.objects.filter(pk=run.pk).update(state=state)
    with pytest.raises(changes.Busy, match="An import is changing products right now") as problem:
        edits.clear(anna)
    assert problem.value.run == run
    assert Product.objects.count() == 1
    Import.objects.filter(pk=run.pk).update(state=State.FAILED)
    assert edits.clear(anna) == 1


def test_clearing_gives_up_when_somebody_reads_for_long(load: Load, anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    load(HEAD + "a,One,first\n")
    monkeypatch.setattr(changes, "PATIENCE", "100ms")
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic():
            Product.objects.count()
            reading.set()
            done.wait(20)
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert reading.wait(10)
        with pytest.raises(changes.Busy, match="Products are in use at the moment") as problem:
            edits.clear(anna)
        assert problem.value.run is None
    finally:
        done.set()
        reader.join()
    assert edits.clear(anna) == 1


def test_import_that_wants_the_dataset_waits_for_the_clearing_and_then_lands(load: Load, submit: Load, anna: User) -> None:
    load(HEAD + "a,One,first\n")
    run = submit(HEAD + "a,One,first\nb,Two,x\n")
    importing = threading.Thread(target=lambda: (runner.run(run.pk), connection.close()))
    with transaction.atomic():
        edits.clear(anna)
        importing.start()
        # It stages the file and stands at the dataset's lock: without the lock it would be done in this time.
        importing.join(1.5)
        assert importing.is_alive()
    importing.join(30)
    run.refresh_from_db()
    assert (run.state, run.created, run.unchanged, Product.objects.count()) == ("done", 2, 0, 2)


def test_clearing_between_two_steps_of_an_import_is_refused_and_nothing_is_lost(submit: Load, anna: User) -> None:
    run = submit(HEAD + "".join(f"s{number},One,first\n" for number in range(50)))
    attempt = Attempt.claim(run.pk)
    assert attempt is not None
    work = runner.Runner(attempt)
    with Heart(run.pk, 1) as attempt.heart:
        work._stage()
        work._compare()
        with pytest.raises(changes.Busy):
            edits.clear(anna)
        work._apply()
        with pytest.raises(changes.Busy):
            edits.clear(anna)
        work._index()
    assert edits.clear(anna) == 50
    assert changes.clear(PRODUCTS, None) == 0
