"""The import's page in a real browser: it follows the import, outlives the web process, and everybody can use it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from accounts.models import User
from importer.models import Import, Reject
from importer.states import State
from tests.importer.live_web import Web, cookie_of, step

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.every]


@pytest.fixture
def web(transactional_db):
    with Web() as web:
        yield web


@pytest.fixture
def ada(transactional_db):
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


@pytest.fixture
def run(ada):
    return Import.objects.create(dataset="products", owner=ada, attempt=1)


@pytest.fixture
def visit(browser, web, run):
    """Opens the import's page for a user, in a window of its own; complains about errors in the console at the end."""
    windows, problems = [], []

    def visit(user, path=f"/imports/{run.public_id}/", **options):
        window = browser.new_context(base_url=web.url, reduced_motion="reduce", **options)
        windows.append(window)
        window.add_cookies([{"name": "sessionid", "value": cookie_of(user), "url": web.url}])
        page = window.new_page()
        page.on("pageerror", lambda problem: problems.append(str(problem)))
        page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
        page.goto(path)
        return page

    yield visit
    for window in windows:
        window.close()
    assert problems == []


def words(page):
    return page.locator("[data-words]")


def test_a_page_follows_its_import_to_the_end(visit, web, run, ada):
    page, bob = visit(ada), visit(User.objects.create_user("bob@example.com", role="editor"))
    expect(words(page)).to_have_text("Queued")
    step(run, state=State.STAGING, lines=4000, step_done=50, step_total=100)
    expect(words(page)).to_have_text("Reading")
    expect(page.locator(".live-percent")).to_have_text("20 %")
    expect(page.get_by_role("status")).to_have_text("Reading")
    expect(page).to_have_title(re.compile("^Reading · Products"))
    Reject.objects.create(run=run, line=17, cells=["a", ""], reason="Line 17: The name is empty.")
    step(run, rejected=1)
    expect(page.locator("#rejects")).to_contain_text("The name is empty.")
    expect(bob.locator(".live-sum")).to_have_text("1 rejected + 3,999 still to come = 4,000 lines read.")
    expect(bob.locator("#rejects")).to_have_count(0)
    second_tab = page.context.new_page()
    second_tab.goto(page.url)
    step(run, state=State.DONE, created=3999)
    for tab in (page, second_tab, bob):
        expect(words(tab)).to_have_text("Done")
        expect(tab.locator(".live-sum")).to_have_text("3,999 created + 1 rejected = 4,000 lines read.")


def test_a_page_finds_back_when_the_web_process_was_away(visit, web, run, ada):
    page = visit(ada)
    step(run, state=State.STAGING)
    expect(words(page)).to_have_text("Reading")
    web.stop()
    step(run, state=State.APPLYING, lines=31_337)
    web.start()
    expect(words(page)).to_have_text("Writing")
    expect(page.locator("#live-numbers")).to_contain_text("31,337")


def test_a_page_comes_again_after_an_answer_that_is_no_stream(visit, web, run, ada):
    page = visit(ada, path="/imports/")
    page.route("**/events", lambda route: route.fulfill(status=503, body="full"))
    page.goto(f"/imports/{run.public_id}/")
    step(run, state=State.STAGING)
    page.wait_for_timeout(700)
    expect(words(page)).to_have_text("Queued")
    page.unroute("**/events")
    expect(words(page)).to_have_text("Reading")


def test_a_running_clock_counts_on_between_steps(visit, web, run, ada):
    page = visit(ada)
    step(run, state=State.COMPARING, started_at=run.queued_at)
    clock = page.locator("[data-clock]")
    expect(clock).to_have_text(re.compile(r"^\d:\d\d$"))
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_break_no_rule_of_access(visit, web, run, ada, width, scheme):
    Reject.objects.create(run=run, line=17, cells=["x" * 300, ""], reason="Line 17: The name is empty.")
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    figures = {"lines": 5_000_000, "created": 1_234_567, "updated": 1_111_111, "unchanged": 1_000_000, "rejected": 1}
    step(run, state=State.APPLYING, samples=[[1, 10], [2, 30], [3, 90]], superseded=1_000_000, **figures)
    page = visit(ada, **options)
    for path in ("", "rejects/", "../"):
        page.goto(f"/imports/{run.public_id}/{path}")
        assert Axe().run(page).violations_count == 0
        assert page.locator("html").evaluate("page => page.scrollWidth") <= width
