"""What a queue of rows looks like from outside, whichever broker keeps it; and how its queues are called."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.conf import settings


class BrokerAway(Exception):
    """The broker does not answer, or took back its word; connect again, and do again what was not confirmed."""


@dataclass(frozen=True)
class Letter:
    """A message to be sent. The same `id` says: the same message once more."""

    body: bytes
    id: str
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """A message that came out of `queue`; the broker gives it to somebody else unless it is settled."""

    queue: str
    body: bytes
    id: str
    headers: Mapping[str, Any]
    tag: Any

    @property
    def digest(self) -> str:
        """The same when the same message comes once more; others differ, though whoever sent them gave them one id."""
        return hashlib.sha256(f"{self.queue}\0{self.id}\0".encode("utf-8", "surrogatepass") + self.body).hexdigest()


class Queues(Protocol):
    """One connection to a broker. Every method raises BrokerAway; after that only `close` may be called."""

    def publish(self, queue: str, letters: Sequence[Letter], check: Callable[[], object] = ...) -> None:
        """Send all letters, and return when the broker has confirmed every one. Calls `check` about once a second."""

    def listen(self, queues: Sequence[str], most: int) -> None:
        """Begin to take messages from these queues, `most` at once."""

    def take(self, wait: float) -> list[Taken]:
        """As many messages as come within `wait` seconds; returns at once when there are `most`."""

    def settle(self, taken: Iterable[Taken]) -> None:
        """Have the broker forget messages. All that were taken before the last of them must be among them, or settled."""

    def close(self) -> None: ...


def rows_queue(dataset: str) -> str:
    return f"{settings.LOADIFY_QUEUE_PREFIX}loadify.rows.{dataset}"


def dead_queue(rows: str) -> str:
    """Where messages of the queue `rows` go that cannot be taken."""
    return f"{rows}.dead"


def results_queue() -> str:
    return f"{settings.LOADIFY_QUEUE_PREFIX}loadify.results"
