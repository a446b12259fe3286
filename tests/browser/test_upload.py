"""Sending a file in a real browser: the bar, the broken line, the closed tab, the dropped file, the keyboard."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, CDPSession, Page, Route, expect

pytestmark = pytest.mark.browser

MIB = 1024 * 1024
SIZE = 20_000_000
IMPORT_PAGE = re.compile(r"/imports/[0-9a-f-]{36}/$")


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three parts; nobody minds what is in it."""
    path = tmp_path_factory.mktemp("big") / "big.csv"
    with path.open("w") as file:
        file.write("sku,name,description\n")
        for number in range(SIZE // 1000):
            file.write(f"big-{number},Thing,{'x' * (999 - len(f'big-{number},Thing,'))}\n")
    return path


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    path.write_text("sku,name,description\nsmall-1,Mug,Red\n")
    return path


def slow(page: Page, bytes_per_second: int, offline: bool = False) -> CDPSession:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": offline, "latency": 5, "downloadThroughput": -1, "uploadThroughput": bytes_per_second},
    )
    return session


def choose(page: Page, file: Path) -> None:
    page.goto("/imports/new/")
    page.set_input_files("input[name=file]", file)


def watch(context: BrowserContext) -> list[str]:
    """What the browser has to complain about, from now on."""
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda problem: complaints.append(str(problem.error)))
    return complaints


def percent(page: Page) -> int:
    return int(page.locator("#sending-percent").inner_text().split()[0])


def test_file_is_sent_and_imported(signed_in_page: Page, small_file: Path) -> None:
    complaints = watch(signed_in_page.context)
    choose(signed_in_page, small_file)
    expect(signed_in_page.locator("#sending-name")).to_have_text("small.csv")
    signed_in_page.get_by_role("button", name="Start the import").click()
    signed_in_page.wait_for_url(IMPORT_PAGE)
    expect(signed_in_page.locator("body")).to_contain_text("small.csv")
    assert complaints == []


