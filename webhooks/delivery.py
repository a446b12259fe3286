"""Delivers what is due: a coordinator claims, a pool of threads posts, and only the coordinator writes.

A worker has at most two: one for receivers that are well, one for those whose last try failed, each with threads of its own.

Everything it needs to know is in the rows. Killed at any moment, it leaves leases that run out; then somebody else tries
again, with the same `webhook-id`. So an event arrives at least once, and twice only after a death.
"""

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import lru_cache

from django.utils import timezone

from webhooks import hints, outbox, signing, vault
from webhooks.claims import LEASE, Claimed, claim
from webhooks.client import Answer, Client
from webhooks.event_types import TEST
from webhooks.models import Attempt, Delivery, Endpoint, Event
from webhooks.outcomes import Outcome, settle

log = logging.getLogger(__name__)

#: Posts at once, and claimed deliveries that wait for a thread, so that threads need not wait for the database.
THREADS, AHEAD = 32, 32
#: Seconds that one try may take in all.
DEADLINE = 15.0
#: Seconds between two looks for what is due, and how long a coordinator stays when there was something.
POLL, LINGER = 0.1, 2.0
#: Seconds that posts under way are waited for when the worker is shut down, which is to be over within ten.
FAREWELL = 6.0
#: Begin of the names of the threads that post.
POSTS = "webhook-post"

_client = Client()
_open = lru_cache(maxsize=1024)(vault.unseal)


class Coordinator:
    """Serves receivers whose last try failed, or the others, until nothing is due any more, or until `stop` is set."""

    def __init__(self, stop: threading.Event, *, failing: bool) -> None:
        self.stop, self.failing = stop, failing
        self.flying: dict[Future[Outcome], Claimed] = {}

    def run(self) -> int:
        """Deliver; returns how many tries were made."""
        tries, busy_at = 0, 0.0
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix=POSTS)
        try:
            while not self.stop.is_set():
                room = THREADS + AHEAD - len(self.flying)
                claimed = claim(room, failing=self.failing) if room > 0 else []
                self.flying |= {pool.submit(attempt, delivery): delivery for delivery in claimed}
                if self.flying:
                    busy_at = time.monotonic()
                    tries += self.land(POLL)
                elif time.monotonic() - busy_at > LINGER:
                    break
                else:
                    self.stop.wait(POLL)
            tries += self.say_farewell()
        finally:
            # What is still under way after the farewell is written down by nobody, so it is not waited for either.
            pool.shutdown(wait=not self.stop.is_set())
        return tries

    def land(self, seconds: float) -> int:
        """Wait until a post is over, but not longer than so many seconds, and write down all that are; returns how many."""
        done, _ = wait(self.flying, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            del self.flying[future]
        outcomes = [future.result() for future in done if not future.cancelled()]
        if outcomes:
            settle(outcomes)
        if any(outcome.succeeded == self.failing for outcome in outcomes):
            # A receiver has changed sides, with all that is due for it.
            hints.give(hints.DELIVER if self.failing else hints.RETRY)
        return len(outcomes)

    def say_farewell(self) -> int:
        """At shutdown: give back what has not begun, and wait a while for what has."""
        give_back(delivery for future, delivery in self.flying.items() if future.cancel())
        end, tries = time.monotonic() + FAREWELL, 0
        while self.flying and (left := end - time.monotonic()) > 0:
            tries += self.land(left)
        return tries


def attempt(claimed: Claimed) -> Outcome:
    """Post one delivery; never raises for what the receiver does."""
    at, body = timezone.now(), bytes(claimed.body)
    try:
        secrets = [_open(sealed) for sealed in (claimed.secret, claimed.old_secret) if sealed]
        headers = signing.sign(secrets, claimed.message_id, at, body)
    except vault.CannotUnseal as problem:
        return Outcome(claimed, at, {}, Answer(status=None, headers={}, body="", seconds=0.0, error=str(problem)))
    headers["Content-Type"] = "application/json"
    return Outcome(claimed, at, headers, _client.post(claimed.url, headers, body, DEADLINE))


def give_back(deliveries: Iterable[Claimed]) -> None:
    """Let others claim at once what this process will not try."""
    for delivery in deliveries:
        Delivery.objects.filter(pk=delivery.id, claim=delivery.claim).update(lease_until=None)


def send_test(endpoint: Endpoint) -> Attempt:
    """Make a test event for one receiver, post it here and now, and return the try; it is not repeated.

    Raises Endpoint.DoesNotExist when somebody deletes the receiver meanwhile.
    """
    now = timezone.now()
    words = {"message": "This is a test from Loadify. Nothing happened."}
    event = Event.objects.create(type=TEST, body=outbox.encode(TEST, now.isoformat(), words), at=now)
    delivery = Delivery.objects.create(endpoint=endpoint, event=event, claim=1, lease_until=now + LEASE)
    old = endpoint.old_secret if endpoint.old_secret_until and endpoint.old_secret_until > now else ""
    claimed = Claimed(delivery.pk, 1, 0, endpoint.pk, endpoint.url, endpoint.secret, old, event.message_id, event.body)
    attempts = settle([attempt(claimed)], retry=False)
    if not attempts:
        raise Endpoint.DoesNotExist
    return attempts[0]
