"""The page of held rows in a real browser: it counts down, rows go by themselves, buttons work by keyboard."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_pages import fits
from tests.site import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def _held(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("held") / "held.csv"
    lines = [f"Held {number},077445566,held{number % 7}@example.am\n" for number in range(12)]
    path.write_text("Name,Phone Number,Email Address\n" + "".join(lines))
    site.manage("import_file", "contacts", str(path))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_held_rows_are_open_to_everybody(signed_in_page: Page, width: int, scheme: str) -> None:
    signed_in_page.emulate_media(color_scheme=scheme)
    signed_in_page.set_viewport_size({"width": width, "height": 800})
    signed_in_page.goto("/held/")
    expect(signed_in_page.get_by_role("heading", name="Held rows")).to_be_visible()
    found = Axe().run(signed_in_page)
    assert found.violations_count == 0, found.generate_report()
    assert fits(signed_in_page)


def test_moments_come_nearer(signed_in_page: Page) -> None:
    signed_in_page.goto("/held/")
    clock = signed_in_page.locator("[data-countdown]").last
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)


def test_row_is_let_through_and_discarded_by_keyboard(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/held/")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Store line 13 now").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The row was stored.")).to_be_visible()
    expect(page.get_by_text("Held 11", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Discard line 12", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The row was discarded; it will never be stored.")).to_be_visible()
    expect(page.get_by_text("Held 10", exact=True)).to_have_count(0)


def test_row_goes_by_itself_when_its_moment_has_come(signed_in_page: Page, site: Site, tmp_path: Path) -> None:
    path = tmp_path / "soon.csv"
    path.write_text("Name,Phone Number,Email Address\nFirst,077998877,\nSoon stored,077998877,\n")
    site.manage("import_file", "contacts", str(path))
    signed_in_page.goto("/held/")
    soon = signed_in_page.get_by_text("Soon stored", exact=True)
    expect(soon).to_be_visible()
    expect(soon).to_have_count(0, timeout=60_000)
    signed_in_page.goto("/data/contacts/?q=077998877")
    expect(signed_in_page.get_by_text("Soon stored", exact=True)).to_be_visible()
