"""The buttons of an import in a real browser: the page follows what they do, without being loaded again."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from accounts.models import User
from importer import runner
from importer.models import Import
from importer.states import State
from products import edits
from products.models import Product
from tests.importer.live_web import Web, cookie_of

pytestmark = pytest.mark.browser

ROWS = "sku,name,description\na,One,\nb,Two,\n"


@pytest.fixture
def ada(transactional_db):
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


@pytest.fixture
def run(submit, ada):
    run = submit(ROWS + ",nobody,\n")
    Import.objects.filter(pk=run.pk).update(owner=ada)
    run.refresh_from_db()
    return run


@pytest.fixture
def visit(browser, transactional_db, run, ada):
    """Opens the import's page for its owner; complains about errors in the console at the end."""
    windows, problems = [], []
    with Web() as web:

        def visit(**options):
            window = browser.new_context(base_url=web.url, reduced_motion="reduce", **options)
            windows.append(window)
            window.add_cookies([{"name": "sessionid", "value": cookie_of(ada), "url": web.url}])
            page = window.new_page()
            page.on("pageerror", lambda problem: problems.append(str(problem)))
            page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
            page.goto(f"/imports/{run.public_id}/")
            return page

        yield visit
        for window in windows:
            window.close()
    assert problems == []


def words(page):
    return page.locator("[data-words]")


def button(page, name):
    return page.locator("#control").get_by_role("button", name=name, exact=True)


def test_pause_resume_cancel_and_two_windows_see_it(visit, run):
    page, other = visit(), visit()
    button(page, "Pause").click()
    for window in (page, other):
        expect(words(window)).to_have_text("Paused")
        expect(button(window, "Resume")).to_be_visible()
        expect(button(window, "Pause")).to_have_count(0)
    countdown = page.locator("[data-countdown]")
    expect(countdown).to_have_text(re.compile(r"[34]:[0-5]\d"))
    assert Axe().run(page).response["violations"] == []
    button(other, "Resume").click()
    expect(words(page)).to_have_text("Queued")
    button(page, "Cancel…").click()
    page.get_by_role("button", name="Cancel the import").click()
    expect(words(page)).to_have_text("Cancelled")
    expect(words(other)).to_have_text("Cancelled")
    expect(other.locator("#control").get_by_role("button")).to_have_count(0)


def test_the_focus_stays_at_the_button_that_was_pressed(visit):
    page = visit()
    button(page, "Pause").focus()
    page.keyboard.press("Enter")
    expect(button(page, "Resume")).to_be_focused()
    page.keyboard.press("Enter")
    expect(button(page, "Pause")).to_be_focused()


def test_undo_from_the_page_to_the_list_of_what_stayed(visit, run, ada):
    runner.run(run.pk)
    page = visit()
    with page.expect_download() as download:
        page.get_by_role("link", name="download them as CSV").click()
    assert download.value.suggested_filename == "file-rejects.csv"
    edits.change(Product.objects.get(sku="b").pk, {"name": "Zwei"}, ada)
    button(page, "Undo…").click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Undo 2 rows").click()
    expect(words(page)).to_have_text("Queued")
    runner.run(run.pk)
    expect(words(page)).to_have_text("Undone")
    expect(page.locator("#live-note")).to_contain_text("0 rows restored, 1 removed, 1 kept because changed since.")
    page.get_by_role("link", name="Rows that were left alone").click()
    expect(page.get_by_role("row")).to_have_count(2)
    assert Axe().run(page).response["violations"] == []


def test_buttons_work_without_javascript(visit, run):
    page = visit(java_script_enabled=False)
    button(page, "Pause").click()
    expect(words(page)).to_have_text("Paused")
    expect(page.locator("#live-note time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    button(page, "Resume").click()
    expect(words(page)).to_have_text("Queued")
    run.refresh_from_db()
    assert run.state == State.QUEUED
