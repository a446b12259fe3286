"""Mapping a file by hand in a real browser: the page follows every choice, and the import takes the file so."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_upload import IMPORT_PAGE, choose, watch

pytestmark = pytest.mark.browser

PREPARE_PAGE = re.compile(r"/imports/prepare/[0-9a-f-]{36}/\?dataset=products$")


@pytest.fixture
def foreign_file(tmp_path: Path) -> Path:
    path = tmp_path / "artikel.csv"
    path.write_text("Nummer,Bezeichnung,Langtext,Lager\nmap-1,Becher,Rot,3\n,Tasse,Blau,4\nmap-3,Kanne,,5\n")
    return path


def look_at(page: Page, file: Path) -> None:
    choose(page, file)
    page.get_by_role("button", name="Look at it first").click()
    page.wait_for_url(PREPARE_PAGE)


def test_file_is_mapped_by_hand_and_remembered(signed_in_page: Page, foreign_file: Path) -> None:
    page, complaints = signed_in_page, watch(signed_in_page.context)
    choose(page, foreign_file)
    page.get_by_role("button", name="Start the import").click()
    page.wait_for_url(PREPARE_PAGE)
    expect(page.get_by_text("Still to choose: sku, name, description.")).to_be_visible()
    page.get_by_label("Column of the file for sku").focus()
    page.get_by_label("Column of the file for sku").select_option(label="Nummer")
    expect(page.locator(".preview tbody tr")).to_have_count(3)
    expect(page.get_by_label("Column of the file for sku")).to_be_focused()
    expect(page.locator(".preview tr.bad")).to_contain_text("The SKU is empty.")
    page.get_by_label("Column of the file for name").select_option(label="Bezeichnung")
    expect(page.locator(".preview")).to_contain_text("Becher")
    page.get_by_label("Column of the file for description").select_option(label="Langtext")
    expect(page.get_by_text("Not taken from the file: Lager.")).to_be_visible()
    expect(page.get_by_text("Still to choose")).to_have_count(0)
    page.get_by_label("An empty cell of description").select_option("keep")
    expect(page.locator(".preview")).to_contain_text("as it is")
    page.get_by_role("button", name="Start the import").click()
    page.wait_for_url(IMPORT_PAGE)
    expect(page.locator(".live-sum")).to_have_text("2 created + 1 rejected = 3 lines read.")
    look_at(page, foreign_file)
    expect(page.get_by_text("Mapped as the last time")).to_be_visible()
    expect(page.get_by_label("Column of the file for name")).to_have_value("1")
    expect(page.get_by_label("An empty cell of description")).to_have_value("keep")
    assert complaints == []


def test_without_javascript_a_button_shows_the_rows(signed_in_page: Page, site, foreign_file: Path) -> None:
    state = signed_in_page.context.storage_state()
    context = signed_in_page.context.browser.new_context(base_url=site.url, storage_state=state, java_script_enabled=False)
    page = context.new_page()
    foreign_file.write_text("Nr,Titel,Text\nplain-1,Becher,Rot\n")
    look_at(page, foreign_file)
    page.get_by_label("First line").select_option("no")
    page.get_by_role("button", name="Show the rows again").click()
    page.get_by_label("Column of the file for sku").select_option(label="Column 1: Nr")
    page.get_by_role("button", name="Show the rows again").click()
    expect(page.locator(".preview tbody")).to_contain_text("plain-1")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_is_open_to_everybody(signed_in_page: Page, foreign_file: Path, scheme: str, width: int) -> None:
    page = signed_in_page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    foreign_file.write_text("sku,name,description,active,Lager\nmap-1,Becher,Rot,yes,3\n,Tasse,Blau,perhaps,4\nmap-3,Kanne\n")
    look_at(page, foreign_file)
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
