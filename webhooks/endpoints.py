"""What people do with receivers: add, change, switch, give a new secret, delete, send again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from webhooks import hints, signing, vault
from webhooks.event_types import TEST
from webhooks.models import OVERLAP, Attempt, Delivery, Endpoint, Event, Tally

#: Rows that one transaction makes or deletes: no lock is held for long.
BATCH = 5_000


def add(url: str, name: str, event_types: Sequence[str], person: User | None) -> tuple[Endpoint, str]:
    """Make a receiver of a checked `url`; returns it with its secret, which is shown now and never again."""
    secret = signing.new_secret()
    endpoint = Endpoint.objects.create(
        url=url, name=name, event_types=sorted(event_types), secret=vault.seal(secret), created_by=person
    )
    return endpoint, secret


def change(endpoint: Endpoint, url: str, name: str, event_types: Sequence[str]) -> None:
    """Set what a receiver is; another `url` (checked) begins without the failures of the one before."""
    fresh = _FRESH if url != endpoint.url else {}
    Endpoint.objects.filter(pk=endpoint.pk).update(url=url, name=name, event_types=sorted(event_types), **fresh)
    endpoint.refresh_from_db()
    hints.give()


def switch(endpoint: Endpoint, on: bool) -> None:
    """Turn a receiver on or off, by a person's will. What is due waits while it is off; on forgets past failures."""
    Endpoint.objects.filter(pk=endpoint.pk).update(active=on, notice="", **(_FRESH if on else {}))
    endpoint.refresh_from_db()
    if on:
        hints.give()


def rotate(endpoint: Endpoint) -> str:
    """Give a receiver a new secret and return it; the one before signs beside it for OVERLAP."""
    secret = signing.new_secret()
    with transaction.atomic():
        locked = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        locked.old_secret, locked.old_secret_until = locked.secret, timezone.now() + OVERLAP
        locked.secret = vault.seal(secret)
        locked.save(update_fields=["secret", "old_secret", "old_secret_until"])
    endpoint.refresh_from_db()
    return secret


def reseal_all() -> int:
    """Seal every secret with the first of the keys; returns how many receivers there are. Raises vault.CannotUnseal."""
    with transaction.atomic():
        found = list(Endpoint.objects.select_for_update().order_by("pk"))
        for endpoint in found:
            endpoint.secret = vault.reseal(endpoint.secret)
            endpoint.old_secret = vault.reseal(endpoint.old_secret) if endpoint.old_secret else ""
        Endpoint.objects.bulk_update(found, ["secret", "old_secret"], batch_size=500)
    return len(found)


def resend(delivery: Delivery) -> None:
    """Have an event sent once more, from the start of the schedule, under its old id; one under way is left alone."""
    now = timezone.now()
    under_way = Q(state=Delivery.State.DUE, lease_until__gt=now)
    Delivery.objects.filter(pk=delivery.pk).exclude(under_way).update(**_ANEW, next_at=now)
    hints.give(hints.DELIVER, hints.RETRY)


def to_replay(endpoint: Endpoint, since: datetime) -> int:
    """How many deliveries `replay` would send."""
    return _failed(endpoint, since).count() + _never_sent(endpoint, since).count()


def replay(endpoint: Endpoint, since: datetime) -> int:
    """Send again what was given up since `since`, and what happened while the receiver was off; returns how many.

    Raises Endpoint.DoesNotExist when somebody deletes the receiver meanwhile.
    """
    now = timezone.now()
    sent = _failed(endpoint, since).update(**_ANEW, next_at=now)
    missed = _never_sent(endpoint, since).filter(at__lte=now).order_by("pk")
    last = 0
    while True:
        with transaction.atomic():
            # Somebody may replay the same at the same time: what both find is sent once, and counted once.
            Endpoint.objects.select_for_update(no_key=connection.features.has_select_for_no_key_update).get(pk=endpoint.pk)
            pks = list(missed.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH])
            Delivery.objects.bulk_create(Delivery(endpoint=endpoint, event_id=pk, next_at=now) for pk in pks)
        hints.give(hints.DELIVER, hints.RETRY)
        sent += len(pks)
        if len(pks) < BATCH:
            return sent
        last = pks[-1]


def remove(endpoint: Endpoint) -> None:
    """Delete a receiver with its log."""
    # First of all edits must stop making deliveries for it: they would have to wait for the rest.
    Endpoint.objects.filter(pk=endpoint.pk).update(active=False)
    while pks := list(Delivery.objects.filter(endpoint=endpoint).values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            _erase(Attempt.objects.filter(delivery__in=pks))
            _erase(Delivery.objects.filter(pk__in=pks))
    with transaction.atomic():
        Endpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
        endpoint.delete()


def purge(before: datetime, batch: int = 500) -> int:
    """Forget what happened before that moment, and its deliveries; returns how many events. A batch is a transaction."""
    gone = 0
    while pks := list(Event.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)[:batch]):
        with transaction.atomic():
            deliveries = Delivery.objects.filter(event_id__in=pks)
            _erase(Attempt.objects.filter(delivery__in=deliveries))
            _erase(deliveries)
            _erase(Event.objects.filter(pk__in=pks))
        gone += len(pks)
    Tally.objects.filter(hour__lt=before).delete()
    return gone


#: A receiver that has not failed yet.
_FRESH: dict[str, Any] = {"failures": 0, "failing_since": None, "rests_until": None}
#: A delivery as if it had never been tried; its attempts stay in the log.
_ANEW: dict[str, Any] = {
    "state": Delivery.State.DUE,
    "tries": 0,
    "lease_until": None,
    "finished_at": None,
    # Who froze while trying it has no say in it any more.
    "claim": F("claim") + 1,
}


def _erase(rows: QuerySet[Any]) -> None:
    """DELETE in one statement; Django's own way would first load every row that hangs on these."""
    rows._raw_delete(rows.db)


def _failed(endpoint: Endpoint, since: datetime) -> QuerySet[Delivery]:
    failed = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.FAILED, event__at__gte=since)
    return failed.exclude(event__type=TEST)


def _never_sent(endpoint: Endpoint, since: datetime) -> QuerySet[Event]:
    wanted = Event.objects.filter(at__gte=since).exclude(type=TEST)
    if endpoint.event_types:
        wanted = wanted.filter(type__in=endpoint.event_types)
    return wanted.exclude(deliveries__endpoint=endpoint)
