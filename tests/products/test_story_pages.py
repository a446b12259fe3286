"""The page of a product with its timeline, the latest edits, and deleting everything."""

import pytest
from django.test import Client

from accounts.models import User
from importer import changes, locks
from importer.models import Change, Import
from importer.states import State
from products import edits
from products.models import Product
from tests.importer.conftest import Load

VALUES = {"sku": "Mug-1", "name": "Mug", "description": "Round & red", "active": True}
HEAD = "sku,name,description\n"


@pytest.mark.django_db
@pytest.mark.parametrize("pk", [0, 1, 2**63 - 1, 2**63, 10**30])
def test_product_that_never_was_is_not_found(editor: Client, pk: int) -> None:
    assert editor.get(f"/products/{pk}/").status_code == 404


@pytest.mark.django_db
def test_product_that_nobody_knows_the_past_of_is_shown(editor: Client) -> None:
    product = Product.objects.create(sku="a", name="<b>", description="one\ntwo")
    page = editor.get(f"/products/{product.pk}/").text
    assert "Nothing is known of its past." in page and "&lt;b&gt;" in page and "one\ntwo" in page


@pytest.mark.django_db(transaction=True)
def test_timeline_names_people_imports_and_lines_and_files_to_those_who_may_know(
    editor: Client,
    anna: User,
    load: Load,
) -> None:
    User.objects.filter(pk=anna.pk).update(role="editor", is_staff=False, is_superuser=False)
    run = load(HEAD + "a,One,first\n", name="secret.csv")
    Import.objects.filter(pk=run.pk).update(owner=User.objects.create_user("bob@example.com", name="Bob", role="editor"))
    product = Product.objects.get()
    edits.change(product.pk, {"name": "Two"}, anna)
    page = editor.get(f"/products/{product.pk}/")
    assert f'<a href="/imports/{run.public_id}/">Import</a> by Bob' in page.text
    assert ", line 2" in page.text and "secret.csv" not in page.text
    assert "<strong>Anna</strong>" in page.text
    assert '<del dir="auto"><span class="hidden-text">before: </span>One</del>' in page.text
    assert '<ins dir="auto"><span class="hidden-text">after: </span>Two</ins>' in page.text
    Import.objects.filter(pk=run.pk).update(owner=anna)
    assert "secret.csv" in editor.get(f"/products/{product.pk}/").text


@pytest.mark.django_db
def test_timeline_shows_long_texts_word_by_word(editor: Client, anna: User) -> None:
    text = "It is made of oak. It is wide and steady, and holds up to twenty kilograms."
    product = edits.create(VALUES | {"description": text}, anna)
    edits.change(product.pk, {"description": text.replace("twenty", "thirty")}, anna)
    page = editor.get(f"/products/{product.pk}/").text
    assert '<del><span class="hidden-text">removed: </span>twenty</del>' in page
    assert '<ins><span class="hidden-text">added: </span>thirty</ins>' in page


@pytest.mark.django_db
def test_number_of_queries_of_the_page_does_not_grow_with_the_story(
    editor: Client, anna: User, django_assert_num_queries
) -> None:
    product = edits.create(VALUES, anna)
    # Session, person, product, its Changes; webhooks that gave up, for the menu.
    with django_assert_num_queries(8):
        editor.get(f"/products/{product.pk}/")
    for number in range(25):
        edits.change(product.pk, {"name": f"n{number}"}, anna)
    with django_assert_num_queries(8):
        editor.get(f"/products/{product.pk}/")


