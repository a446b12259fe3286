"""Erasing a person in a real browser: with the keyboard alone, in both steps, and the file's page after it."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.site import Site

pytestmark = pytest.mark.browser

PEOPLE = "name,email\nAnn,ann.erased@example.com\nBen,ben.stays@example.com\n"


def violations(page: Page) -> list[str]:
    return [f"{found['id']}: {found['help']}" for found in Axe().run(page).response["violations"]]


def test_erase_page_works_by_keyboard_and_has_no_violations(signed_in_page: Page, site: Site, tmp_path: Path):
    page = signed_in_page
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    site.manage("import_file", "people", str(tmp_path / "people.csv"))
    page.goto("/imports/")
    page.get_by_label("Signed in as").press("Enter")
    page.get_by_role("link", name="Erase personal data").press("Enter")
    expect(page.get_by_role("heading", name="Erase personal data")).to_be_visible()
    assert violations(page) == []
    field = page.get_by_label("E-mail address or phone number")
    field.focus()
    page.keyboard.type("nobody at all")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is nothing that a person is known by here")).to_be_visible()
    assert violations(page) == []
    field.fill("ANN.erased@example.com")
    field.press("Enter")
    found = page.get_by_role("region", name="What is kept of this person")
    expect(found).to_contain_text("people.csv")
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            assert violations(page) == []
            assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    button = page.get_by_role("button", name="Erase this person")
    field.focus()
    for _ in range(10):
        page.keyboard.press("Tab")
        if button.evaluate("node => node === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Erased. Changes of people: 1; Files: 1; People: 1.")
    assert "ann.erased" not in page.url
    assert violations(page) == []
    assert "ben.stays@example.com" in site.manage("shell", "-c", SHOW).stdout
    assert "ann.erased@example.com" not in site.manage("shell", "-c", SHOW).stdout
    page.goto("/imports/")
    page.get_by_role("link", name="erased").first.click()
    expect(page.get_by_text("because it held data of a person whose data was erased.")).to_be_visible()
    expect(page.get_by_role("link", name="Download the file")).to_have_count(0)
    assert violations(page) == []


SHOW = "from contacts.models import Person; print(list(Person.objects.values_list('email', flat=True)))"
