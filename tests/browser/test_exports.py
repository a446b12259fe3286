"""An export in a real browser: the form with its estimate, the progress, the buttons by keyboard, the download."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_pages import fits

pytestmark = pytest.mark.browser

ROWS = 3_000
EXPORT_PAGE = re.compile(r"/exports/[0-9a-f-]{36}/$")


@pytest.fixture(scope="module")
def _people(site, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("people") / "people.csv"
    path.write_text("name,email\n" + "".join(f"=Name {number},exported{number}@example.com\n" for number in range(ROWS)))
    site.manage("import_file", "people", str(path), "--yes")


@pytest.mark.usefixtures("_people")
def test_people_are_exported_and_downloaded(signed_in_page: Page, tmp_path: Path) -> None:
    page = signed_in_page
    page.goto("/exports/")
    page.get_by_role("button", name=re.compile("Start the first export|New export")).click()
    page.get_by_label("What to export").select_option("people")
    expect(page.locator("#export-rows")).to_contain_text("rows.")
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_label("To", exact=True).fill("2019-01-01")
    page.get_by_role("button", name="Start the export").click()
    expect(page.locator(".errorlist")).to_have_text("The last day, 2019-01-01, is before the first, 2020-01-01.")
    page.get_by_label("To", exact=True).fill("2099-12-31")
    # Other tests of the same site have brought people, too.
    expect(page.locator("#export-rows")).to_have_text(re.compile(r"^\s*[3-9],\d{3} rows\.\s*$"))
    rows = int(page.locator("#export-rows").inner_text().split()[0].replace(",", ""))
    assert rows >= ROWS
    page.get_by_role("button", name="Start the export").press("Enter")
    page.wait_for_url(EXPORT_PAGE)
    download = page.get_by_role("button", name="Download people-2020-01-01-2099-12-31.csv")
    expect(download).to_be_visible()
    expect(page.locator("#export")).to_contain_text(f"{rows:,}")
    with page.expect_download() as found:
        download.press("Enter")
    assert found.value.suggested_filename == "people-2020-01-01-2099-12-31.csv"
    found.value.save_as(tmp_path / "people.csv")
    text = (tmp_path / "people.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[0] == "name,email"
    assert "'=Name 0,exported0@example.com" in text.splitlines()
    assert text.count("\n") == rows + 1
    page.get_by_role("link", name="Exports").first.click()
    expect(page.get_by_role("link", name="Download people-2020-01-01-2099-12-31.csv")).to_be_visible()


@pytest.mark.usefixtures("_people")
def test_an_export_is_paused_resumed_and_cancelled_by_keyboard(signed_in_page: Page, site) -> None:
    page = signed_in_page
    # As if no worker were free.
    made = site.manage("shell", "-c", _PAUSED).stdout.split()[-1]
    page.goto(f"/exports/{made}/")
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    page.get_by_role("button", name="Resume").press("Enter")
    expect(page.get_by_role("button", name=re.compile("Download people"))).to_be_visible()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    expect(page.locator("#export-said")).to_have_text("Done")
    made = site.manage("shell", "-c", _PAUSED).stdout.split()[-1]
    page.goto(f"/exports/{made}/")
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    expect(page.get_by_role("link", name="Export again")).to_be_visible()


_PAUSED = """
from accounts.models import User
from importer import export_control
from importer.models import Export
export = Export.objects.create(dataset="people", owner=User.objects.get(email="boss@example.com"), state="paused")
print(export.public_id)
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.usefixtures("_people")
def test_pages_of_exports_are_open_to_everybody(signed_in_page: Page, site, width: int, scheme: str) -> None:
    page = signed_in_page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    made = site.manage("shell", "-c", _PAUSED).stdout.split()[-1]
    for path in ("/exports/", "/exports/new/", f"/exports/{made}/"):
        page.goto(path)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert fits(page)
