"""What happened goes into the outbox in the transaction that makes it happen; it is delivered after the commit."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils import timezone

from webhooks import hints
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Event

#: Bytes a payload may have; receivers commonly refuse more.
MOST_BYTES = 20_000

# Sharing the keys of the receivers: one that is deleted just now takes the event with it, or is not seen any more; the
# edit would fail at its commit otherwise.
_DELIVERIES = """
INSERT INTO webhooks_delivery (endpoint_id, event_id, state, tries, claim, next_at, created_at)
SELECT id, %(event)s, 'due', 0, 0, %(now)s, %(now)s FROM webhooks_endpoint
WHERE active AND (event_types = '[]' OR event_types ? %(type)s)
FOR KEY SHARE
"""


def record(event_type: str, data: Mapping[str, Any], short: Mapping[str, Any]) -> Event:
    """Store an event and a delivery for every active endpoint that wants it; workers hear of it after the commit.

    The body is JSON as Standard Webhooks 1.0 describes: type, timestamp, data. When it would be larger than MOST_BYTES,
    `short` takes the place of `data`. Raises KeyError for a type nobody declared, RuntimeError outside a transaction:
    an event of something that may still be rolled back would be a lie.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An event belongs into the transaction that makes it true.")
    EVENT_TYPES[event_type]
    now = timezone.now()
    body = encode(event_type, now.isoformat(), data)
    if len(body) > MOST_BYTES:
        body = encode(event_type, now.isoformat(), short)
    event = Event.objects.create(type=event_type, body=body, at=now)
    if _make_deliveries(event):
        transaction.on_commit(hints.give)
    return event


def _make_deliveries(event: Event) -> int:
    if connection.vendor != "postgresql":
        # Claims are PostgreSQL's own; elsewhere an event is only kept, and edits and imports work all the same.
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERIES, {"event": event.pk, "type": event.type, "now": event.at})
        return int(cursor.rowcount)


def encode(event_type: str, timestamp: str, data: Mapping[str, Any]) -> bytes:
    """The bytes that are stored, signed and sent."""
    payload = {"type": event_type, "timestamp": timestamp, "data": data}
    return json.dumps(payload, cls=DjangoJSONEncoder, ensure_ascii=False, separators=(",", ":")).encode()