@pytest.mark.django_db
def test_story_that_is_longer_than_what_is_shown_says_so(editor: Client, anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    product = edits.create(VALUES, anna)
    edits.change(product.pk, {"name": "Cup"}, anna)
    assert "older changes" not in editor.get(f"/products/{product.pk}/").text
    monkeypatch.setattr(changes, "MOST", 1)
    assert "There are older changes, which are not shown." in editor.get(f"/products/{product.pk}/").text


@pytest.mark.django_db
def test_deleted_product_says_who_deleted_it_and_offers_to_restore_it(editor: Client, anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.delete(product.pk, User.objects.create_user("bob@example.com", name="Bob", role="editor"))
    page = editor.get(f"/products/{product.pk}/")
    assert page.status_code == 410
    assert "Bob" in page.text and "deleted this product" in page.text
    assert f'action="/products/{product.pk}/restore/"' in page.text
    assert page.context["last"] == VALUES


@pytest.mark.django_db
def test_cleared_product_says_so_and_tells_what_is_known_of_it(editor: Client, anna: User) -> None:
    product = edits.create(VALUES, anna)
    edits.change(product.pk, {"name": "Cup"}, anna)
    edits.clear(anna)
    page = editor.get(f"/products/{product.pk}/")
    assert page.status_code == 410
    assert "deleted all products, this one among them," in page.text
    assert "/restore/" not in page.text
    assert page.context["last"] == VALUES | {"name": "Cup"}


# --- latest edits --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_latest_edits_link_to_products_and_go_on_page_by_page(
    editor: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nobody has edited a product yet" in editor.get("/products/edits/").text
    monkeypatch.setattr("products.story_views.PAGE", 3)
    product = edits.create(VALUES, anna)
    for name in ("One", "Two", "Three"):
        edits.change(product.pk, {"name": name}, anna)
    edits.delete(product.pk, anna)
    edits.clear(None)
    first = editor.get("/products/edits/")
    assert [(entry.change.kind, sku) for entry, sku in first.context["rows"]] == [("x", ""), ("d", "Mug-1"), ("u", "Mug-1")]
    assert "deleted all products, 0 of them" in first.text
    assert f'href="/products/{product.pk}/"><bdi>Mug-1</bdi></a>' in first.text
    second = editor.get("/products/edits/", {"before": first.context["next"]})
    assert [entry.change.kind for entry, _ in second.context["rows"]] == ["u", "u", "c"]
    assert second.context["next"] is None
    past = editor.get("/products/edits/", {"before": "1"})
    assert "There are no older edits." in past.text


@pytest.mark.django_db
@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "١", "1\0"])
def test_place_in_the_edits_that_is_garbage_gives_the_newest(editor: Client, anna: User, before: str) -> None:
    edits.create(VALUES, anna)
    assert len(editor.get("/products/edits/", {"before": before}).context["rows"]) == 1


@pytest.mark.django_db
def test_number_of_queries_of_the_edits_does_not_grow(editor: Client, anna: User, django_assert_num_queries) -> None:
    edits.create(VALUES, anna)
    # Session, person, Changes, SKUs; webhooks that gave up, for the menu.
    with django_assert_num_queries(8):
        editor.get("/products/edits/")
    for number in range(30):
        edits.create(VALUES | {"sku": f"s{number}"}, anna)
    with django_assert_num_queries(8):
        editor.get("/products/edits/")


# --- deleting everything -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_deleting_all_says_how_many_and_offers_a_copy_first(editor: Client) -> None:
    Product.objects.bulk_create(Product(sku=f"s{number}", sku_key=f"s{number}") for number in range(1234))
    page = editor.get("/products/delete-all/").text
    assert "1,234 products</strong> will be deleted at once" in page
    assert 'href="/products/export.csv"' in page
    assert Product.objects.count() == 1234


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("word", "sentence"),
    [("", "Type the word delete to go on."), ("delet", "Nothing was deleted"), ("yes", "Nothing was deleted"), ("d\0", "Null")],
)
def test_deleting_all_with_a_wrong_word_deletes_nothing(editor: Client, anna: User, word: str, sentence: str) -> None:
    edits.create(VALUES, anna)
    answer = editor.post("/products/delete-all/", {"word": word})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert Product.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["delete", " DELETE ", "Delete\t"])
def test_deleting_all_with_the_word_deletes_all_and_is_remembered(editor: Client, anna: User, word: str) -> None:
    edits.create(VALUES, anna)
    answer = editor.post("/products/delete-all/", {"word": word}, follow=True)
    assert "1 product deleted. The catalogue is empty." in answer.text
    assert Product.objects.count() == 0
    page = editor.get("/products/delete-all/")
    assert "There is nothing to delete" in page.text
    assert [(change.person, change.after) for change in page.context["clearings"]] == [(anna, {"rows": 1})]
    assert "Anna" in page.text


@pytest.mark.django_db(transaction=True)
def test_deleting_all_while_an_import_has_the_dataset_is_refused_with_a_link(
    editor: Client,
    load: Load,
    submit: Load,
) -> None:
    load(HEAD + "a,One,first\n")
    run = submit(HEAD + "b,Two,x\n")
    assert locks.take(run)
    Import.objects.filter(pk=run.pk).update(state=State.APPLYING)
    answer = editor.post("/products/delete-all/", {"word": "delete"})
    assert answer.status_code == 409
    assert "An import is changing products right now" in answer.text
    assert f'<a href="/imports/{run.public_id}/">Look at the import</a>' in answer.text
    assert (Product.objects.count(), Change.objects.filter(kind="x").count()) == (1, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["new/", "edits/", "delete-all/", "{pk}/", "{pk}/edit/", "{pk}/delete/"])
def test_products_is_marked_in_the_menu_on_every_page(editor: Client, anna: User, path: str) -> None:
    product = edits.create(VALUES, anna)
    page = editor.get("/products/" + path.format(pk=product.pk)).text
    assert page.count("aria-current") == 1
    assert page.index('aria-current="true">Products') > 0
