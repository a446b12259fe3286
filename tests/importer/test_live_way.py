"""The way of live events through ASGI, and the relay's rounds, without a server around them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_eventstream.views import Listener, get_listener_manager

from importer.models import Import
from importer.relay import Relay, SnapshotStorage, channel_of, relay
from importer.states import State
from loadify.live import Live, without_claims

PATH = "/imports/0195aaaa-bbbb-7ccc-8ddd-eeeeffff0000/events"


def scope(path: str = PATH, query: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": headers}


def visit(live: Live, path: str = PATH) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(event):
        sent.append(event)

    async def receive():
        await asyncio.sleep(60)

    # In a thread of its own: Playwright keeps a loop running in the main one, for as long as a browser is open.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(live(scope(path), receive, send))).result()
    return sent


@pytest.fixture(autouse=True)
def _no_thread(monkeypatch):
    monkeypatch.setattr(relay, "wake", lambda: None)


async def site(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"site"})


@pytest.mark.parametrize("path", ["/", "/imports/", PATH + "/", PATH.upper(), "/imports/1/events"])
def test_other_addresses_go_the_usual_way(path):
    assert visit(Live(site, events=None), path)[-1]["body"] == b"site"


def test_a_stream_that_breaks_is_ended():
    async def breaks(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ValueError("invalid literal for int()")

    sent = visit(live := Live(site, breaks))
    assert [event.get("body") for event in sent] == [None, b"retry: 1000\n\none", b""]
    assert not sent[-1].get("more_body")
    assert live.viewers == 0


def test_a_request_that_breaks_before_it_began_is_a_500():
    async def breaks(scope, receive, send):
        raise ValueError

    sent = visit(Live(site, breaks))
    assert (sent[0]["status"], len(sent)) == (500, 2)


def test_over_the_cap_there_is_a_503_and_room_again_when_somebody_goes(settings):
    settings.LOADIFY_VIEWERS = 2
    live = Live(site, site)
    live.viewers = 2
    sent = visit(live)
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"10") in sent[0]["headers"]
    live.viewers = 1
    assert visit(live)[0]["status"] == 200
    assert live.viewers == 1


def test_claims_are_replaced_by_the_zero_of_the_channel():
    query = b"es-meta=a&lastEventId=x:1&lastEventId=y&recover=true&link=next&page=2"
    headers = ((b"cookie", b"a=b"), (b"last-event-id", b"x:1"), (b"Last-Event-Id", b"x:2"))
    clean = without_claims(scope(query=query, headers=headers), "import-the-id")
    assert clean["query_string"] == b"page=2"
    assert clean["headers"] == [(b"cookie", b"a=b"), (b"last-event-id", b"import-the-id:0")]


@pytest.fixture
def watch():
    """Makes listeners of a channel, as django-eventstream would for a request."""
    listeners = []
    manager = get_listener_manager()

    def watch(run: Import, number: int = 1) -> list[Listener]:
        new = [Listener() for _ in range(number)]
        for listener in new:
            listener.loop = SimpleNamespace(call_soon_threadsafe=lambda wake: None)
            listener.channels = {channel_of(run.public_id)}
            manager.add_listener(listener)
        listeners.extend(new)
        return new

    yield watch
    for listener in listeners:
        manager.remove_listener(listener)


def queries(act) -> int:
    with CaptureQueriesContext(connection) as asked:
        act()
    return len(asked)


@pytest.mark.django_db
def test_a_round_costs_the_same_for_one_viewer_and_for_fifty(watch):
    run = Import.objects.create(dataset="products", state=State.STAGING)
    mine = Relay()
    assert queries(mine.tick) == 0
    watch(run)
    assert queries(mine.tick) == 2
    assert queries(mine.tick) == 1
    others = watch(run, 49)
    Import.objects.update(version=5)
    assert queries(mine.tick) == 2
    assert [event.id for event in others[-1].channel_items[channel_of(run.public_id)]] == [5]
    assert queries(mine.tick) == 1


@pytest.mark.django_db
def test_a_quiet_round_asks_once_for_all_imports(watch):
    mine = Relay()
    for _ in range(10):
        watch(Import.objects.create(dataset="products", state=State.STAGING))
    assert mine.tick() == 10
    assert queries(mine.tick) == 1
    # Where each stands in line is known of all at once.
    Import.objects.update(state=State.QUEUED)
    mine.tick()
    assert queries(mine.tick) == 4


@pytest.mark.django_db
def test_what_nobody_watches_any_more_is_forgotten(watch):
    mine = Relay()
    run = Import.objects.create(dataset="products")
    (listener,) = watch(run)
    mine.tick()
    assert set(mine._sent) == {run.public_id}
    listener.channels, channels = set(), listener.channels
    get_listener_manager().listeners_by_channel.pop(channels.pop())
    mine.tick()
    assert mine._sent == {}


@pytest.mark.django_db
def test_who_joins_shares_the_rendering_of_the_last_second_but_never_misses_news(watch):
    mine = Relay()
    run = Import.objects.create(dataset="products", state=State.STAGING, version=1)
    watch(run)
    mine.tick()
    assert queries(lambda: mine.current(run.public_id)) == 1
    Import.objects.update(version=2)
    assert mine.current(run.public_id).stamp.version == 2
    # The others have not had it yet.
    assert mine.tick() == 1


@pytest.mark.django_db
def test_the_storage_has_one_event_and_no_tables():
    run = Import.objects.create(dataset="products", version=9)
    storage, channel = SnapshotStorage(), channel_of(run.public_id)
    for claim in (0, 9, 10**9):
        assert [event.id for event in storage.get_events(channel, claim)] == [9]
    assert storage.get_current_id(channel) == 9
    assert queries(lambda: storage.append_event(channel, "snapshot", '{"version": 4}')) == 0
