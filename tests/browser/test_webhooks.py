"""Webhooks in a real browser, with a real receiver: adding one and seeing its test, secrets, the log, replay."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from standardwebhooks import Webhook

from loadify.processes import wait_until
from tests.site import Site
from tests.webhooks.plays import answer, delayed
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.browser


class Api:
    """The site's API, as the administrator."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.session: requests.Session = site.session()

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"]}
        answered = self.session.request(method, f"{self.site.url}/api/v1{path}", json=body, headers=headers, timeout=30)
        answered.raise_for_status()
        return answered.json() if answered.content else None


@pytest.fixture(scope="module")
def api(site: Site) -> Api:
    return Api(site)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def webhook(api: Api, receiver: Receiver) -> Callable[..., dict[str, Any]]:
    """Adds a webhook that goes to a path of the receiver."""

    def add(path: str = "/hook", **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = api("POST", "/webhooks", {"url": f"{receiver.url}{path}", "name": "Web shop", **fields})
        return made

    return add


@pytest.fixture(autouse=True)
def _no_webhook_stays(api: Api) -> Iterator[None]:
    """Edits of other tests must not be sent to receivers of ours."""
    yield
    for left in api("GET", "/webhooks")["items"]:
        api("DELETE", f"/webhooks/{left['id']}")


def edit(api: Api) -> str:
    """Make a product; returns its SKU."""
    sku = f"hooks-{uuid.uuid4().hex[:8]}"
    api("POST", "/products", {"sku": sku, "name": "Oak shelf"})
    return sku


def open_page(page: Page, webhook: dict[str, Any], tail: str = "") -> None:
    page.goto(f"/webhooks/{webhook['id']}/{tail}")


def test_added_webhook_shows_its_secret_once_and_its_test_at_once(signed_in_page: Page, receiver: Receiver) -> None:
    page = signed_in_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    receiver.plays["/hook"] = answer(202, b"thanks a lot", {"X-Shop": "mine"})
    page.goto("/webhooks/")
    page.get_by_role("button", name="Add a webhook").click()
    expect(page.get_by_text("A product was created by hand")).to_be_hidden()
    page.get_by_label("URL").fill(f"{receiver.url}/hook")
    page.get_by_label("Name").fill("Web shop")
    page.get_by_role("button", name="Add the webhook").click()

    shown = page.locator("#secret").inner_text()
    assert shown.startswith("whsec_")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == shown
    page.get_by_role("button", name="I have copied it").click()

    expect(page.get_by_role("heading", name="Web shop")).to_be_visible()
    receiver.secret = shown
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("heading", name="The test has arrived")).to_be_visible()
    test = page.locator("#test")
    expect(test).to_contain_text("202 Accepted")
    expect(test).to_contain_text("thanks a lot")
    test.get_by_text("Headers of the answer").click()
    expect(test).to_contain_text(re.compile(r"x-shop\s*mine", re.IGNORECASE))
    assert [request.verified for request in receiver.requests] == [True]
    expect(page.locator("#log tbody tr")).to_have_count(1)
    expect(page.locator("#log tbody tr")).to_contain_text("webhook.test")

    page.go_back()
    expect(page.locator("body")).not_to_contain_text(shown)
    expect(page.get_by_role("heading", name="The secret has been shown")).to_be_visible()


def test_page_that_the_browser_keeps_for_going_back_holds_no_secret(signed_in_page: Page, webhook) -> None:
    page = signed_in_page
    open_page(page, webhook(), "rotate/")
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.locator("#secret")).to_contain_text("whsec_")
    # What a browser says to a page before it puts it aside; under Playwright it never does that.
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    expect(page.locator("#secret")).to_have_text("shown once")


def test_form_says_what_is_wrong_and_keeps_what_was_typed(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/webhooks/new/")
    page.get_by_label("URL").fill("http://169.254.169.254/latest/meta-data/")
    page.get_by_label("Only these:").check()
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.locator(".errorlist").first).to_contain_text("169.254.169.254 is a metadata address of a cloud")
    expect(page.get_by_text("Choose at least one type, or all events.")).to_be_visible()
    expect(page.get_by_label("URL")).to_have_value("http://169.254.169.254/latest/meta-data/")
    expect(page.get_by_label("Only these:")).to_be_checked()


def test_running_test_is_shown_and_a_sick_receiver_explained(signed_in_page: Page, receiver: Receiver, webhook) -> None:
    page = signed_in_page
    receiver.plays["/hook"] = delayed(1.5, answer(500, b"out of order"))
    open_page(page, webhook())
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("Waiting for the answer")).to_be_visible()
    expect(page.get_by_role("button", name="Send a test")).to_be_disabled()
    expect(page.get_by_role("heading", name="The test was not taken")).to_be_visible()
    expect(page.locator("#test")).to_contain_text("500 Internal Server Error")
    expect(page.get_by_text("Waiting for the answer")).to_be_hidden()


