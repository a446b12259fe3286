"""The web server: Daphne, with four manners it lacks. `python -m loadify.web` takes the arguments of `python -m daphne`.

It waits for a client that reads slowly: Daphne itself takes all that an answer has to give into memory. It cuts the line
when an answer breaks off, so that a client does not take half a file for a whole one, nor wait for the rest for ever. It leaves
forms to Django: Twisted would read each of them into memory first, and hang up without a word on one that it cannot read. It
writes down addresses without their queries: people are searched for by e-mail and phone, which an erasure could not find
there; and without what opens a door to whoever reads it, the tokens of links to files and to new passwords.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from daphne import http_protocol
from daphne.cli import CommandLineInterface
from daphne.http_protocol import WebRequest
from daphne.server import Server
from django.conf import settings
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from loadify.paths import written

log = logging.getLogger("loadify.web")  # it runs as __main__

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


# By this name Daphne's factory makes its requests.
http_protocol.WebRequest = Request


class WebServer(Server):  # type: ignore[misc]  # daphne carries no type hints
    def __init__(self, application: Any, **options: Any) -> None:
        self.site = application
        super().__init__(application=self.run_site, **options)

    async def run_site(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        """The application for one request; `send` is a partial of handle_reply over the request's protocol."""
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


if __name__ == "__main__":
    WebCommand.entrypoint()
