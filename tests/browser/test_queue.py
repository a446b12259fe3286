"""Rows through the queue on a whole site: sent by the command, stored by the consumer of bin/up, dead letters on their page."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.site import Site

pytestmark = pytest.mark.browser

#: A message that is no row, as another program might send one.
SEND = """
from importer.broker.choice import connected
from importer.broker.letters import Letter, rows_queue
with connected() as queues:
    queues.publish(rows_queue("people"), [Letter(b'{"what": "is this?"}', "odd")])
"""


def accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.slow
def test_rows_are_sent_and_stored_and_poison_is_replayed_and_discarded(
    site: Site, signed_in_page: Page, tmp_path: Path
) -> None:
    page = signed_in_page
    page.goto("/queue/")
    expect(page.get_by_text("No message waits.")).to_be_visible()
    accessible(page)
    path = tmp_path / "people.csv"
    path.write_text("name,email\n" + "".join(f"Q {n},queue{n}@example.org\n" for n in range(50)) + "Again,QUEUE1@example.org\n")
    done = site.manage("publish_rows", "people", str(path), "--wait")
    assert "Done: 51 lines; 51 sent" in done.stdout and "50 created, 1 unchanged, 0 rejected" in done.stdout
    page.goto("/imports/")
    page.get_by_role("link", name="people.csv").first.click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    expect(page.get_by_text("50 created + 1 unchanged = 51 lines read.")).to_be_visible()
    expect(page.locator("#live-phases")).to_contain_text("Being stored")
    accessible(page)
    site.manage("shell", "-c", SEND)
    letters = page.locator(".letters tbody tr")
    for _ in range(60):
        page.goto("/queue/")
        if letters.count():
            break
        page.wait_for_timeout(500)
    expect(letters).to_have_count(1)
    expect(letters).to_contain_text("does not say which version")
    for width, scheme in ((1280, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(path=tmp_path / f"letters-{width}.png")
    page.get_by_role("button", name="Replay all").click()
    expect(page.get_by_text("Sent again: 1.")).to_be_visible()
    for _ in range(60):
        page.goto("/queue/")
        if letters.count():
            break
        page.wait_for_timeout(500)
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("Discarded.")).to_be_visible()
    expect(page.get_by_text("No message waits.")).to_be_visible()
