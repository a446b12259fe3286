"""What receivers of webhooks do, good and bad: answer, dawdle, drip, hang, flood, hang up."""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Names of headers are lower case; `at` is this machine's time.monotonic()."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    #: Which connection brought it, counted from 1, and as which of its requests, counted from 1.
    connection: int
    nth: int
    #: Whether the signature is that of the path's secret; None when there is no secret.
    verified: bool | None


#: Bytes are written as they are; anything else is awaited and writes what it likes.
Behaviour: TypeAlias = bytes | Callable[[Received, asyncio.Transport], Coroutine[Any, Any, None]]


def answer(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole, honest answer."""
    lines = [f"HTTP/1.1 {status} Played", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def delayed(seconds: float, data: bytes) -> Behaviour:
    async def play(request: Received, transport: asyncio.Transport) -> None:
        await asyncio.sleep(seconds)
        transport.write(data)

    return play


def then_close(data: bytes) -> Behaviour:
    async def play(request: Received, transport: asyncio.Transport) -> None:
        transport.write(data)
        transport.close()

    return play


def drip(start: bytes, piece: bytes, seconds: float = 0.05) -> Behaviour:
    """Write `start`, then `piece` again and again, `seconds` apart, for as long as anybody listens."""

    async def play(request: Received, transport: asyncio.Transport) -> None:
        transport.write(start)
        while not transport.is_closing():
            await asyncio.sleep(seconds)
            transport.write(piece)

    return play


async def hang(request: Received, transport: asyncio.Transport) -> None:
    """Never answer."""


async def reset(request: Received, transport: asyncio.Transport) -> None:
    """End the connection by RST."""
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def then_reset(data: bytes) -> Behaviour:
    async def play(request: Received, transport: asyncio.Transport) -> None:
        transport.write(data)
        await asyncio.sleep(0.05)
        await reset(request, transport)

    return play


async def flood(request: Received, transport: asyncio.Transport) -> None:
    """Answer 200 with a body that never ends, as fast as it is read."""
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not transport.is_closing():
        transport.write(b"x" * 65_536)
        while transport.get_write_buffer_size() and not transport.is_closing():
            await asyncio.sleep(0.001)


PLAYS: dict[str, Behaviour] = {
    "hang": hang,
    "drip": drip(b"HTTP/1.1 200 OK\r\n", b"X-Drip: drop\r\n", 0.5),
    "drip-body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"x", 0.5),
    "flood": flood,
    "close": then_close(b""),
    "reset": reset,
    "garbage": then_close(b"\x00\xff\xfe not HTTP at all\r\n\r\n"),
    "slow": delayed(1.0, answer()),
}
OK = answer()


def by_path(request: Received) -> Behaviour:
    """What the first word of the path asks for: a name of PLAYS, a status, or 200."""
    word = request.path.split("?")[0].split("/")[1]
    return PLAYS.get(word) or (answer(int(word)) if len(word) == 3 and word.isdecimal() else OK)
