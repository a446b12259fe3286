"""Receivers and the events they are to get; a name server that says what a test wants; clients that post both ways."""

import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from tests.webhooks.receiver import Receiver
from webhooks import connections, endpoints, hints, outbox
from webhooks.client import Client
from webhooks.delivery import Coordinator
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Delivery, Endpoint, Event

Make = Callable[..., Endpoint]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def endpoint(db: None, settings, receiver: Receiver) -> Make:
    """Make endpoints of the receiver: `endpoint("/500")`; each has its secret in `receiver.secrets`."""
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = True

    def make(path: str = "/", *types: str) -> Endpoint:
        made, secret = endpoints.add(f"{receiver.url}{path}", path, types, None)
        receiver.secrets[path] = secret
        return made

    return make


@pytest.fixture
def shop(db: None) -> Endpoint:
    """A receiver where nobody listens."""
    return endpoints.add("http://127.0.0.1:8009/hook", "Shop", [], None)[0]


@pytest.fixture
def hinted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The task of each hint that was given; none is sent."""
    given: list[str] = []
    monkeypatch.setattr(hints, "give", lambda *tasks: given.extend(tasks or (hints.DELIVER,)))
    return given


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENT_TYPES, "thing.changed", "A thing was changed")
    monkeypatch.setitem(EVENT_TYPES, "thing.gone", "A thing has gone")


def happen(event_type: str = "thing.changed", **data: object) -> Event:
    with transaction.atomic():
        return outbox.record(event_type, data, {"short": True})


def deliver() -> int:
    """Run both coordinators in turn until nothing is due; returns how many tries were made."""
    tries, made = 0, 1
    while made:
        made = sum(Coordinator(threading.Event(), failing=failing).run() for failing in (False, True))
        tries += made
    return tries


def make_due() -> None:
    """Let the time until every next try pass, and every rest."""
    Delivery.objects.filter(state=Delivery.State.DUE).update(next_at=timezone.now())
    Endpoint.objects.update(rests_until=None)


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
