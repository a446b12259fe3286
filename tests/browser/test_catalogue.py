"""The catalogue in a real browser: searching, editing in place, conflicts, timelines, deleting, with and without JavaScript."""

import csv
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.every]

Make = Callable[..., str]


@pytest.fixture
def word() -> str:
    """A word that no other test's products have."""
    return f"w{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def make(site: Site) -> Make:
    """Make a product by its form and return the path of its page."""
    session = site.session()

    def make(sku: str, name: str = "Oak shelf", description: str = "Wide and steady", active: bool = True) -> str:
        token = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
        fields = {"sku": sku, "name": name, "description": description} | ({"active": "on"} if active else {})
        answer = session.post(f"{site.url}/products/new/", data=fields | token, allow_redirects=False, timeout=30)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"])

    return make


@pytest.fixture
def plain_page(browser: Browser, site: Site, _signed_in_state: Any) -> Iterator[Page]:
    """A window without JavaScript in which the administrator is signed in."""
    context = browser.new_context(base_url=site.url, storage_state=_signed_in_state, java_script_enabled=False)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def field(page: Page | Locator, label: str) -> Locator:
    return page.get_by_role("textbox", name=label, exact=True)


def edit_row(page: Page, sku: str) -> None:
    page.get_by_role("link", name=f"Edit {sku}", exact=True).click()
    expect(field(page, "SKU")).to_be_focused()


def row(page: Page, sku: str) -> Locator:
    return page.locator("tbody tr").filter(has=page.get_by_role("link", name=sku, exact=True))


# --- the list ------------------------------------------------------------------------------------------------------


def test_list_follows_what_is_typed_and_chosen_and_the_address_says_only_that(
    signed_in_page: Page, make: Make, word: str
) -> None:
    page = signed_in_page
    make(f"{word}-b", "Alpha", "made of oak")
    make(f"{word}-a", "Beta", "made of beech", active=False)
    page.goto("/products/")
    search = page.get_by_role("searchbox", name="Search by SKU or name")
    search.press_sequentially(word)
    skus = page.locator("tbody th")
    expect(skus).to_have_text([f"{word}-a", f"{word}-b"])
    expect(page).to_have_url(re.compile(rf"/products/\?q={word}$"))
    expect(search).to_be_focused()
    page.get_by_label("Which products").select_option("no")
    expect(skus).to_have_text([f"{word}-a"])
    expect(page).to_have_url(re.compile(rf"/products/\?q={word}&active=no$"))
    page.get_by_label("Which products").select_option("")
    expect(skus).to_have_count(2)
    page.get_by_role("searchbox", name="Words").fill("oak")
    expect(skus).to_have_text([f"{word}-b"])
    page.go_back()
    expect(skus).to_have_text([f"{word}-a", f"{word}-b"])
    search.fill("")
    expect(page).to_have_url(re.compile("/products/$"))


