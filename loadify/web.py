"""The web server: Daphne, with five manners it lacks. `python -m loadify.web` takes the arguments of `python -m daphne`.

It waits for a client that reads slowly: Daphne itself takes all that an answer has to give into memory. It cuts the line
when an answer breaks off, so that a client does not take half a file for a whole one, nor wait for the rest for ever. It leaves
forms to Django: Twisted would read each of them into memory first, and hang up without a word on one that it cannot read. It
writes down addresses without their queries: people are searched for by e-mail and phone, which an erasure could not find
there; and without what opens a door to whoever reads it, the tokens of links to files and to new passwords. And on SIGTERM it
leaves in order: it takes no new connections, ends live streams, and answers what it was asked before it goes.
"""

import asyncio
import logging
import os
import sys
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from daphne import http_protocol
from daphne.cli import CommandLineInterface
from daphne.http_protocol import WebRequest
from daphne.server import Server
from django.conf import settings
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from loadify.paths import written

log = logging.getLogger("loadify.web")  # it runs as __main__

#: Seconds that requests under way have to be answered when the server is to end, and that those have which are cut then.
GRACE, CUT = 5.0, 1.0
#: Seconds that a connection taken at the last moment has to bring its request.
LAST_MOMENT = 1.0

Receive = Callable[[], Awaitable[dict[str, Any]]]


@implementer(IPushProducer)
class Tap:
    """Twisted closes it while a client does not take what was written, and opens it when the buffer is empty."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    def pauseProducing(self) -> None:
        self.open.clear()

    def resumeProducing(self) -> None:
        self.open.set()

    def stopProducing(self) -> None:
        self.open.set()


class Request(WebRequest):  # type: ignore[misc]
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, parsePOSTFormSubmission=False, **options)
        self.server.lines.add(self.channel)


# By this name Daphne's factory makes its requests.
http_protocol.WebRequest = Request


class WebServer(Server):  # type: ignore[misc]  # daphne carries no type hints
    def __init__(self, application: Any, **options: Any) -> None:
        self.site = application
        self.ports: list[Any] = []
        #: Connections that a request has come by, while they are there.
        self.lines: weakref.WeakSet[Any] = weakref.WeakSet()
        self.leaving = asyncio.Event()
        super().__init__(application=self.run_site, **options)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    async def run_site(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        """The application for one request; `send` is a partial of handle_reply over the request's protocol.

        Its scope has an event, "loadify.leaving", by which an answer without end knows that it is time to end.
        """
        scope["extensions"] = {"loadify.leaving": self.leaving}
        try:
            await self.site(scope, receive, send)
        except Exception:
            [protocol] = send.args
            if not getattr(protocol, "_response_started", False):
                raise
            log.exception("The answer to %s broke off.", written(scope["path"]))
            if protocol.channel is not None:
                protocol.channel.transport.abortConnection()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Hand a message to Twisted; return when the client has taken what was written so far, or is gone."""
        if self.leaving.is_set() and isinstance(protocol, WebRequest) and protocol.channel is not None:
            protocol.channel.persistent = False
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        streams = isinstance(protocol, WebRequest) and message["type"] == "http.response.body"
        goes_on = streams and message.get("more_body")
        if streams and protocol.channel is not None:
            if goes_on and protocol.producer is None:
                protocol.registerProducer(Tap(), streaming=True)
            elif not goes_on and protocol.producer is not None:
                # Twisted wants this before the end.
                protocol.unregisterProducer()
        await super().handle_reply(protocol, message)
        if goes_on and protocol.producer is not None:
            await protocol.producer.open.wait()

    def kill_all_applications(self) -> Deferred[None]:
        """What Twisted waits for before it ends, by SIGTERM or Ctrl-C. Daphne would cut everything here."""
        return Deferred.fromFuture(asyncio.ensure_future(self.leave()))

    async def leave(self) -> None:
        """Take no new connections, answer what was asked, end what has no end; cut what takes too long."""
        began = time.monotonic()
        for port in self.ports:
            # Who stands at the door is let in: a connection that the kernel has taken would be reset. Twisted would take a
            # few, and close the door in its next round, behind which more would stand.
            port.stopReading()
            port.numberAccepts = 10_000
            port.doRead()
            port.socket.close()
            port.stopListening()
        self.leaving.set()
        await asyncio.sleep(LAST_MOMENT)
        while (lines := self.open_lines()) and time.monotonic() < began + GRACE:
            for line in lines:
                if not line.requests:
                    line.loseConnection()
            await asyncio.sleep(0.05)
        answers = [found["application_instance"] for found in self.connections.values() if "application_instance" in found]
        for answer in answers:
            answer.cancel()
        if answers:
            await asyncio.wait(answers, timeout=CUT)
        for line in self.open_lines():
            # Aborted, lest half an answer be taken for a whole one.
            line.transport.abortConnection()
        log.info("Ended after %.1f s; %d connections were cut.", time.monotonic() - began, len(lines))

    def open_lines(self) -> list[Any]:
        return [line for line in self.lines if line.transport is not None and line.transport.connected]

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        details = {**details, "path": written(details["path"])}
        if settings.LOADIFY_LOG_FORMAT == "json":
            parts = {"method", "path", "status", "client", "size"}
            told = {name: value for name, value in details.items() if name in parts}
            told["seconds"] = round(details.get("time_taken", 0), 4)
            log.info("%s %s", details.get("method", action), details["path"], extra={"request_parts": told})
        else:
            super().log_action(protocol, action, details)


class WebCommand(CommandLineInterface):  # type: ignore[misc]
    server_class = WebServer

    def run(self, arguments: list[str]) -> None:
        super().run(arguments)
        # Python would wait for threads that work on for a client who has been cut off; their transactions are rolled back.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    WebCommand.entrypoint()