def test_dropped_file_is_taken(signed_in_page: Page) -> None:
    signed_in_page.goto("/imports/new/")
    data = signed_in_page.evaluate_handle(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["sku,name,description\\n"], "dropped.csv"));
            return data;
        }"""
    )
    signed_in_page.dispatch_event("main", "dragenter", {"dataTransfer": data})
    expect(signed_in_page.locator("body")).to_have_class("dropping")
    signed_in_page.dispatch_event("main", "drop", {"dataTransfer": data})
    expect(signed_in_page.locator("body")).not_to_have_class("dropping")
    expect(signed_in_page.locator("#sending-name")).to_have_text("dropped.csv")
    signed_in_page.get_by_role("button", name="Start the import").click()
    signed_in_page.wait_for_url(IMPORT_PAGE)


def test_upload_goes_on_after_the_tab_was_closed(signed_in_page: Page, big_file: Path) -> None:
    choose(signed_in_page, big_file)
    slow(signed_in_page, 2_000_000)
    signed_in_page.get_by_role("button", name="Start the import").click()
    expect(signed_in_page.locator("#sending-bytes")).to_have_text(re.compile(r"^\d\.\d MB of 20\.0 MB$"))
    expect(signed_in_page.locator("#sending-rate")).to_have_text(re.compile(r"^[\d.]+ [kM]B/s$"))
    expect(signed_in_page.locator("#sending-left")).to_have_text(re.compile(r"^(a few seconds|about \d+ s) left$"))
    # Past the first part of 8 MiB, which is 41 %.
    expect(signed_in_page.locator("#sending-percent")).to_have_text(re.compile(r"^[56]\d %$"))
    context = signed_in_page.context
    signed_in_page.close()

    again = context.new_page()
    sent: list[int] = []
    context.on(
        "request",
        lambda request: sent.append(int(request.headers["upload-offset"])) if request.method == "PATCH" else None,
    )
    choose(again, big_file)
    notice = again.locator("#sending-notice")
    expect(notice).to_have_text(re.compile(r"^Going on at \d\d %: [\d.]+ MB of this file are here already\.$"))
    # On a busy machine the tab may close only after the second part.
    late = "83 %: 16.8 MB" in notice.inner_text()
    assert late or "41 %: 8.4 MB" in notice.inner_text()
    again.get_by_role("button", name="Go on with the import").click()
    again.wait_for_url(IMPORT_PAGE)
    assert sent == ([16 * MIB] if late else [8 * MIB, 16 * MIB])


def test_lost_connection_is_said_and_mended(signed_in_page: Page, big_file: Path) -> None:
    choose(signed_in_page, big_file)
    session = slow(signed_in_page, 4_000_000)
    signed_in_page.get_by_role("button", name="Start the import").click()
    expect(signed_in_page.locator("#sending-percent")).to_have_text(re.compile(r"^[1-9]\d? %$"))
    conditions = {"latency": 5, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", {"offline": True, **conditions})
    expect(signed_in_page.locator("#sending-notice")).to_have_text(
        "The connection is lost. What has arrived is safe; trying again."
    )
    expect(signed_in_page.locator("#sending-left")).to_have_text("")
    session.send("Network.emulateNetworkConditions", {"offline": False, **conditions})
    signed_in_page.wait_for_url(IMPORT_PAGE)


def test_upload_can_be_paused_and_gone_on_with(signed_in_page: Page, big_file: Path) -> None:
    choose(signed_in_page, big_file)
    slow(signed_in_page, 4_000_000)
    signed_in_page.get_by_role("button", name="Start the import").click()
    expect(signed_in_page.locator("#sending-percent")).to_have_text(re.compile(r"^[1-9]\d? %$"))
    signed_in_page.get_by_role("button", name="Pause").click()
    expect(signed_in_page.locator("#sending-rate")).to_have_text("Paused")
    before = percent(signed_in_page)
    signed_in_page.wait_for_timeout(500)
    assert percent(signed_in_page) == before
    signed_in_page.get_by_role("button", name="Go on").click()
    signed_in_page.wait_for_url(IMPORT_PAGE)


def test_cancelled_upload_is_forgotten(signed_in_page: Page, big_file: Path) -> None:
    choose(signed_in_page, big_file)
    slow(signed_in_page, 4_000_000)
    signed_in_page.get_by_role("button", name="Start the import").click()
    expect(signed_in_page.locator("#sending-percent")).to_have_text(re.compile(r"^[1-9]\d? %$"))
    with signed_in_page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        signed_in_page.get_by_role("button", name="Cancel").click()
    assert deleted.value.status == 204
    expect(signed_in_page.locator("#sending")).to_be_hidden()
    expect(signed_in_page.locator("input[name=file]")).to_be_focused()
    signed_in_page.set_input_files("input[name=file]", big_file)
    expect(signed_in_page.locator("#sending")).to_be_visible()
    expect(signed_in_page.locator("#sending-notice")).to_be_hidden()


def test_leaving_the_page_while_sending_is_asked_about(signed_in_page: Page, big_file: Path) -> None:
    choose(signed_in_page, big_file)
    slow(signed_in_page, 2_000_000)
    signed_in_page.get_by_role("button", name="Start the import").click()
    expect(signed_in_page.locator("#sending-percent")).to_have_text(re.compile(r"^[1-9]\d? %$"))
    asked: list[str] = []
    signed_in_page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    signed_in_page.get_by_role("link", name="Products").click()
    signed_in_page.wait_for_url("**/products/")
    assert asked == ["beforeunload"]


def test_empty_file_is_refused_with_a_sentence(signed_in_page: Page, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    choose(signed_in_page, empty)
    signed_in_page.get_by_role("button", name="Start the import").click()
    expect(signed_in_page.locator(".errorlist")).to_have_text("The file “empty.csv” is empty.")
    signed_in_page.set_input_files("input[name=file]", empty)
    expect(signed_in_page.locator(".errorlist")).to_have_count(0)


@pytest.mark.parametrize("status", [413, 507])
def test_file_that_has_no_room_leaves_room_for_another(
    signed_in_page: Page, big_file: Path, small_file: Path, status: int
) -> None:
    """By tus, 507 comes back as "try again"; but nothing was sent yet, and only another file may do."""

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        if status == 413:
            # The server itself says no.
            route.continue_(headers={**route.request.headers, "upload-length": str(10**15)})
        else:
            route.fulfill(status=507, content_type="text/plain", body="There is no room for “big.csv”.")

    asked: list[str] = []
    choose(signed_in_page, big_file)
    signed_in_page.route("**/uploads/", refuse, times=1)
    signed_in_page.get_by_role("button", name="Start the import").click()
    notice = signed_in_page.locator("#sending-notice")
    expect(notice).to_have_text(re.compile(r"no room for “big\.csv”|larger than|up to"))
    expect(signed_in_page.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(signed_in_page.get_by_role("button", name="Start the import")).to_be_enabled()
    expect(signed_in_page.locator("input[name=file]")).to_be_focused()
    assert len(asked) == 1

    signed_in_page.set_input_files("input[name=file]", small_file)
    expect(notice).to_be_hidden()
    signed_in_page.get_by_role("button", name="Start the import").click()
    signed_in_page.wait_for_url(IMPORT_PAGE)
    expect(signed_in_page.locator("body")).to_contain_text("small.csv")


def test_keyboard_alone_sends_a_file(signed_in_page: Page, small_file: Path) -> None:
    page = signed_in_page
    # From the start: Playwright does not wait until the browser has heard that it wants the file chooser.
    page.on("filechooser", lambda chooser: chooser.set_files(small_file))
    page.goto("/imports/new/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("What is in the file?")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose a file")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#sending-name")).to_have_text("small.csv")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Start the import")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(IMPORT_PAGE)


def test_without_javascript_the_plain_form_sends_the_file(signed_in_page: Page, site, small_file: Path) -> None:
    state = signed_in_page.context.storage_state()
    context = signed_in_page.context.browser.new_context(base_url=site.url, storage_state=state, java_script_enabled=False)
    page = context.new_page()
    choose(page, small_file)
    expect(page.locator("input[name=file]")).to_be_visible()
    expect(page.get_by_text("Turn on JavaScript to send larger files")).to_be_visible()
    page.get_by_role("button", name="Start the import").click()
    page.wait_for_url(IMPORT_PAGE)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_is_open_to_everybody(signed_in_page: Page, big_file: Path, scheme: str, width: int) -> None:
    signed_in_page.emulate_media(color_scheme=scheme)
    signed_in_page.set_viewport_size({"width": width, "height": 800})
    choose(signed_in_page, big_file)
    results = [Axe().run(signed_in_page)]
    slow(signed_in_page, 2_000_000)
    signed_in_page.get_by_role("button", name="Start the import").click()
    expect(signed_in_page.locator("#sending-percent")).to_have_text(re.compile(r"^[1-9]\d? %$"))
    signed_in_page.get_by_role("button", name="Pause").click()
    results.append(Axe().run(signed_in_page))
    signed_in_page.get_by_role("button", name="Cancel").click()
    assert [result.generate_report() for result in results if result.violations_count] == []
    assert signed_in_page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
