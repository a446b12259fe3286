"""The way of live events (SSE) through the web process, so that a viewer costs neither a thread nor a connection.

Behind Django's usual handler each viewer would hold a thread and a database connection while the page is open.
"""

import asyncio
import itertools
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.middleware.security import SecurityMiddleware

from accounts.callers import bearer, caller
from importer.relay import channel_of, relay, told_channel
from loadify.gauges import VIEWERS

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Threads, and so database connections, that all viewers share. Each executor must have exactly one thread (asgiref).
THREADS = 3
#: Seconds between two looks at the token of a program that follows.
LOOK = 5
#: Milliseconds after which a browser asks again when the line was cut.
RETRY = b"retry: 1000\n\n"

#: Anything may stand before it: Daphne lets a client name a root path, which Django then cuts off.
_EVENTS = re.compile(r".*?(/api/v1)?/imports/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/events", re.DOTALL)
#: What django-eventstream would read from the query: claims of a proxy that is not there, and of what was seen before.
_DROPPED = frozenset({"es-meta", "recover", "link", "lastEventId"})


class LiveHandler(ASGIHandler):
    """Django's handler behind only the layers that say who asks; all of them are at home in async."""

    layers = (SecurityMiddleware, SessionMiddleware, AuthenticationMiddleware)

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        chain = convert_exception_to_response(self._get_response_async)  # type: ignore[attr-defined]  # not in the stubs
        for layer in reversed(self.layers):
            chain = convert_exception_to_response(layer(chain))
        self._middleware_chain = chain


class Live:
    """Sends the addresses of live events to a LiveHandler on a few shared threads, and all else to `site`."""

    def __init__(self, site: Application, events: Application | None = None) -> None:
        self.site = site
        self.events: Application = events or LiveHandler()
        self.viewers = 0
        executors = [ThreadPoolExecutor(max_workers=1, thread_name_prefix="live") for _ in range(THREADS)]
        self.executors = itertools.cycle(executors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _EVENTS.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self.site(scope, receive, send)
        elif self.viewers >= settings.LOADIFY_VIEWERS:
            await answer(send, 503, "Too many people watch at the moment; the page still works when reloaded.\n")
        else:
            self.viewers += 1
            VIEWERS.inc()
            try:
                channel = told_channel(found[2]) if found[1] else channel_of(found[2])
                await self.watch(without_claims(scope, channel), receive, send)
            finally:
                self.viewers -= 1
                VIEWERS.dec()

    async def watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one viewer's request to its end. A stream that breaks is ended, so that the browser comes again; so is every
        stream of a web process that is to end (loadify/web.py), and that of a program when its token is not good any more."""
        started = first_part_sent = False

        async def send_on(event: Mapping[str, Any]) -> None:
            nonlocal started, first_part_sent
            if event["type"] == "http.response.start":
                started = True
            elif event["type"] == "http.response.body" and event.get("more_body") and not first_part_sent:
                first_part_sent = True
                event = {**event, "body": RETRY + event["body"]}
            await send(event)

        relay.wake()
        try:
            async with ThreadSensitiveContext(executor=next(self.executors)):
                followed = asyncio.ensure_future(self.events(scope, receive, send_on))
                request = ASGIRequest(scope, BytesIO())
                look = None if bearer(request) is None else LOOK
                leaving = asyncio.ensure_future(leaves(scope))
                try:
                    while not (await asyncio.wait({followed, leaving}, timeout=look, return_when=asyncio.FIRST_COMPLETED))[0]:
                        if not await sync_to_async(caller)(request):
                            followed.cancel()
                finally:
                    leaving.cancel()
                    followed.cancel()
                    await asyncio.wait({followed})
            if followed.cancelled() and not started:
                await answer(send, 503, "This process of the site ends; another one takes over. Come again.\n")
            elif followed.cancelled():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                followed.result()
        except Exception:
            log.exception("The live events of %s broke off.", scope["path"])
            if not started:
                await answer(send, 500, "The live events could not be sent.\n")
            else:
                # Daphne would keep the line open for ever, and the browser would wait on it.
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def leaves(scope: Scope) -> None:
    """Return when the web process is to end; never under a server that does not tell."""
    event: asyncio.Event = scope.get("extensions", {}).get("loadify.leaving") or asyncio.Event()
    await event.wait()


def without_claims(scope: Scope, channel: str) -> Scope:
    """The same request as if it came for the first time: what a client says it has seen is never parsed.

    Its Last-Event-ID becomes the zero of the `channel`, so that the stream begins with the present state.
    """
    headers = [
        *((name, value) for name, value in scope["headers"] if name.lower() != b"last-event-id"),
        (b"last-event-id", f"{channel}:0".encode()),
    ]
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = urlencode([(name, value) for name, value in query if name not in _DROPPED]).encode()
    return {**scope, "headers": headers, "query_string": kept}


async def answer(send: Send, status: int, text: str) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"10"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode(), "more_body": False})
