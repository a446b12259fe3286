"""Gives each request an id, which its lines of the log and its answer bear, so that the one can be found by the other."""

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from importer.working_on import working_on

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Ids that proxies make. Anything else might be a line of the log of somebody's own writing.
_GOOD = re.compile(rb"[A-Za-z0-9_.=:/+@-]{1,128}")


class RequestIds:
    """An ASGI application around another: around all of it, so that live events have ids as well."""

    def __init__(self, site: Application) -> None:
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.site(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given if _GOOD.fullmatch(given) else uuid.uuid4().hex.encode()

        async def send_on(event: Mapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event.get("headers", ()), (b"x-request-id", request_id)]}
            await send(event)

        with working_on(request_id=request_id.decode()):
            await self.site(scope, receive, send_on)
