"""`python -m bench.viewers`: thousands of browsers' EventSources in one process, on bare sockets.

Reads one line of JSON: the port and path of every viewer, the cookie, and where to write what arrived. Says "watching" when
each viewer has its first snapshot. A second line says the last version of every import and how long to wait for it; then it
writes the arrivals, three doubles each (viewer, version, moment of time.monotonic), and says how many viewers have the last.
"""

import asyncio
import json
import re
import resource
import sys
import time
from array import array
from pathlib import Path

#: As many ask for the page at once; all together would only fill the server's queue of connections.
AT_ONCE = 64
_SNAPSHOT = re.compile(rb"event: snapshot\nid: \S+:(\d+)\n")


class Viewer(asyncio.Protocol):
    """One EventSource. HTTP/1.0, so that the body comes without chunks."""

    arrivals = array("d")

    def __init__(self, number: int, request: bytes) -> None:
        self.number, self.request = number, request
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.rest = b""
        self.version = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            if found := _SNAPSHOT.match(event):
                self.version = int(found[1])
                self.arrivals.extend((self.number, self.version, at))
                if not self.first.done():
                    self.first.set_result(None)

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.first.done():
            self.first.set_exception(ConnectionError(f"A viewer was turned away: {self.rest[:300]!r}"))


async def watch(order: dict[str, object]) -> list[Viewer]:
    """Connect every viewer; returns when each has its first snapshot."""
    loop, turn = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

    async def one(number: int, port: int, path: str) -> Viewer:
        lines = (f"GET {path} HTTP/1.0", "Host: 127.0.0.1", f"Cookie: sessionid={order['cookie']}", "", "")
        async with turn:
            # The addresses 127.0.0.x have ports of their own.
            local = (f"127.0.0.{2 + number % 8}", 0) if sys.platform == "linux" else None
            _, viewer = await loop.create_connection(
                lambda: Viewer(number, "\r\n".join(lines).encode()), "127.0.0.1", port, local_addr=local
            )
            await asyncio.wait_for(viewer.first, 60)
        return viewer

    places: list[tuple[int, str]] = order["places"]  # as bench/sse.py writes it
    return await asyncio.gather(*(one(number, port, path) for number, (port, path) in enumerate(places)))


async def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    order = json.loads(sys.stdin.readline())
    if len(order["places"]) + 100 > hard:
        raise SystemExit(f"{len(order['places']):,} viewers need more open files than the {hard:,} that are allowed here.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    viewers = await watch(order)
    print("watching", flush=True)
    last = json.loads(await asyncio.to_thread(sys.stdin.readline))
    end = time.monotonic() + last["seconds"]
    wanted = last["versions"]
    while (have := sum(viewer.version >= wanted[viewer.number % len(wanted)] for viewer in viewers)) < len(viewers):
        if time.monotonic() > end:
            break
        await asyncio.sleep(0.1)
    Path(order["arrivals"]).write_bytes(Viewer.arrivals.tobytes())
    print(have, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
