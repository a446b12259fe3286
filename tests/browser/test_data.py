"""The pages of what the site holds, in a real browser: the hub, the rows of a dataset, one row, by keyboard."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_pages import fits
from tests.site import ROOT, Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def _students(site: Site) -> None:
    site.manage("import_file", "students", str(ROOT / "tests" / "files" / "students.csv"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    "path", ["/data/", "/data/students/", "/data/students/?q=nobody", "/data/students/?from=2020-05-11&to=2020-05-10"]
)
def test_data_pages_are_open_to_everybody(signed_in_page: Page, path: str, width: int, scheme: str) -> None:
    signed_in_page.emulate_media(color_scheme=scheme)
    signed_in_page.set_viewport_size({"width": width, "height": 800})
    signed_in_page.goto(path)
    found = Axe().run(signed_in_page)
    assert found.violations_count == 0, found.generate_report()
    assert fits(signed_in_page)


def test_row_is_found_and_opened_by_keyboard(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/data/")
    page.get_by_role("link", name="Browse student answers").press("Enter")
    page.get_by_label("Search").fill("n1")
    page.get_by_label("Search").press("Enter")
    page.wait_for_url(re.compile(r"q=n1"))
    expect(page.get_by_role("link", name="N0")).to_have_count(0)
    page.get_by_role("link", name="N1").press("Enter")
    expect(page.get_by_role("heading", name="N1")).to_be_visible()
    expect(page.get_by_text("99 Other Road")).to_be_visible()
    expect(page.locator("main")).to_contain_text("line 3 of students.csv")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
