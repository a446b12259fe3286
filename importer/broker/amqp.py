"""Queues of RabbitMQ: durable ones, persistent messages, and confirms that are waited for by the batch, not one by one."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from struct import error as TooShort
from typing import Any

from amqp import serialization
from amqp.exceptions import FrameSyntaxError
from kombu import Connection

from importer.broker.letters import BrokerAway, Letter, Taken

#: Messages that are sent before confirms are looked for, so that those do not fill the socket while nobody reads them.
_STRETCH = 500
#: Seconds: to connect, to wait for a broker that takes nothing (RabbitMQ short of memory), and between two life signs.
_CONNECT, _WRITE, _HEARTBEAT = 5, 20, 30

_decode_properties = serialization.decode_properties_basic


def _readable_properties(data: bytes, offset: int) -> tuple[dict[str, Any], int]:
    """What a message says of itself, or nothing when it is no text, a moment in the year 55,000 or of an unknown kind: py-amqp
    would raise that out of the connection, for this message whoever takes it, and so stop all that come after."""
    try:
        return _decode_properties(data, offset)
    except (ValueError, OverflowError, ArithmeticError, OSError, TooShort, FrameSyntaxError, RecursionError):
        return {}, offset


serialization.PROPERTY_CLASSES[serialization.Basic.CLASS_ID] = _readable_properties  # type: ignore[assignment]


class AmqpQueues:
    """One connection and one channel."""

    def __init__(self, url: str) -> None:
        options = {"write_timeout": _WRITE}
        self._connection = Connection(url, connect_timeout=_CONNECT, heartbeat=_HEARTBEAT, transport_options=options)
        self._declared: set[str] = set()
        #: Numbers of messages that were sent and not confirmed yet, rising.
        self._open: dict[int, None] = {}
        self._sent = 0
        self._refused = False
        self._confirms = False
        self._most = 1
        self._came: list[Taken] = []
        with self._at_work():
            self._channel: Any = self._connection.channel()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            yield
        except (*self._connection.connection_errors, *self._connection.channel_errors) as problem:
            raise BrokerAway(str(problem) or type(problem).__name__) from problem

    def publish(self, queue: str, letters: Sequence[Letter], check: Callable[[], object] = bool) -> None:
        with self._at_work():
            self._declare(queue)
            if not self._confirms:
                self._channel.confirm_select()
                self._channel.events["basic_ack"].add(self._confirmed)
                self._channel.events["basic_nack"].add(self._nacked)
                self._channel.events["basic_return"].add(self._returned)
                self._confirms = True
            for start in range(0, len(letters), _STRETCH):
                for letter in letters[start : start + _STRETCH]:
                    self._send(queue, letter)
                self._drain(0)
            while self._open:
                self._drain(1)
                check()
                self._connection.heartbeat_check()
            if self._refused:
                raise BrokerAway("it refused a message, or the queue was deleted")

    def _send(self, queue: str, letter: Letter) -> None:
        self._sent += 1
        self._open[self._sent] = None
        message = self._channel.prepare_message(
            letter.body,
            content_type="application/json",
            content_encoding="utf-8",
            headers=dict(letter.headers) or None,
            properties={"delivery_mode": 2, "message_id": letter.id},
        )
        self._channel.basic_publish(message, routing_key=queue, mandatory=True)

    def _confirmed(self, tag: int, multiple: bool) -> None:
        if multiple:
            for number in list(takewhile(lambda number: number <= tag, self._open)):
                del self._open[number]
        else:
            self._open.pop(tag, None)

    def _nacked(self, tag: int, multiple: bool) -> None:
        self._refused = True
        self._confirmed(tag, multiple)

    def _returned(self, *_: object) -> None:
        # Confirmed all the same, as the next thing that the broker says.
        self._refused = True

    def _drain(self, seconds: float) -> bool:
        """Hear what the broker has to say; False when that was nothing for so many seconds."""
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            return False
        return True

    def _declare(self, queue: str) -> None:
        # RabbitMQ sends back what goes to a queue that is not there.
        if queue not in self._declared:
            self._channel.queue_declare(queue, durable=True, auto_delete=False)
            self._declared.add(queue)

    def listen(self, queues: Sequence[str], most: int) -> None:
        self._most = most
        with self._at_work():
            # The next batch is on its way while this one is stored.
            self._channel.basic_qos(0, 2 * most, False)
            for queue in queues:
                self._declare(queue)
                self._channel.basic_consume(queue, callback=lambda message, queue=queue: self._deliver(queue, message))

    def _deliver(self, queue: str, message: Any) -> None:
        body = message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "surrogatepass")
        properties = message.properties
        headers = properties.get("application_headers") or {}
        self._came.append(Taken(queue, body, properties.get("message_id") or "", headers, message.delivery_tag))

    def take(self, wait: float) -> list[Taken]:
        until = time.monotonic() + wait
        with self._at_work():
            self._connection.heartbeat_check()
            while len(self._came) < self._most and (left := until - time.monotonic()) > 0:
                if not self._drain(left):
                    break
        taken, self._came = self._came[: self._most], self._came[self._most :]
        return taken

    def settle(self, taken: Iterable[Taken]) -> None:
        last = max((one.tag for one in taken), default=0)
        if last:
            with self._at_work():
                self._channel.basic_ack(last, multiple=True)

    def close(self) -> None:
        try:
            self._connection.release()
        except OSError:
            pass
