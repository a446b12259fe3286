"""Choosing what a file is, in a real browser: a layout that has to be asked for, and what the new-import page explains."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_upload import IMPORT_PAGE, choose, watch

pytestmark = pytest.mark.browser

PREPARE_PAGE = re.compile(r"/imports/prepare/[0-9a-f-]{36}/\?dataset=\w+")
DELIVERED = Path(__file__).parents[1] / "files/cards-partner/delivered.csv"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A file of which only its sender knows what it is."""
    path = tmp_path / "report.csv"
    path.write_bytes(DELIVERED.read_bytes())
    return path


def look_at(page: Page, file: Path, dataset: str) -> None:
    choose(page, file)
    page.get_by_label("What is in the file?").select_option(dataset)
    page.get_by_role("button", name="Start the import").click()
    page.wait_for_url(PREPARE_PAGE)


def open_to_everybody(page: Page) -> None:
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_layout_is_chosen_by_keyboard_and_the_import_takes_it(signed_in_page: Page, report: Path) -> None:
    page, complaints = signed_in_page, watch(signed_in_page.context)
    look_at(page, report, "cards")
    expect(page.get_by_text("This may be “Delivery exceptions” or “Delivered”")).to_be_visible()
    expect(page.locator(".preview")).to_contain_text("ZYW8827")
    kind = page.get_by_label("Which kind of file is it?")
    kind.focus()
    page.keyboard.type("Delivered")
    expect(page.get_by_label("Column of the file for card_id")).to_have_value("1")
    expect(kind).to_be_focused()
    expect(page.get_by_text("This may be")).to_have_count(0)
    page.get_by_role("button", name="Start the import").click()
    page.wait_for_url(IMPORT_PAGE)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Card reports (Delivered)")
    expect(page.locator(".live-sum")).to_contain_text("= 2 lines read.")
    assert complaints == []


def test_file_of_another_dataset_goes_there_with_one_click(signed_in_page: Page) -> None:
    page = signed_in_page
    look_at(page, DELIVERED, "products")
    open_to_everybody(page)
    page.get_by_role("link", name="Import it as Card reports (Delivered)").click()
    page.wait_for_url(re.compile("dataset=cards"))
    expect(page.get_by_label("Which kind of file is it?")).to_have_value("delivered")
    expect(page.get_by_text("This looks like")).to_have_count(0)


def test_without_javascript_a_button_goes_on_with_the_layout(signed_in_page: Page, site, report: Path) -> None:
    state = signed_in_page.context.storage_state()
    context = signed_in_page.context.browser.new_context(base_url=site.url, storage_state=state, java_script_enabled=False)
    page = context.new_page()
    look_at(page, report, "cards")
    page.get_by_label("Which kind of file is it?").select_option("exceptions")
    page.get_by_role("button", name="Show the rows again").click()
    expect(page.get_by_label("Column of the file for card_id")).to_have_value("1")
    page.goto("/imports/new/?dataset=people")
    expect(page.get_by_text("One record for each e-mail address")).to_be_visible()
    page.get_by_text("Student answers").last.click()
    expect(page.get_by_text("One answer for each student and day")).to_be_visible()
    context.close()


def test_page_explains_the_dataset_that_is_chosen(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/imports/new/")
    expect(page.get_by_text("What a product is known by")).to_be_visible()
    page.get_by_label("What is in the file?").select_option("cards")
    expect(page.get_by_text("There are 4 kinds of files")).to_be_visible()
    expect(page.get_by_text("What a product is known by")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_are_open_to_everybody(signed_in_page: Page, report: Path, scheme: str, width: int) -> None:
    page = signed_in_page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/imports/new/?dataset=cards")
    open_to_everybody(page)
    look_at(page, report, "cards")
    open_to_everybody(page)
    page.get_by_label("Which kind of file is it?").select_option("delivered")
    expect(page.get_by_label("Column of the file for card_id")).to_be_visible()
    open_to_everybody(page)
