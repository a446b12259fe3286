"""A name server that says what a test wants, and clients that post to this machine both ways."""

import socket
import ssl
from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from pytest_django import Settings

from webhooks import connections
from webhooks.client import Client


class Resolver:
    """Stands in for socket.getaddrinfo: numbers are themselves, `names` says all else, `asked` counts."""

    def __init__(self) -> None:
        #: Addresses of a name; a list of lists gives another answer each time, the last one for ever.
        self.names: dict[str, list[Any]] = {}
        self.asked: dict[str, int] = defaultdict(int)

    def __call__(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        try:
            found = [str(ip_address(host))]
        except ValueError:
            self.asked[host] += 1
            if host not in self.names:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
            found = self.names[host]
            if found and isinstance(found[0], list):
                found = found[min(self.asked[host], len(found)) - 1]
        return [self._told(address, port) for address in found]

    @staticmethod
    def _told(address: str, port: int) -> Any:
        if ":" in address:
            return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
        return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


@pytest.fixture
def public_only(settings: Settings) -> None:
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = False


@pytest.fixture(scope="session")
def trust() -> ssl.SSLContext:
    """Reading all certificates takes a tenth of a second, so clients of tests share them."""
    return connections.trusting()


@pytest.fixture(params=["pinned", "private"])
def client(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch, trust: ssl.SSLContext
) -> Iterator[Client]:
    """A client that may post to this machine: by the way of public receivers, with 127.0.0.1 taken for one, and by that
    of LOADIFY_WEBHOOK_ALLOW_PRIVATE."""
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = request.param == "private"
    monkeypatch.setattr(connections, "trusting", lambda: trust)
    client = Client()
    if request.param == "pinned":
        monkeypatch.setattr(connections, "demand_permitted", lambda host, address: None)
        for adapter in client.adapters.values():
            monkeypatch.setattr(adapter, "_allow_loopback", True)
    yield client
    client.close()
