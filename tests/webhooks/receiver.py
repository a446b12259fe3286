"""A real HTTP server on 127.0.0.1 that plays receivers of webhooks, good and bad, and remembers every request.

In a test `with Receiver() as receiver:`, in a process of its own `with ReceiverProcess() as receiver:` or
`python -m tests.webhooks.receiver`. It takes some thousands of requests a second over kept connections.

What it answers hangs on the path: `plays[path]`, else by the first word of the path (`/500/a` answers 500, `/hang` never,
see plays.py), else 200. `play=` replaces all of this by a function of the request.
"""

import argparse
import asyncio
import itertools
import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

from tests.webhooks.plays import Behaviour, Received, answer, by_path

ROOT = Path(__file__).resolve().parent.parent.parent
#: Where a receiver in a process of its own is asked what it saw.
QUESTIONS = "/-/seen"


class Receiver:
    """The server in a thread of its own, between __enter__ and __exit__."""

    def __init__(
        self,
        *,
        secret: str = "",
        play: Callable[[Received], Behaviour] | None = None,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        """With a `secret`, or one in `secrets[path]`, requests that it does not verify are answered 401."""
        self.requests: list[Received] = []
        self.plays: dict[str, Behaviour] = {}
        #: Written as soon as a request's head is here, before its body; then the connection is closed.
        self.early: dict[str, bytes] = {}
        self.secrets: dict[str, str] = {}
        self.secret, self.play, self.port = secret, play, port
        self.connections: set[asyncio.Transport] = set()
        self.opened = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *problem: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """http://127.0.0.1:port, without a path."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def at(self, path: str) -> list[Received]:
        return [request for request in self.requests if request.path == path]

    def wait_for(self, count: int, seconds: float = 10.0) -> list[Received]:
        """The requests, once there are `count`. Raises AssertionError when there are fewer after `seconds`."""
        end = time.monotonic() + seconds
        while len(self.requests) < count:
            assert time.monotonic() < end, f"{len(self.requests)} of {count} requests came within {seconds} s."
            time.sleep(0.005)
        return list(self.requests)

    def hang_up(self) -> None:
        """Close every connection that is open now."""

        async def close() -> None:
            for transport in list(self.connections):
                transport.close()

        self._call(close())

    def behaviour(self, request: Received) -> Behaviour:
        if request.verified is False:
            return answer(401)
        return self.play(request) if self.play else self.plays.get(request.path.split("?")[0]) or by_path(request)

    def verifies(self, path: str, headers: dict[str, str], body: bytes) -> bool | None:
        secret = self.secrets.get(path.split("?")[0]) or self.secret
        if not secret or path.startswith(QUESTIONS):
            return None
        try:
            _webhook(secret).verify(body, headers, json_parse=False)
        except WebhookVerificationError:
            return False
        return True

    def take(self, request: Received, transport: asyncio.Transport) -> None:
        self.requests.append(request)
        behaviour = self.behaviour(request)
        if isinstance(behaviour, bytes):
            transport.write(behaviour)
        else:
            task = self._loop.create_task(behaviour(request, transport))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, ssl=self._tls, backlog=512)

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for transport in list(self.connections):
            transport.abort()
        await asyncio.sleep(0.01)


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self.receiver, self.buffer, self.requests = receiver, bytearray(), 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.receiver.opened += 1
        self.number = self.receiver.opened
        self.receiver.connections.add(transport)

    def connection_lost(self, problem: Exception | None) -> None:
        self.receiver.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            path = first.split(" ")[1]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if path in self.receiver.early:
                self.transport.write(self.receiver.early[path])
                self.transport.close()
                return
            whole = end + 4 + int(headers.get("content-length", 0))
            if len(self.buffer) < whole:
                return
            body = bytes(self.buffer[end + 4 : whole])
            del self.buffer[:whole]
            self.requests += 1
            verified = self.receiver.verifies(path, headers, body)
            request = Received(path, headers, body, time.monotonic(), self.number, self.requests, verified)
            self.receiver.take(request, self.transport)


@cache
def _webhook(secret: str) -> Webhook:
    return Webhook(secret)


class ReceiverProcess:
    """The server in a process of its own; it ends with the process that started it."""

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "tests.webhooks.receiver", *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *problem: object) -> None:
        with self._process as process:
            # The closed pipe tells it to end.
            assert process.stdin
            process.stdin.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def seen(self, since: int = 0) -> list[dict[str, Any]]:
        """The requests so far, from number `since` on: path, id, at, verified, connection, nth, size."""
        with urllib.request.urlopen(f"{self.url}{QUESTIONS}?since={since}") as found:
            seen: list[dict[str, Any]] = json.load(found)
        return seen


def main() -> None:
    parser = argparse.ArgumentParser(description="Plays receivers of webhooks until its standard input is closed.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--secret", default="", help="answer 401 to what it does not verify")
    parser.add_argument("--secrets", default="", help="a JSON object of path and secret")
    given = parser.parse_args()

    def play(request: Received) -> Behaviour:
        if not request.path.startswith(QUESTIONS):
            return by_path(request)
        receiver.requests.pop()
        since = int(request.path.partition("since=")[2] or 0)
        return answer(body=json.dumps([_told(one) for one in itertools.islice(receiver.requests, since, None)]).encode())

    with Receiver(port=given.port, secret=given.secret, play=play) as receiver:
        receiver.secrets = json.loads(given.secrets or "{}")
        print(receiver.url, flush=True)
        sys.stdin.read()


def _told(request: Received) -> dict[str, Any]:
    told = asdict(request)
    return {"id": told.pop("headers").get("webhook-id"), "size": len(told.pop("body")), **told}


if __name__ == "__main__":
    main()
