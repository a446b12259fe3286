"""/admin/ and the documents of the API in a real browser, under the policy that lets no inline script or style run."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def complaints(signed_in_page: Page) -> list[str]:
    """What the browser has to complain of; refused by a policy, not found, broken scripts."""
    said: list[str] = []
    signed_in_page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    signed_in_page.on("pageerror", lambda error: said.append(str(error)))
    return said


def test_admin_lists_filters_and_shows_people_without_complaints(signed_in_page: Page, complaints: list[str], site) -> None:
    page = signed_in_page
    page.goto("/products/?q=nothing-like-it")
    page.locator(".menu summary").click()
    page.get_by_role("link", name="Look into the database").click()
    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_role("link", name="Admin: may").click()
    page.locator("#result_list tbody a").first.click()
    expect(page.locator("#content")).to_contain_text(site.email)
    page.get_by_role("link", name="Back to the site").click()
    expect(page.get_by_role("heading", level=1, name="Imports")).to_be_visible()
    assert complaints == []


def test_operation_of_the_api_is_tried_out_on_its_own_page(signed_in_page: Page, complaints: list[str]) -> None:
    page = signed_in_page
    page.goto("/api/docs")
    operation = page.locator(".opblock-get").filter(has=page.locator("[data-path='/api/v1/datasets']"))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer).to_contain_text("200")
    expect(answer).to_contain_text("products")
    assert complaints == []
