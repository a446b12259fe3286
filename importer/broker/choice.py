"""Which broker a site's rows travel over: that of BROKER_URL."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from importer.broker.amqp import AmqpQueues
from importer.broker.letters import Queues
from importer.broker.redis import RedisQueues
from importer.values import ImportProblem, quote

_KINDS: dict[str, type[AmqpQueues] | type[RedisQueues]] = {
    "amqp": AmqpQueues,
    "amqps": AmqpQueues,
    "pyamqp": AmqpQueues,
    "redis": RedisQueues,
    "rediss": RedisQueues,
}


class NoQueues(ImportProblem):
    """The broker of this site keeps no rows, or its address is none."""


def can_queue() -> bool:
    return _scheme() in _KINDS


def connect() -> Queues:
    """Connect to the site's broker. Raises BrokerAway, and NoQueues when it is none that keeps what it confirms."""
    scheme = _scheme()
    if scheme not in _KINDS:
        raise NoQueues(f"Rows go through RabbitMQ or Redis; this site's broker is {quote(scheme)}.")
    try:
        return _KINDS[scheme](settings.BROKER_URL)
    except (ValueError, TypeError):
        # What was raised may quote a piece of the password.
        raise NoQueues(
            "BROKER_URL is no address of a broker: write it like redis://user:password@host:6379/0 or "
            "amqp://user:password@host:5672/vhost, with %2F for / in a password, %23 for # and %40 for @."
        ) from None


def _scheme() -> str:
    scheme, found, _ = str(settings.BROKER_URL).partition("://")
    return scheme.lower() if found else ""


@contextmanager
def connected() -> Iterator[Queues]:
    """The same for the length of a block."""
    queues = connect()
    try:
        yield queues
    finally:
        queues.close()
