"""The main job on real input: 500,000 rows through a browser, watched to the end, and one of them found.

The short form has 100,000 rows; LOADIFY_FULL=1 runs the whole.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.site import Site

#: Rows of the file, and of them those with a SKU of their own; the others are superseded.
ROWS, KEYS = (500_000, 466_667) if os.environ.get("LOADIFY_FULL") == "1" else (100_000, 93_334)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def half_a_million(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half-a-million") / "products.csv"
    site.manage("make_sample", "products", str(ROWS), str(path), "--seed", "1")
    return path


def watch(page: Page) -> list[float]:
    """Percent as the page showed it, from now until the import is done."""
    bar = page.locator("#live-bar")
    seen: list[float] = []
    for _ in range(1_200):
        seen.append(float(bar.get_attribute("value") or 0))
        if bar.get_attribute("data-state") in ("done", "failed"):
            break
        page.wait_for_timeout(250)
    return seen


def test_upload_watch_and_find(signed_in_page: Page, half_a_million: Path):
    page = signed_in_page
    page.goto("/imports/new/")
    page.set_input_files("input[type=file]", half_a_million)
    page.get_by_role("button", name="Start the import").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}/$"), timeout=120_000)
    percent = watch(page)
    assert percent == sorted(percent)
    assert len({value for value in percent if 0 < value < 100}) >= 5, "progress is seen to move"
    main = page.locator("main")
    expect(main).to_contain_text("Done")
    expect(main).to_contain_text(f"{KEYS:,} created + {ROWS - KEYS:,} superseded = {ROWS:,} lines read.")
    page.reload()
    expect(main).to_contain_text(f"{KEYS:,} created + {ROWS - KEYS:,} superseded = {ROWS:,} lines read.")

    page.goto("/products/")
    # Other tests have left products of theirs on this site.
    expect(page.get_by_text(re.compile(rf"^\s*About {KEYS // 100_000 or 9}\d*,?\d\d\d products\s*$"))).to_be_visible()
    sku = page.locator("#products tbody tr").nth(7).locator("td, th").first.inner_text().split("\n")[0]
    page.get_by_role("searchbox", name="SKU").fill(sku.upper())
    expect(page).to_have_url(re.compile("q="))
    expect(page.locator("#products tbody tr").first).to_contain_text(sku)

    # The same file once more changes nothing, and says so.
    page.goto("/imports/new/")
    page.set_input_files("input[type=file]", half_a_million)
    page.get_by_role("button", name="Start the import").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}/$"), timeout=120_000)
    watch(page)
    expect(main).to_contain_text(f"{KEYS:,} unchanged + {ROWS - KEYS:,} superseded = {ROWS:,} lines read.")
