"""Pages that are not one of the importer's, in a real browser: products, signing in and out, errors."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.fixture(scope="module")
def _products(site, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("products") / "products.csv"
    lines = [f"pages-{number:03},Oak shelf {number},Wide and steady\n" for number in range(60)]
    path.write_text("sku,name,description\n" + "".join(lines))
    site.manage("import_file", "products", str(path))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.parametrize(
    "path",
    [
        "/products/?q=pages-",
        "/products/?q=nothing-like-it",
        "/accounts/password/change/",
        "/accounts/logout/",
        "/accounts/2fa/",
        "/profile/",
        "/profile/tokens/new/",
        "/people/",
        "/people/new/",
        "/audit/",
        "/maintenance/",
        "/operations/",
        "/no/such/page",
    ],
)
@pytest.mark.usefixtures("_products")
def test_pages_are_open_to_everybody(signed_in_page: Page, path: str, width: int, scheme: str) -> None:
    signed_in_page.emulate_media(color_scheme=scheme)
    signed_in_page.set_viewport_size({"width": width, "height": 800})
    signed_in_page.goto(path)
    found = Axe().run(signed_in_page)
    assert found.violations_count == 0, found.generate_report()
    assert fits(signed_in_page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_open_menu_can_be_read(signed_in_page: Page, scheme: str) -> None:
    signed_in_page.emulate_media(color_scheme=scheme)
    signed_in_page.goto("/products/?q=nothing-like-it")
    signed_in_page.locator(".menu summary").click()
    expect(signed_in_page.get_by_role("button", name="Sign out")).to_be_visible()
    found = Axe().run(signed_in_page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_button_under_the_pointer_can_be_read(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto("/accounts/login/")
    button = page.locator("main form[method=post] button[type=submit]")
    colour = button.evaluate("it => getComputedStyle(it).backgroundColor")
    button.hover()
    expect(button).not_to_have_css("background-color", colour)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/"])
def test_pages_before_signing_in_are_open_to_everybody(page: Page, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert fits(page)


@pytest.mark.usefixtures("_products")
def test_search_follows_the_typing_and_the_address_follows_the_search(signed_in_page: Page) -> None:
    signed_in_page.goto("/products/")
    signed_in_page.get_by_role("searchbox", name="Search by SKU or name").press_sequentially("PAGES-05", delay=30)
    expect(signed_in_page.locator("tbody tr")).to_have_count(10)
    expect(signed_in_page).to_have_url(re.compile(r"/products/\?q=PAGES-05$"))
    expect(signed_in_page.get_by_role("searchbox", name="Search by SKU or name")).to_be_focused()
    signed_in_page.reload()
    expect(signed_in_page.locator("tbody tr")).to_have_count(10)
    expect(signed_in_page.get_by_role("searchbox", name="Search by SKU or name")).to_have_value("PAGES-05")
    signed_in_page.get_by_role("searchbox", name="Search by SKU or name").fill("nothing-like-it")
    expect(signed_in_page.get_by_role("heading", name="Nothing found")).to_be_visible()
    signed_in_page.go_back()
    expect(signed_in_page.get_by_role("searchbox", name="Search by SKU or name")).to_have_value("PAGES-05")
    expect(signed_in_page.locator("tbody tr")).to_have_count(10)


@pytest.mark.usefixtures("_products")
def test_pages_of_products_lead_on_and_back(signed_in_page: Page) -> None:
    signed_in_page.goto("/products/?q=pages-")
    first = signed_in_page.locator("tbody th").first
    expect(first).to_have_text("pages-000")
    signed_in_page.get_by_role("button", name="Next").click()
    expect(first).to_have_text("pages-025")
    signed_in_page.get_by_role("button", name="Previous").click()
    expect(first).to_have_text("pages-000")


def test_signing_out_is_two_keys_and_a_click_away(page: Page, site) -> None:
    page.goto("/products/")
    page.get_by_label("Email").fill(site.email)
    page.get_by_label("Password").fill(site.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/")
    page.locator(".menu summary").press("Enter")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/accounts/login/"))
    page.goto("/products/")
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_wrong_password_is_answered_with_a_sentence(page: Page, site) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(site.email)
    page.get_by_label("Password").fill("quite wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".errorlist")).to_contain_text("not correct")