def test_headings_order_the_list_and_typing_keeps_the_order(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    for letter, name in (("a", "Two"), ("b", "One"), ("c", "Three")):
        make(f"{word}-{letter}", name)
    page.goto(f"/products/?q={word}")
    names = page.locator("tbody .name")
    page.get_by_role("link", name="Name", exact=True).press("Enter")
    expect(names).to_have_text(["One", "Three", "Two"])
    expect(page.get_by_role("columnheader", name="Name", exact=True)).to_have_attribute("aria-sort", "ascending")
    expect(page.get_by_role("link", name="Name", exact=True)).to_be_focused()
    page.get_by_role("link", name="Name", exact=True).click()
    expect(names).to_have_text(["Two", "Three", "One"])
    page.get_by_role("searchbox", name="Search by SKU or name").fill(f"{word}-")
    expect(page).to_have_url(re.compile(rf"q={word}-&sort=-name$"))
    expect(names).to_have_text(["Two", "Three", "One"])


def test_small_screens_order_the_list_by_a_choice(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    page.set_viewport_size({"width": 390, "height": 800})
    make(f"{word}-a", "B")
    make(f"{word}-b", "A")
    page.goto(f"/products/?q={word}")
    page.get_by_label("Order").focus()
    page.get_by_label("Order").select_option("name")
    expect(page.locator("tbody .name")).to_have_text(["A", "B"])
    expect(page.get_by_label("Order")).to_be_focused()


def test_download_is_what_the_list_shows(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    make(f"{word}-1", "=1+1", "zwei\nZeilen")
    make(f"{word}-2", "Mug, red", "", active=False)
    page.goto(f"/products/?q={word}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download these as CSV").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["sku", "name", "description", "active"],
            [f"{word}-1", "'=1+1", "zwei\nZeilen", "true"],
            [f"{word}-2", "Mug, red", "", "false"],
        ]
    assert re.fullmatch(r"products-\d{4}-\d\d-\d\d-\d{4}\.csv", download.value.suggested_filename)


# --- editing in place ----------------------------------------------------------------------------------------------


def test_row_is_edited_in_place_by_keyboard_alone(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    make(word)
    make(f"{word}-other")
    page.goto(f"/products/?q={word}")
    edit = page.get_by_role("link", name=f"Edit {word}", exact=True)
    edit.press("Enter")
    expect(field(page, "SKU")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("Elm shelf")
    page.keyboard.press("Enter")
    expect(page.locator("tr.done .name")).to_have_text("Elm shelf")
    expect(page.locator("tr.done")).to_contain_text("✓ Saved")
    expect(page.get_by_role("status").filter(has_text=f"{word} was saved.")).to_have_count(1)
    expect(edit).to_be_focused()
    page.keyboard.press("Enter")
    expect(field(page, "SKU")).to_be_focused()
    page.keyboard.type("changed my mind")
    page.keyboard.press("Escape")
    expect(edit).to_be_focused()
    expect(page.locator("tbody th")).to_have_text([word, f"{word}-other"])
    # Enter makes a new line in a text of several lines; with Ctrl it saves.
    page.keyboard.press("Enter")
    description = field(page, "Description")
    description.press("End")
    description.press("Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Control+Enter")
    expect(page.locator("tr.done .description")).to_contain_text("second line")


def test_sku_that_is_taken_is_said_under_the_field_with_a_link(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    first = make(word)
    make(f"{word}-2")
    page.goto(f"/products/?q={word}")
    edit_row(page, f"{word}-2")
    field(page, "SKU").fill(f" {word.upper()} ")
    field(page, "Name").fill("kept")
    field(page, "Name").press("Enter")
    link = page.locator(".editing .errorlist a")
    expect(link).to_have_attribute("href", first)
    expect(field(page, "SKU")).to_be_focused()
    expect(field(page, "SKU")).to_have_attribute("aria-invalid", "true")
    expect(field(page, "Name")).to_have_value("kept")


def test_switch_is_turned_in_place_by_space_and_keeps_the_focus(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    path = make(word)
    page.goto(f"/products/?q={word}")
    switch = page.get_by_role("switch", name=f"{word} active")
    expect(switch).to_be_checked()
    switch.press("Space")
    expect(switch).not_to_be_checked()
    expect(switch).to_be_focused()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto(path)
    expect(page.get_by_role("switch")).not_to_be_checked()
    page.get_by_role("switch").click()
    expect(page.get_by_role("switch")).to_be_checked()
    expect(page).to_have_url(re.compile(f"{path}$"))


def test_search_does_not_take_away_what_is_typed_without_asking(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    make(word)
    page.goto(f"/products/?q={word}")
    edit_row(page, word)
    field(page, "Name").fill("half typed")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("link", name="Name", exact=True).click()
    expect(field(page, "Name")).to_have_value("half typed")
    assert asked == ["Leave without saving what you typed?"]
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Name", exact=True).click()
    expect(row(page, word)).to_have_count(1)


def test_saving_while_signed_out_says_so_and_keeps_what_is_typed(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    make(word)
    page.goto(f"/products/?q={word}")
    edit_row(page, word)
    field(page, "Name").fill("precious")
    cookies = page.context.cookies()
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="You are signed out")).to_be_visible()
    expect(field(page, "Name")).to_have_value("precious")
    page.context.add_cookies(cookies)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("tr.done .name")).to_have_text("precious")
    expect(page.get_by_role("alert").filter(has_text="You are signed out")).to_be_hidden()


# --- two people ----------------------------------------------------------------------------------------------------


def test_second_of_two_windows_is_shown_both_versions_and_decides(signed_in_page: Page, make: Make, word: str) -> None:
    mine, theirs = signed_in_page, signed_in_page.context.new_page()
    path = make(word, "Oak shelf", "Wide")
    for window in (mine, theirs):
        window.goto(f"/products/?q={word}")
        edit_row(window, word)
    field(theirs, "Name").fill("Their shelf")
    field(theirs, "Description").fill("Their words")
    theirs.get_by_role("button", name="Save").click()
    expect(theirs.locator("tr.done")).to_have_count(1)
    field(mine, "Name").fill("My shelf")
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("alert").filter(has_text="changed this product")).to_be_visible()
    expect(field(mine, "Name")).to_have_value("My shelf")
    expect(mine.locator(".field-name .stored-text")).to_have_text("Their shelf")
    # I had left the description alone: theirs is in the field, and saving mine does not undo it.
    expect(field(mine, "Description")).to_have_value("Their words")
    expect(mine.locator(".field-description")).to_contain_text("you had left it alone")
    mine.get_by_role("button", name="Take what is stored now for Name").click()
    expect(field(mine, "Name")).to_have_value("Their shelf")
    field(mine, "Name").fill("Our shelf")
    mine.get_by_role("button", name="Save").click()
    expect(mine.locator("tr.done .name")).to_have_text("Our shelf")
    expect(mine.locator("tr.done .description")).to_have_text("Their words")
    mine.goto(path)
    expect(mine.locator(".entry")).to_have_count(3)


def test_product_deleted_in_another_window_is_brought_back_with_what_was_typed(
    signed_in_page: Page, make: Make, word: str
) -> None:
    page, other = signed_in_page, signed_in_page.context.new_page()
    path = make(word)
    page.goto(f"/products/?q={word}")
    edit_row(page, word)
    field(page, "Name").fill("Mine")
    other.goto(f"{path}delete/")
    other.get_by_role("button", name="Delete").click()
    expect(other.get_by_text(f"{word} was deleted.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="was deleted while you were editing it")).to_be_visible()
    page.get_by_role("button", name="Bring it back with these values").click()
    expect(page.locator("tr.done .name")).to_have_text("Mine")
    other.goto(path)
    expect(other.locator("h1")).to_have_text(word)


# --- timelines -----------------------------------------------------------------------------------------------------


def test_old_value_is_restored_from_the_timeline(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    path = make(word, "First name")
    page.goto(path)
    page.get_by_role("button", name="Edit").click()
    field(page, "Name").fill("Second name")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{word} was saved.")).to_be_visible()
    expect(page.locator(".product-head p")).to_have_text("Second name")
    page.get_by_role("button", name="Restore the name").click()
    expect(page.get_by_text("The name was restored to what it was before.")).to_be_visible()
    expect(page.locator(".product-head p")).to_have_text("First name")
    expect(page.locator(".entry")).to_have_count(3)
    expect(page.locator(".entry").first).to_contain_text("Second name")


def test_deleted_product_is_restored_from_the_message(signed_in_page: Page, make: Make, word: str) -> None:
    page = signed_in_page
    path = make(word)
    page.goto(path)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="Look at it or restore it").click()
    page.get_by_role("button", name="Restore it").click()
    expect(page.get_by_text(f"{word} was restored.")).to_be_visible()
    page.goto("/products/edits/")
    expect(page.locator(".entry").filter(has_text=word)).to_have_count(3)


def test_files_and_lines_of_imports_are_in_the_timeline(signed_in_page: Page, site: Site, tmp_path, word: str) -> None:
    page = signed_in_page
    file = tmp_path / f"{word}.csv"
    file.write_text(f"sku,name,description\n{word},One,first\n")
    site.manage("import_file", "products", str(file))
    page.goto(f"/products/?q={word}")
    page.get_by_role("link", name=word, exact=True).click()
    expect(page.locator(".entry")).to_contain_text(f"created it, line 2 of {word}.csv")
    page.locator(".entry").get_by_role("link", name="Import").click()
    expect(page).to_have_url(re.compile("/imports/"))


# --- for everybody -------------------------------------------------------------------------------------------------


def pages_of(make: Make, word: str) -> Iterator[tuple[str, Callable[[Page], None]]]:
    """Every page and state of the catalogue, and how to come there."""
    long = "It is made of oak, beech and a little patience. " * 30
    path, wide = make(f"{word}-1"), make(f"{word}-{'W' * 80}", "N" * 255, long)
    nasty = make(f"{word} /%#?&\"' 😀 شكرا", "<b>مرحبا</b>", "one\ntwo")

    def open_row(page: Page) -> None:
        page.goto(f"/products/?q={word}-1")
        edit_row(page, f"{word}-1")

    def conflict(page: Page) -> None:
        open_row(page)
        other = page.context.new_page()
        open_row(other)
        field(other, "Description").fill(f"{long} {uuid.uuid4()}")
        other.get_by_role("button", name="Save").click()
        expect(other.locator("tr.done")).to_have_count(1)
        other.close()
        field(page, "Description").fill("mine")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".stored")).to_have_count(1)

    def wrong(path: str, button: str) -> Callable[[Page], None]:
        def go(page: Page) -> None:
            page.goto(path)
            page.get_by_role("textbox").first.fill("not this")
            if path.endswith("new/"):
                page.get_by_role("textbox").first.fill(f"{word}-1")
            page.get_by_role("button", name=button).click()
            expect(page.locator(".errorlist")).to_have_count(1)

        return go

    gone = make(f"{word}-gone")

    def deleted(page: Page) -> None:
        page.goto(f"{gone}delete/")
        if page.get_by_role("button", name="Delete").count():
            page.get_by_role("button", name="Delete").click()
            expect(page.get_by_text("was deleted.")).to_be_visible()
        page.goto(gone)

    yield "list", lambda page: page.goto(f"/products/?q={word}")
    yield "nothing", lambda page: page.goto("/products/?q=nothing-like-it")
    yield "row", open_row
    yield "conflict", conflict
    for name, address in (("product", path), ("wide", wide), ("nasty", nasty)):
        for rest in ("", "edit/", "delete/"):
            yield f"{name} {rest}", lambda page, address=address + rest: page.goto(address)
    yield "deleted", deleted
    yield "new", lambda page: page.goto("/products/new/")
    yield "taken", wrong("/products/new/", "Create")
    yield "edits", lambda page: page.goto("/products/edits/")
    yield "delete all", lambda page: page.goto("/products/delete-all/")
    yield "wrong word", wrong("/products/delete-all/", "Delete")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_open_to_everybody(signed_in_page: Page, make: Make, word: str, width: int, scheme: str) -> None:
    signed_in_page.emulate_media(color_scheme=scheme)
    signed_in_page.set_viewport_size({"width": width, "height": 800})
    # What is typed and left is asked about.
    signed_in_page.on("dialog", lambda dialog: dialog.accept())
    for name, go in pages_of(make, word):
        go(signed_in_page)
        found = Axe().run(signed_in_page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert signed_in_page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


def test_everything_works_without_javascript(plain_page: Page, make: Make, word: str) -> None:
    page = plain_page
    path = make(word, "Oak shelf", "Wide")
    make(f"{word}-2", "Alpha")
    page.goto("/products/")
    page.get_by_role("searchbox", name="Search by SKU or name").fill(word)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody th")).to_have_text([word, f"{word}-2"])
    page.get_by_role("link", name="Name", exact=True).click()
    expect(page.locator("tbody th")).to_have_text([f"{word}-2", word])
    page.get_by_role("switch", name=f"{word} active").click()
    expect(page.get_by_role("switch", name=f"{word} active")).not_to_be_checked()
    expect(page).to_have_url(re.compile(rf"q={word}&sort=name"))
    # An edit that meets another one.
    page.get_by_role("link", name=f"Edit {word}", exact=True).click()
    other = page.context.new_page()
    other.goto(f"{path}edit/")
    field(other, "Name").fill("Their shelf")
    other.get_by_role("button", name="Save").click()
    field(page, "Name").fill("My shelf")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".stored-text")).to_have_text("Their shelf")
    expect(page.get_by_role("button", name="Take what")).to_have_count(0)
    expect(field(page, "Name")).to_have_value("My shelf")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".product-head p")).to_have_text("My shelf")
    page.get_by_role("button", name=re.compile("Restore the name")).first.click()
    expect(page.locator(".product-head p")).to_have_text("Their shelf")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="Look at it or restore it").click()
    page.get_by_role("button", name="Restore it").click()
    expect(page.locator("h1")).to_have_text(word)


def test_all_products_are_deleted_by_typing_a_word(signed_in_page: Page, site: Site, make: Make, word: str, tmp_path) -> None:
    page = signed_in_page
    path = make(word)
    page.goto("/products/")
    page.get_by_role("link", name="Delete all products").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    copy = tmp_path / "copy.csv"
    download.value.save_as(copy)
    page.get_by_label("Type the word delete").fill("no")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing was deleted: the word to type is delete.")).to_be_visible()
    page.get_by_label("Type the word delete").fill(" Delete ")
    page.get_by_label("Type the word delete").press("Enter")
    expect(page.get_by_text(re.compile(r"[\d,]+ products? deleted\. The catalogue is empty\."))).to_be_visible()
    expect(page.get_by_role("heading", name="No products yet")).to_be_visible()
    page.goto(path)
    expect(page.get_by_text("deleted all products, this one among them,")).to_be_visible()
    page.goto("/products/delete-all/")
    expect(page.locator(".clearings li").first).to_contain_text(site.email)
    # A fresh upload works right after.
    site.manage("import_file", "products", str(copy))
    page.goto(f"/products/?q={word}")
    expect(page.locator("tbody th")).to_have_text([word])
