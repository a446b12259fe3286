"""Which deliveries a coordinator takes next: a few of each receiver, so that a flooded or hanging one delays no other.

Receivers whose last try failed are claimed apart from all others: what hangs there takes no thread from those that are well.

PostgreSQL only: FOR UPDATE SKIP LOCKED lets any number of coordinators ask at once without waiting for each other.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

#: Longer than a try may take with all its waiting; a coordinator that died is forgotten after it.
LEASE = timedelta(seconds=60)
#: Deliveries of one receiver under way at once, over all workers; one alone while its last try has failed.
EACH = 2

# Locking the receivers keeps two coordinators from giving one of them more than EACH. NO KEY: an edit that makes deliveries
# for it meanwhile does not wait.
_CLAIM = """
WITH ready AS (
    SELECT e.id, e.url, e.secret,
           CASE WHEN e.old_secret_until > statement_timestamp() THEN e.old_secret ELSE '' END AS old_secret,
           CASE WHEN e.failures > 0 THEN 1 ELSE %(each)s END - (
               SELECT count(*) FROM webhooks_delivery l
               WHERE l.endpoint_id = e.id AND l.state = 'due' AND l.lease_until > statement_timestamp()) AS free
    FROM webhooks_endpoint e
    WHERE e.active AND (e.failures > 0) = %(failing)s
    AND (e.rests_until IS NULL OR e.rests_until <= statement_timestamp())
    AND EXISTS (
        SELECT FROM webhooks_delivery d WHERE d.endpoint_id = e.id AND d.state = 'due' AND d.next_at <= statement_timestamp()
        AND (d.lease_until IS NULL OR d.lease_until <= statement_timestamp()))
    ORDER BY random() LIMIT %(places)s
    FOR NO KEY UPDATE OF e SKIP LOCKED
), taken AS (
    SELECT d.id, ready.id AS endpoint_id, ready.url, ready.secret, ready.old_secret
    FROM ready CROSS JOIN LATERAL (
        SELECT d.id FROM webhooks_delivery d
        WHERE d.endpoint_id = ready.id AND d.state = 'due' AND d.next_at <= statement_timestamp()
        AND (d.lease_until IS NULL OR d.lease_until <= statement_timestamp())
        ORDER BY d.next_at, d.id LIMIT greatest(ready.free, 0)
        FOR UPDATE SKIP LOCKED) d
    LIMIT %(places)s
), claimed AS (
    UPDATE webhooks_delivery d SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s), claim = d.claim + 1
    FROM taken WHERE d.id = taken.id
    RETURNING d.id, d.claim, d.tries, d.event_id, taken.endpoint_id, taken.url, taken.secret, taken.old_secret
)
SELECT claimed.id, claimed.claim, claimed.tries, claimed.endpoint_id, claimed.url, claimed.secret, claimed.old_secret,
       event.message_id, event.body
FROM claimed JOIN webhooks_event event ON event.id = claimed.event_id ORDER BY claimed.id
"""


@dataclass(frozen=True)
class Claimed:
    """A delivery that this process may try now: its row's id and claim, where it goes, and what is sent. Secrets are sealed."""

    id: int
    claim: int
    tries: int
    endpoint_id: int
    url: str
    secret: str
    old_secret: str
    message_id: str
    body: bytes | memoryview  # as the driver gives it


def claim(places: int, *, failing: bool) -> list[Claimed]:
    """Take up to `places` deliveries that are due, of receivers whose last try failed or of the others.

    Each is this process' own for LEASE.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"places": places, "failing": failing, "each": EACH, "lease": LEASE.total_seconds()})
        return [Claimed(*found) for found in cursor.fetchall()]
