"""Tries counted by receiver and hour, so that a page draws a day of a million deliveries from 24 rows."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db import connection

# In the order of the receivers, so that two coordinators cannot wait for each other in a circle.
_ADD = """
INSERT INTO webhooks_tally AS tally (endpoint_id, hour, delivered, failed)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::integer[], %s::integer[]) AS counted (endpoint)
ORDER BY endpoint
ON CONFLICT (endpoint_id, hour) DO UPDATE
SET delivered = tally.delivered + excluded.delivered, failed = tally.failed + excluded.failed
"""


def add(tries: Iterable[tuple[int, bool]], now: datetime) -> None:
    """Count tries: ids of receivers, and whether they took it. The caller's transaction holds a delivery of each receiver."""
    counted = Counter(tries)
    endpoints = sorted({endpoint for endpoint, _ in counted})
    hours = [now.replace(minute=0, second=0, microsecond=0)] * len(endpoints)
    with connection.cursor() as cursor:
        delivered = [counted[endpoint, True] for endpoint in endpoints]
        failed = [counted[endpoint, False] for endpoint in endpoints]
        cursor.execute(_ADD, [endpoints, hours, delivered, failed])
