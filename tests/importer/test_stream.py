"""What one viewer's stream says, without a server around it."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django_eventstream import send_event
from django_eventstream.views import MAX_PENDING, get_listener_manager

from importer import stream
from importer.models import Import
from importer.relay import channel_of
from importer.states import State

#: Seconds after which there is nothing to come; the first word has to be fetched from the database.
LONG = 0.2


@pytest.fixture
def run(transactional_db):
    return Import.objects.create(dataset="products", state=State.STAGING, version=5)


def follow(run: Import, *rounds: list[int]) -> list[str]:
    """What the stream says at first, and after each round of versions that the relay gives; "" for nothing."""
    channel = channel_of(run.public_id)

    async def watch() -> list[str]:
        said, news = [], stream.stream(channel)
        word = asyncio.ensure_future(anext(news))
        await asyncio.wait({word}, timeout=10)
        for versions in ([], *rounds):
            for version in versions:
                send_event(channel, "snapshot", json.dumps({"version": version}), json_encode=False)
            await asyncio.wait({word}, timeout=LONG)
            said.append(word.result().decode() if word.done() else "")
            if word.done():
                word = asyncio.ensure_future(anext(news))
        word.cancel()
        await asyncio.wait({word})
        await sync_to_async(connections.close_all)()
        return said

    # In a thread of its own: Playwright keeps a loop running in the main one, for as long as a browser is open.
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(lambda: asyncio.run(watch())).result()
    assert channel not in get_listener_manager().listeners_by_channel
    return found


def wire(run: Import, version: int) -> str:
    return f'event: snapshot\nid: {channel_of(run.public_id)}:{version}\ndata: {{"version": {version}}}\n\n'


def test_only_the_newest_of_what_waits_is_said(run):
    first, *later = follow(run, [6, 7, 8], [9])
    assert "event: stream-open\ndata:\n\nevent: snapshot\n" in first and ":5\ndata: {" in first
    assert later == [wire(run, 8), wire(run, 9)]


def test_who_joins_is_not_sent_back_in_time(run):
    assert follow(run, [4], [5], [6])[1:] == ["", wire(run, 5), wire(run, 6)]


def test_what_was_passed_over_is_read_again(run):
    Import.objects.update(version=99)
    [said] = follow(run, list(range(100, 100 + MAX_PENDING + 1)))[1:]
    assert ":99\n" in said and '"version": 99,' in said


def test_a_word_says_that_the_line_is_open(run, monkeypatch):
    monkeypatch.setattr(stream, "KEEP_ALIVE", LONG / 2)
    assert follow(run, [], [6])[1:] == ["event: keep-alive\ndata:\n\n", wire(run, 6)]
