"""The fixtures of conftest.py keep what they promise."""

import socket

import pytest
from kombu import Connection
from playwright.sync_api import Page, expect

from tests import conftest
from tests.site import Site


def test_network_is_closed_but_for_this_machine() -> None:
    with pytest.raises(OSError, match="Tests do not talk to 192.0.2.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(OSError, match="Tests do not talk to example.com"):
        socket.getaddrinfo("example.com", 80)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


@pytest.mark.parametrize(("required", "outcome"), [("all", "Failed"), ("redis", "Failed"), ("rabbitmq", "Skipped")])
def test_missing_service_skips_unless_required(monkeypatch: pytest.MonkeyPatch, required: str, outcome: str) -> None:
    monkeypatch.setattr(conftest, "REQUIRED", {required})
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception)) as raised:
        conftest.missing("redis", "There is no Redis.")
    assert type(raised.value).__name__ == outcome


def test_brokers_of_this_machine_answer(rabbitmq_url: str, redis_url: str) -> None:
    for url in (rabbitmq_url, redis_url):
        with Connection(url, connect_timeout=5) as connection:
            assert connection.connect()


@pytest.mark.browser
def test_browser_is_signed_in(signed_in_page: Page, site: Site) -> None:
    signed_in_page.goto("/products/")
    expect(signed_in_page).to_have_url(f"{site.url}/products/")
    expect(signed_in_page.locator("h1")).to_be_visible()
