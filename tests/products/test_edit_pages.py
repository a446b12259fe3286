"""Making, changing, switching, deleting and restoring products by page; with and without htmx."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from importer.models import Change
from products import edits
from products.models import Product

pytestmark = pytest.mark.django_db

VALUES = {"sku": "Mug-1", "name": "Mug", "description": "Round & red", "active": True}
NASTY = [
    "a/b",
    "100%",
    "c#d",
    "e?f=g&h",
    'say "hi"',
    "quo'te",
    "<b>x</b>",
    "😀",
    "שלום",
    "شكرا/1",
    "..",
    "%2F",
    "x" * 100,
    "\\",
    "+ 1",
]
HTMX = {"HX-Request": "true"}


def posted(product: Product, **values: Any) -> dict[str, Any]:
    """What a browser sends from the form of a product."""
    fields = {name: getattr(product, name) for name in ("sku", "name", "description")}
    ticked = {"active": "on"} if product.active else {}
    return {"version": product.updated_at.isoformat(), **fields, **ticked, **values}


@pytest.fixture
def mug(anna: User) -> Product:
    return edits.create(VALUES, anna)


@pytest.mark.parametrize(
    "path",
    [
        "new/",
        "export.csv",
        "edits/",
        "delete-all/",
        "1/",
        "1/row/",
        "1/edit/",
        "1/delete/",
        "1/active/",
        "1/restore/",
        "1/changes/1/restore/",
    ],
)
def test_every_page_asks_people_to_sign_in(client: Client, path: str) -> None:
    answer = client.post(f"/products/{path}")
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["1/active/", "1/restore/", "1/changes/1/restore/"])
def test_what_changes_something_is_not_done_by_get(editor: Client, path: str) -> None:
    assert editor.get(f"/products/{path}").status_code == 405


@pytest.mark.parametrize("path", ["new/", "1/edit/", "1/active/", "1/delete/", "1/restore/", "delete-all/"])
def test_forms_of_other_sites_are_refused(anna: User, path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna)
    assert strict.post(f"/products/{path}").status_code == 403


# --- new -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sku", NASTY)
def test_new_product_may_have_any_sku_and_every_page_of_it_works(editor: Client, sku: str) -> None:
    made = editor.post("/products/new/", {"sku": f" {sku} ", "name": "N", "description": "a\r\nb", "active": "on"})
    product = Product.objects.get()
    assert (product.sku, product.description, product.active) == (sku, "a\nb", True)
    assert made.headers["Location"] == f"/products/{product.pk}/"
    for path in ("", "row/", "edit/", "delete/"):
        page = editor.get(f"/products/{product.pk}/{path}")
        assert page.status_code == 200
        assert page.context["product" if "product" in page.context else "form"] is not None
    listed = editor.get("/products/", {"q": sku})
    assert [row.pk for row in listed.context["page"].rows] == [product.pk]
    assert editor.post(f"/products/{product.pk}/delete/", posted(product)).status_code == 302
    assert editor.get(f"/products/{product.pk}/").status_code == 410
    assert editor.get("/products/edits/").status_code == 200
    editor.post(f"/products/{product.pk}/restore/")
    assert Product.objects.get().sku == sku


def test_new_product_is_active_unless_the_tick_is_taken_away(editor: Client) -> None:
    assert 'type="checkbox" name="active" id="id_active" checked' in editor.get("/products/new/").text
    editor.post("/products/new/", {"sku": "a", "name": "", "description": ""})
    assert Product.objects.get().active is False


def test_sku_that_is_taken_is_refused_with_a_link_to_who_has_it(editor: Client, mug: Product) -> None:
    answer = editor.post("/products/new/", {"sku": " MUG-1 ", "name": "<Mine>", "description": "kept"})
    assert answer.status_code == 422
    assert (
        f'The SKU is taken by <a href="/products/{mug.pk}/" target="_blank" rel="noopener"><bdi>Mug-1</bdi></a>' in answer.text
    )
    assert 'value="&lt;Mine&gt;"' in answer.text and "kept</textarea>" in answer.text
    assert Product.objects.count() == 1


def test_bad_values_are_answered_with_sentences_and_kept(editor: Client) -> None:
    answer = editor.post("/products/new/", {"sku": "\u200b ", "name": "n" * 300})
    assert answer.status_code == 422
    assert "The SKU is empty." in answer.text
    assert "The name is 300 characters long, 255 are allowed" in answer.text
    assert "n" * 300 in answer.text


# --- edit ----------------------------------------------------------------------------------------------------------


def test_edit_as_a_page_saves_and_leads_to_the_product(editor: Client, anna: User, mug: Product) -> None:
    page = editor.get(f"/products/{mug.pk}/edit/")
    assert "<h1>Edit <bdi>Mug-1</bdi></h1>" in page.text
    assert f'name="version" value="{mug.updated_at.isoformat()}"' in page.text
    answer = editor.post(f"/products/{mug.pk}/edit/", posted(mug, name="Cup"))
    assert answer.headers["Location"] == f"/products/{mug.pk}/"
    assert Product.objects.get().name == "Cup"
    assert Change.objects.latest("id").person == anna
    assert "<bdi>Mug-1</bdi> was saved." in editor.get(f"/products/{mug.pk}/").text


def test_edit_in_a_row_is_the_row_alone_and_saving_gives_the_row_back(editor: Client, mug: Product) -> None:
    part = editor.get(f"/products/{mug.pk}/edit/", headers=HTMX)
    assert part.text.lstrip().startswith('<tr class="editing">')
    assert "<h1>" not in part.text and "autofocus" in part.text
    saved = editor.post(f"/products/{mug.pk}/edit/", posted(mug, name="Cup"), headers=HTMX)
    assert saved.status_code == 200
    assert f'<tr id="product-{mug.pk}"' in saved.text
    assert ">Cup</td>" in saved.text
    assert '<p id="said" hx-swap-oob="innerHTML">Mug-1 was saved.</p>' in saved.text
    bad = editor.post(f"/products/{mug.pk}/edit/", posted(mug, sku=""), headers=HTMX)
    assert bad.status_code == 422
    assert "The SKU is empty." in bad.text and '<tr class="editing">' in bad.text


def test_numbers_of_products_are_written_without_separators(editor: Client) -> None:
    product = Product.objects.create(pk=1_234_567, **VALUES)
    for path in ("", "row/", "edit/", "delete/"):
        page = editor.get(f"/products/{product.pk}/{path}", headers=HTMX if path == "row/" else {})
        assert "1,234,567" not in page.text
    assert 'id="product-1234567"' in editor.get("/products/").text


def test_conflict_shows_both_versions_and_saving_again_puts_mine_over_theirs(editor: Client, mug: Product) -> None:
    bob = User.objects.create_user("bob@example.com", name="Bob", role="editor")
    theirs = edits.change(mug.pk, {"name": "Bob's <mug>", "active": False}, bob)
    mine = posted(mug, name="My mug", description="mine")
    answer = editor.post(f"/products/{mug.pk}/edit/", mine, headers=HTMX)
    assert answer.status_code == 409
    assert "Bob" in answer.text and "changed this product" in answer.text
    assert 'value="My mug"' in answer.text and "mine</textarea>" in answer.text
    assert f'data-stored="id_{mug.pk}_name">Bob&#x27;s &lt;mug&gt;</div>' in answer.text
    # Only I changed the description, and only Bob the state.
    assert f'data-stored="id_{mug.pk}_description"' not in answer.text
    assert answer.context["theirs"]["active"] == {"text": "inactive", "untouched": True}
    assert Product.objects.get().name == "Bob's <mug>"
    version = answer.context["version"]
    assert version == theirs.updated_at.isoformat()
    again = {name: answer.context["form"][name].value() for name in ("sku", "name", "description")}
    assert editor.post(f"/products/{mug.pk}/edit/", again | {"version": version}, headers=HTMX).status_code == 200
    stored = Product.objects.get()
    assert (stored.name, stored.description, stored.active) == ("My mug", "mine", False)


def test_conflict_whose_past_is_not_known_shows_all_that_differs(editor: Client, mug: Product) -> None:
    old = mug.updated_at - timedelta(days=1)
    answer = editor.post(f"/products/{mug.pk}/edit/", posted(mug, name="My mug", version=old.isoformat()))
    assert answer.status_code == 409
    assert answer.context["theirs"]["name"] == {"text": "Mug", "untouched": False}
    assert "Edit <bdi>Mug-1</bdi>" in answer.text


@pytest.mark.parametrize("version", ["", "garbage", "2026-13-45T00:00:00", "2026-01-02", "9999-12-31T23:59:59-14:00"])
def test_version_that_is_none_counts_as_not_seen(editor: Client, mug: Product, version: str) -> None:
    answer = editor.post(f"/products/{mug.pk}/edit/", posted(mug, name="Cup", version=version))
    assert answer.status_code == 409
    assert Product.objects.get().name == "Mug"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_product_deleted_while_it_was_edited_comes_back_with_what_was_typed(
    editor: Client, mug: Product, headers: dict[str, str]
) -> None:
    mine = posted(mug, name="My mug")
    edits.delete(mug.pk, None)
    answer = editor.post(f"/products/{mug.pk}/edit/", mine, headers=headers)
    assert answer.status_code == 410
    assert "was deleted while you were editing it" in answer.text and 'value="My mug"' in answer.text
    assert f'action="/products/{mug.pk}/restore/"' in answer.text
    editor.post(f"/products/{mug.pk}/restore/", mine, headers=headers)
    stored = Product.objects.get()
    assert (stored.pk, stored.name, stored.description) == (mug.pk, "My mug", "Round & red")


def test_product_cleared_while_it_was_edited_is_made_anew_with_what_was_typed(editor: Client, mug: Product) -> None:
    edits.clear(None)
    assert editor.post(f"/products/{mug.pk}/edit/", posted(mug, name="My mug")).status_code == 410
    answer = editor.post(f"/products/{mug.pk}/restore/", posted(mug, name="My mug"))
    stored = Product.objects.get()
    assert stored.name == "My mug" and stored.pk != mug.pk
    assert answer.headers["Location"] == f"/products/{stored.pk}/"


def test_bringing_back_what_cannot_be_taken_keeps_what_was_typed(editor: Client, mug: Product) -> None:
    mine = posted(mug, name="My mug")
    edits.delete(mug.pk, None)
    other = edits.create(VALUES, None)
    answer = editor.post(f"/products/{mug.pk}/restore/", mine)
    assert answer.status_code == 422
    assert f'href="/products/{other.pk}/"' in answer.text and 'value="My mug"' in answer.text
    answer = editor.post(f"/products/{mug.pk}/restore/", mine | {"sku": ""})
    assert answer.status_code == 422 and "The SKU is empty." in answer.text


def test_row_of_a_product_that_is_gone_says_so(editor: Client, mug: Product) -> None:
    edits.delete(mug.pk, None)
    for path in ("row/", "edit/"):
        answer = editor.get(f"/products/{mug.pk}/{path}", headers=HTMX)
        assert (answer.status_code, "somebody deleted it" in answer.text) == (410, True)
        assert editor.get(f"/products/{mug.pk}/{path}").headers["Location"] == f"/products/{mug.pk}/"
    assert editor.post(f"/products/{mug.pk}/active/", {"active": "true"}, headers=HTMX).status_code == 410


# --- the switch ----------------------------------------------------------------------------------------------------


def test_switch_is_named_by_its_product_and_says_what_it_is(editor: Client, mug: Product) -> None:
    row = editor.get(f"/products/{mug.pk}/row/", headers=HTMX).text
    assert 'role="switch"' in row and 'aria-checked="true"' in row and 'aria-label="Mug-1 active"' in row
    row = editor.post(f"/products/{mug.pk}/active/", {"active": "false"}, headers=HTMX).text
    assert 'aria-checked="false"' in row
    assert Product.objects.get().active is False
    # A second click on a page that is not up to date does not turn it on again.
    editor.post(f"/products/{mug.pk}/active/", {"active": "false"}, headers=HTMX)
    assert Product.objects.get().active is False
    assert Change.objects.count() == 2


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/products/?q=mug&page=x", "http://testserver/products/?q=mug&page=x"),
        ("https://evil.example/products/", "/products/"),
        ("", "/products/"),
    ],
)
def test_switch_without_htmx_leads_back_to_where_it_was(editor: Client, mug: Product, referer: str, back: str) -> None:
    answer = editor.post(f"/products/{mug.pk}/active/", {"active": "false"}, headers={"Referer": referer})
    assert answer.headers["Location"] == back


# --- deleting and restoring ----------------------------------------------------------------------------------------


def test_deleting_asks_first_and_leads_to_a_list_with_a_way_back(editor: Client, mug: Product) -> None:
    page = editor.get(f"/products/{mug.pk}/delete/")
    assert "Delete this product?" in page.text and Product.objects.count() == 1
    answer = editor.post(f"/products/{mug.pk}/delete/", posted(mug), follow=True)
    assert answer.redirect_chain == [("/products/", 302)]
    assert f'<bdi>Mug-1</bdi> was deleted. <a href="/products/{mug.pk}/">Look at it or restore it</a>' in answer.text
    assert Product.objects.count() == 0


def test_deleting_what_changed_meanwhile_asks_again(editor: Client, mug: Product) -> None:
    changed = edits.change(mug.pk, {"name": "Cup"}, User.objects.create_user("bob@example.com", name="Bob", role="editor"))
    answer = editor.post(f"/products/{mug.pk}/delete/", posted(mug))
    assert answer.status_code == 409
    assert "Bob" in answer.text and "It was not deleted." in answer.text and "Cup" in answer.text
    assert f'value="{changed.updated_at.isoformat()}"' in answer.text
    assert editor.post(f"/products/{mug.pk}/delete/", posted(changed)).status_code == 302
    assert Product.objects.count() == 0


def test_deleting_twice_says_that_it_is_gone(editor: Client, mug: Product) -> None:
    edits.delete(mug.pk, None)
    assert editor.get(f"/products/{mug.pk}/delete/").headers["Location"] == f"/products/{mug.pk}/"
    answer = editor.post(f"/products/{mug.pk}/delete/", posted(mug), follow=True)
    assert "not there any more" in answer.text


def test_restoring_from_the_page_of_a_deleted_product(editor: Client, mug: Product) -> None:
    edits.delete(mug.pk, None)
    answer = editor.post(f"/products/{mug.pk}/restore/", follow=True)
    assert answer.status_code == 200
    assert "<bdi>Mug-1</bdi> was restored." in answer.text
    assert Product.objects.get().pk == mug.pk


def test_restoring_what_has_no_place_any_more_says_why(editor: Client, mug: Product) -> None:
    edits.delete(mug.pk, None)
    other = edits.create(VALUES, None)
    answer = editor.post(f"/products/{mug.pk}/restore/", follow=True)
    assert "It was not restored: The SKU is taken by" in answer.text and f'href="/products/{other.pk}/"' in answer.text
    edits.clear(None)
    answer = editor.post(f"/products/{other.pk}/restore/", follow=True)
    assert "Nothing is kept of this product" in answer.text


def test_restoring_an_old_value_says_what_it_did_and_is_in_the_timeline(editor: Client, anna: User, mug: Product) -> None:
    edits.change(mug.pk, {"name": "Cup"}, anna)
    change = Change.objects.latest("id")
    page = editor.get(f"/products/{mug.pk}/")
    assert f'action="/products/{mug.pk}/changes/{change.pk}/restore/"' in page.text
    answer = editor.post(f"/products/{mug.pk}/changes/{change.pk}/restore/", {"field": "name"}, follow=True)
    assert "The name was restored to what it was before." in answer.text
    assert [entry.change.kind for entry in answer.context["story"]] == ["u", "u", "c"]
    assert Product.objects.get().name == "Mug"
    # Of both names, only the one that is not there now can be restored.
    assert answer.text.count("/restore/") == 1


def test_old_value_that_cannot_be_restored_is_answered_with_a_sentence(editor: Client, anna: User, mug: Product) -> None:
    edits.change(mug.pk, {"sku": "Cup-1"}, anna)
    change = Change.objects.latest("id")
    edits.create(VALUES, anna)
    answer = editor.post(f"/products/{mug.pk}/changes/{change.pk}/restore/", {"field": "sku"}, follow=True)
    assert "The old SKU was not restored: The SKU is taken by" in answer.text
    for field in ("name", "password", ""):
        answer = editor.post(f"/products/{mug.pk}/changes/{change.pk}/restore/", {"field": field}, follow=True)
        assert "This old value is not kept any more." in answer.text
