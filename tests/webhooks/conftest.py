"""Receivers and the events they are to get."""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from django.utils import timezone

from tests.webhooks.receiver import Receiver
from webhooks import endpoints, hints, outbox
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
    return endpoints.add("http://127.0.0.1:9/hook", "Shop", [], None)[0]


@pytest.fixture
def hinted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each hint that was given; none is sent."""
    given: list[str] = []
    monkeypatch.setattr(hints, "give", lambda: given.append("hint"))
    return given


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENT_TYPES, "thing.changed", "A thing was changed")
    monkeypatch.setitem(EVENT_TYPES, "thing.gone", "A thing has gone")


def happen(event_type: str = "thing.changed", **data: object) -> Event:
    with transaction.atomic():
        return outbox.record(event_type, data, {"short": True})


def deliver() -> int:
    """Run a coordinator until nothing is due."""
    return Coordinator(threading.Event()).run()


def make_due() -> None:
    """Let the time until every next try pass, and every rest."""
    Delivery.objects.filter(state=Delivery.State.DUE).update(next_at=timezone.now())
    Endpoint.objects.update(rests_until=None)