def test_rotated_secret_signs_beside_the_old_one(signed_in_page: Page, receiver: Receiver, webhook) -> None:
    page = signed_in_page
    made = webhook()
    open_page(page, made)
    page.get_by_role("button", name="New secret").click()
    page.get_by_role("button", name="Make a new secret").click()
    fresh = page.locator("#secret").inner_text()
    expect(page.get_by_text("The old secret signs beside it until")).to_be_visible()
    page.get_by_role("button", name="I have copied it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("heading", name="The test has arrived")).to_be_visible()
    [request] = receiver.requests
    for secret in (made["secret"], fresh):
        assert Webhook(secret).verify(request.body, request.headers)["type"] == "webhook.test"


def test_log_follows_a_delivery_on_its_way(signed_in_page: Page, api: Api, receiver: Receiver, webhook) -> None:
    page = signed_in_page
    receiver.plays["/hook"] = delayed(4, answer(200, b"taken"))
    made = webhook()
    sku = edit(api)
    open_page(page, made)
    row = page.locator("#log tbody tr")
    expect(row).to_contain_text("product.created")
    expect(row.locator(".badge")).to_have_text(re.compile("On its way|Being sent"))
    expect(row.locator(".badge")).to_have_text("Delivered", timeout=60_000)
    assert [json.loads(request.body)["data"]["product"]["sku"] for request in receiver.requests] == [sku]

    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="A product was created by hand")).to_be_visible()
    expect(page.locator("pre").filter(has_text=sku)).to_contain_text('"type": "product.created"')
    tried = page.get_by_role("article", name="Try 1")
    expect(tried).to_contain_text("taken")
    tried.get_by_text("The request").click()
    expect(tried).to_contain_text(re.compile(r"webhook-signature\s*•••"))

    receiver.plays["/hook"] = answer(200)
    page.get_by_role("button", name="Resend").click()
    expect(page.get_by_text("It is sent again now.")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(2)
    first, second = receiver.wait_for(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_hidden_tab_does_not_ask(signed_in_page: Page, api: Api, receiver: Receiver, webhook) -> None:
    page = signed_in_page
    receiver.plays["/hook"] = delayed(8, answer(200))
    made = webhook()
    edit(api)
    open_page(page, made)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if made["id"] in request.url else None)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.wait_for_timeout(4_000)
    assert asked == []
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    with page.expect_request(lambda request: made["id"] in request.url, timeout=30_000):
        pass


def test_what_happened_while_off_is_replayed(signed_in_page: Page, api: Api, receiver: Receiver, webhook) -> None:
    page = signed_in_page
    made = webhook()
    open_page(page, made)
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Web shop is off.")).to_be_visible()
    sku = edit(api)
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("Web shop is on.")).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    # Other tests have edited products since yesterday, too.
    page.get_by_label("Since").fill(f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="How many are that?").click()
    expect(page.locator(".confirm")).to_contain_text(re.compile(r"\d+ deliver(y|ies) will be sent"))
    page.get_by_role("button", name=re.compile("Send (it|them)")).click()
    expect(page.get_by_text(re.compile("on (its|their) way")).first).to_be_visible()
    assert wait_until(lambda: any(sku in request.body.decode() for request in receiver.requests), 60)


def test_deleting_asks_first(signed_in_page: Page, webhook) -> None:
    page = signed_in_page
    made = webhook()
    open_page(page, made)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Delete this webhook?")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the webhook").click()
    expect(page.get_by_text("Web shop is deleted")).to_be_visible()
    expect(page.get_by_role("heading", name="Tell other systems what happens here")).to_be_visible()


def test_webhook_is_added_and_tested_by_keyboard_alone(signed_in_page: Page, receiver: Receiver) -> None:
    page = signed_in_page
    page.goto("/webhooks/new/")
    page.get_by_label("URL").focus()
    page.keyboard.type(f"{receiver.url}/hook")
    page.keyboard.press("Tab")
    page.keyboard.type("Keys")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Only these:")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("[name=event_types]:checked")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#secret")).to_be_visible()
    page.get_by_role("button", name="I have copied it").press("Enter")
    page.get_by_role("button", name="Send a test").press("Enter")
    expect(page.get_by_role("heading", name="The test has arrived")).to_be_visible()


def test_everything_goes_without_javascript(
    browser: Browser, site: Site, api: Api, receiver: Receiver, signed_in_page: Page
) -> None:
    state = signed_in_page.context.storage_state()
    context = browser.new_context(base_url=site.url, java_script_enabled=False, storage_state=state)
    page = context.new_page()
    page.goto("/webhooks/new/")
    page.get_by_label("URL").fill(f"{receiver.url}/hook")
    page.get_by_label("Name").fill("Plain")
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.locator("#secret")).to_contain_text("whsec_")
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    page.get_by_role("button", name="I have copied it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("heading", name="The test has arrived")).to_be_visible()
    page.get_by_role("button", name="Back to the webhook").click()
    page.get_by_role("button", name="Switch off").click()
    edit(api)
    page.get_by_role("button", name="Replay").click()
    page.get_by_role("button", name="How many are that?").click()
    page.get_by_role("button", name=re.compile("Send (it|them)")).click()
    expect(page.locator("#log tbody tr").first).to_contain_text("Waits until it is switched on")
    page.get_by_role("link", name="Delivered").click()
    page.get_by_role("button", name=re.compile("Resend")).click()
    expect(page.get_by_role("heading", name="A test")).to_be_visible()
    context.close()


PAGES = [
    "/webhooks/",
    "/webhooks/new/",
    "/webhooks/{sick}/",
    "/webhooks/{gone}/",
    "/webhooks/{sick}/?state=delivered",
    "/webhooks/{sick}/deliveries/{delivery}/",
    "/webhooks/{sick}/edit/",
    "/webhooks/{sick}/rotate/",
    "/webhooks/{sick}/secret/",
    "/webhooks/{sick}/replay/?since=2026-01-01T00:00",
    "/webhooks/{sick}/delete/",
]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_are_open_to_everybody(signed_in_page: Page, site: Site, width: int, scheme: str) -> None:
    page = signed_in_page
    told = site.manage("shell", "--no-imports", "-c", "from tests.browser.webhook_states import make; make()").stdout
    ids = json.loads(told.strip().splitlines()[-1])
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    for path in PAGES:
        page.goto(path.format(**ids))
        for details in page.locator("main details summary").all():
            details.click()
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
