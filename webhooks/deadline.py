"""One deadline over all that an exchange does: look-up, connect, TLS, every byte sent, every byte received.

The time-out of a socket begins anew with each piece that arrives, so a receiver that sends a byte a second would be waited
for without end. The sockets of this module give each single operation only the time that is left.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
CONNECTED, AGREED, SENT = "a connection was made", "TLS was agreed on", "the request was sent"
ANSWERED, ENDED = "an answer came", "the answer ended"


class TooMuch(OSError):
    """A receiver has sent more bytes than one exchange may have."""


@dataclass
class Exchange:
    """What the sockets of this thread may still do, and what they did."""

    #: How many it may take in all.
    seconds: float
    #: Bytes that may still be received.
    room: int
    #: time.monotonic() at which all must be over.
    ends: float = field(init=False)
    #: What the answer is waited for: its begin, then its end.
    awaited: str = ANSWERED
    #: What has not come about yet, for a sentence: “Given up before …”.
    before: str = ""
    #: A connection was made for it: it did not go over one kept from before.
    connected: bool = False

    def __post_init__(self) -> None:
        self.ends = time.monotonic() + self.seconds

    def left(self, before: str) -> float:
        """The seconds that are left until something must have come about, more than 0. Raises TimeoutError."""
        self.before = before
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


_exchange: ContextVar[Exchange] = ContextVar("exchange")
current = _exchange.get


@contextmanager
def exchange(seconds: float, room: int) -> Iterator[Exchange]:
    """Within it, the sockets of this module do in this thread what the new Exchange permits."""
    token = _exchange.set(Exchange(seconds, room))
    try:
        yield _exchange.get()
    finally:
        _exchange.reset(token)


def within(seconds: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises; TimeoutError when it takes longer.

    For what cannot be interrupted, as a look-up of a name. It then goes on in a thread that nobody waits for: a resolver
    gives up after 10 to 28 seconds.
    """
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as problem:
            outcome.put((None, problem))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, problem = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if problem:
        raise problem
    return result  # type: ignore[return-value] # without a problem it is a T


class BoundedSocket(socket.socket):
    def connect(self, address: Any, /) -> None:
        self.settimeout(current().left(CONNECTED))
        super().connect(address)

    def send(self, *args: Any) -> int:
        self.settimeout(current().left(SENT))
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        self.settimeout(current().left(SENT))
        super().sendall(*args)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        exchange = current()
        self.settimeout(exchange.left(exchange.awaited))
        size = super().recv_into(*args, **kwargs)
        exchange.room -= size
        if exchange.room < 0:
            raise TooMuch
        return size


class BoundedTLSSocket(BoundedSocket, ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(current().left(AGREED))
        super().do_handshake(block)
