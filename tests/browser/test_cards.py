"""Cards in a real browser: the lookup and the timeline, by keyboard, without JavaScript, on small screens, light and dark."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.site import Site

pytestmark = pytest.mark.browser

#: Cards that no other test has: one that failed twice and changed its number, one that was delivered, one that came back.
CARDS = """
from datetime import datetime, timedelta, UTC
from cards.models import CardEvent
reports = [
    ("BRW1", 1, "585000077", ""),
    ("BRW1", 2, "0585000077", "User not available"),
    ("BRW1", 2, "0501112233", "Asked to come again"),
    ("BRW2", 1, "585000077", ""),
    ("BRW2", 3, "971585000077", "DELIVERED"),
    ("BRW3", 4, "585000078", ""),
]
for hours, (card, stage, phone, comment) in enumerate(reports):
    CardEvent.objects.create(
        card_id=card, stage=stage, phone=phone, comment=comment, reference=f"R{hours}", event_key=f"browser {hours}",
        at=datetime(2026, 3, 1, 5, 30, tzinfo=UTC) + timedelta(hours=hours),
    )
"""


@pytest.fixture(scope="module", autouse=True)
def _cards(site: Site) -> Iterator[None]:
    site.manage("shell", "--no-imports", "-c", CARDS)
    yield
    site.manage("shell", "--no-imports", "-c", "from cards.models import CardEvent; CardEvent.objects.all().delete()")


def test_card_is_looked_up_and_its_timeline_read_by_keyboard_alone(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/cards/")
    page.get_by_role("searchbox", name="Card ID").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox", name="Mobile number")).to_be_focused()
    page.keyboard.type("+971 (50) 111-2233")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=3)).to_have_text(["BRW1"])
    expect(page.get_by_text("2 delivery attempts have failed.")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Mobile number")).to_have_value("+971 (50) 111-2233")
    page.get_by_role("link", name="Timeline of card BRW1").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/cards/BRW1/$"))
    reports = page.locator(".timeline > li")
    expect(reports).to_contain_text(["Asked to come again", "User not available", "Picked up"])
    expect(reports.nth(0)).to_contain_text("1 Mar 2026, 11:30 UTC+04:00")
    expect(reports.nth(0)).to_contain_text("Another number: 0501112233")
    page.get_by_role("link", name="0585000077").click()
    expect(page.get_by_role("heading", level=3)).to_have_text(["BRW2", "BRW1"])


def test_lookup_works_without_javascript(browser: Browser, site: Site, _signed_in_state: Any) -> None:
    context = browser.new_context(base_url=site.url, storage_state=_signed_in_state, java_script_enabled=False)
    page = context.new_page()
    page.goto("/cards/")
    page.get_by_role("searchbox", name="Card ID").fill("brw2")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("heading", level=3)).to_have_text(["BRW2"])
    page.get_by_role("searchbox", name="Card ID").fill("nobody's")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("status")).to_contain_text("No report names the card “nobody's”.")
    page.get_by_role("searchbox", name="Card ID").fill("")
    page.get_by_role("searchbox", name="Mobile number").fill("12")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("searchbox", name="Mobile number")).to_have_accessible_description(
        "“12” has fewer than nine digits; write the whole mobile number."
    )
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_violations_and_fit(signed_in_page: Page, width: int, scheme: Any) -> None:
    page = signed_in_page
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    asked = ("", "?mobile=0585000077", "?card_id=brw3", "?mobile=12", "?card_id=nobody", "BRW1/", "BRW2/", "nobody/")
    for path in asked:
        page.goto(f"/cards/{path}")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
