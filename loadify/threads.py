"""The way of ordinary requests through the web process: each in one thread, which then waits for the next one."""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections, connections

from loadify.gauges import ANSWERED, REQUESTS

#: Threads that are kept while they have nothing to do, each with its connection to the database.
KEPT = 6

Thread = ThreadPoolExecutor  # of one worker, as asgiref wants it


class RequestHandler(ASGIHandler):
    """Django's handler, with two differences that halve the cost of a request.

    All of a request runs in one thread. Nothing in it is at home in async, and Django would change between the event loop and
    the thread before and after most of the middleware. And the thread stays, with its connection (CONN_MAX_AGE): Django's own
    handler makes both anew for each request. There are as many threads as requests at the same time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.idle: list[Thread] = []

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        chain = self._middleware_chain  # type: ignore[has-type]  # not in the stubs
        self._middleware_chain = sync_to_async(chain, thread_sensitive=True)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        thread = self.idle.pop() if self.idle else Thread(max_workers=1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                with REQUESTS.track_inprogress():
                    await super().__call__(scope, receive, send)
        finally:
            ANSWERED.inc()
            # In the thread itself, behind what a request whose client has gone may still be doing there.
            thread.submit(self._keep, thread)

    def _keep(self, thread: Thread) -> None:
        if len(self.idle) < KEPT:
            close_old_connections()
            self.idle.append(thread)
        else:
            connections.close_all()
            thread.shutdown(wait=False)
