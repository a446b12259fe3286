"""The switch "take no new imports" in a real browser: turned on its page, seen by a page that was open before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.site import Site

pytestmark = pytest.mark.browser

REASON = "the shelves are being moved, until noon"


@pytest.fixture
def _opened_again(site: Site) -> Iterator[None]:
    """Other tests share the site."""
    yield
    site.manage("take_imports", "on")


@pytest.mark.usefixtures("_opened_again")
def test_admin_closes_and_opens_the_site_for_new_imports(signed_in_page: Page, tmp_path: Path) -> None:
    page = signed_in_page
    page.goto("/imports/new/")
    upload = page.context.new_page()
    upload.goto("/imports/new/")
    page.locator(".menu summary").click()
    page.get_by_role("link", name="Maintenance").click()
    page.get_by_label("What people are told").fill(REASON)
    page.get_by_role("button", name="Take no new imports").click()
    expect(page.get_by_text("Closed for new imports since")).to_contain_text(REASON)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    # A page that was open before hears it when it begins to send.
    (tmp_path / "products.csv").write_text("sku,name,description\nclosed-1,One,\n")
    upload.set_input_files("input[type=file]", tmp_path / "products.csv")
    upload.get_by_role("button", name="Start the import").click()
    expect(upload.locator("#sending-notice")).to_contain_text(f"No new imports are taken at the moment: {REASON}.")
    upload.goto("/imports/new/")
    expect(upload.get_by_text(f"No new imports are taken at the moment: {REASON}.")).to_be_visible()
    expect(upload.locator("input[type=file]")).to_have_count(0)
    found = Axe().run(upload)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_role("button", name="Take new imports again").click()
    expect(page.get_by_text("New imports are taken.", exact=True)).to_be_visible()
    upload.reload()
    expect(upload.locator("input[type=file]")).to_have_count(1)
