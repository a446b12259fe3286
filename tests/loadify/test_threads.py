"""The way of ordinary requests: which thread and which connection serves them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import close_old_connections, connection, connections
from django.http import HttpRequest, JsonResponse
from django.urls import path

from loadify import threads
from loadify.threads import RequestHandler

pytestmark = pytest.mark.django_db(transaction=True)

#: Held back by the test that asks for it.
held = SimpleNamespace()


def _who() -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone()
    return JsonResponse({"thread": threading.get_ident(), "backend": backend})


def who(request: HttpRequest) -> JsonResponse:
    return _who()


def long(request: HttpRequest) -> JsonResponse:
    held.thread = threading.get_ident()
    held.begun.set()
    held.go_on.wait(30)
    return _who()


who.login_required = long.login_required = False  # type: ignore[attr-defined]
urlpatterns = [path("who", who), path("long", long)]


class SeesItsThread:
    """A middleware of Django's usual kind, which may be called in either way."""

    sync_capable = async_capable = True
    seen: list[int] = []

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        self.seen.append(threading.get_ident())
        return self.get_response(request)


@pytest.fixture
def handler(settings: Any) -> Iterator[RequestHandler]:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.SeesItsThread"]
    held.begun, held.go_on = threading.Event(), threading.Event()
    handler = RequestHandler()
    yield handler
    held.go_on.set()
    while handler.idle:
        thread = handler.idle.pop()
        thread.submit(connections.close_all).result(30)
        thread.shutdown()


async def ask(handler: RequestHandler, where: str, leaves: threading.Event | None = None) -> dict[str, int]:
    """What the address answers; {} to a client who goes away once `leaves` is set."""
    scope = {"type": "http", "method": "GET", "path": where, "query_string": b"", "headers": [(b"host", b"localhost")]}
    body = b""

    async def send(event: Any) -> None:
        nonlocal body
        body += event.get("body", b"")

    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        while asked:
            await asyncio.sleep(0.01)
            if leaves is not None and leaves.is_set():
                return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": b""}

    await handler(scope, receive, send)
    if leaves is None:
        await idle(handler)
    return dict(json.loads(body or b"{}"))


async def idle(handler: RequestHandler) -> None:
    """Wait until a thread has come back; it does so a moment after the answer."""
    async with asyncio.timeout(10):
        while not handler.idle:
            await asyncio.sleep(0.01)


def run(coroutine: Any) -> Any:
    """In a thread of its own: Playwright keeps a loop running in the main one, for as long as a browser is open."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(asyncio.run(coroutine)))
    thread.start()
    thread.join(60)
    return answers[0]


def test_next_request_has_the_same_thread_and_the_same_connection(handler: RequestHandler) -> None:
    async def twice() -> list[dict[str, int]]:
        return [await ask(handler, "/who"), await ask(handler, "/who")]

    SeesItsThread.seen.clear()
    first, second = run(twice())
    assert first == second
    assert SeesItsThread.seen == [first["thread"]] * 2


def test_connection_that_was_cut_is_replaced(handler: RequestHandler) -> None:
    first = run(ask(handler, "/who"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first["backend"]])
    second = run(ask(handler, "/who"))
    assert second["thread"] == first["thread"] and second["backend"] != first["backend"]


def test_thread_that_is_at_work_for_a_client_who_has_gone_is_not_given_to_the_next(handler: RequestHandler) -> None:
    async def gone_and_next() -> dict[str, int]:
        gone = asyncio.create_task(ask(handler, "/long", leaves=held.begun))
        while not held.begun.is_set():
            await asyncio.sleep(0.01)
        answer = await ask(handler, "/who")
        held.go_on.set()
        assert await gone == {}
        async with asyncio.timeout(10):
            while len(handler.idle) < 2:
                await asyncio.sleep(0.01)
        return answer

    assert run(gone_and_next())["thread"] != held.thread


def test_many_at_a_time_leave_no_more_than_are_kept(handler: RequestHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "KEPT", 1)

    async def together() -> list[dict[str, int]]:
        waits = asyncio.create_task(ask(handler, "/long"))
        while not held.begun.is_set():
            await asyncio.sleep(0.01)
        short = await ask(handler, "/who")
        held.go_on.set()
        return [short, await waits]

    kept, closed = run(together())
    assert kept["thread"] != closed["thread"]
    assert len(handler.idle) == 1
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE pid IN (%s, %s)", [kept["backend"], closed["backend"]])
        assert cursor.fetchall() == [(kept["backend"],)]
