"""Which broker a site's rows travel over: that of BROKER_URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

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
    """The broker of this site keeps no rows."""


def can_queue() -> bool:
    return urlsplit(settings.BROKER_URL).scheme in _KINDS


def connect() -> Queues:
    """Connect to the site's broker. Raises BrokerAway, and NoQueues when it is none that keeps what it confirms."""
    scheme = urlsplit(settings.BROKER_URL).scheme
    if scheme not in _KINDS:
        raise NoQueues(f"Rows go through RabbitMQ or Redis; this site's broker is {quote(scheme)}.")
    return _KINDS[scheme](settings.BROKER_URL)


@contextmanager
def connected() -> Iterator[Queues]:
    """The same for the length of a block."""
    queues = connect()
    try:
        yield queues
    finally:
        queues.close()
