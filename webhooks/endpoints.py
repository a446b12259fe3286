"""What people do with receivers: add, change, switch, give a new secret, delete, send again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from webhooks import hints, signing, vault
from webhooks.event_types import TEST
from webhooks.models import OVERLAP, Attempt, Delivery, Endpoint, Event


def add(url: str, name: str, event_types: Sequence[str], person: User | None) -> tuple[Endpoint, str]:
    """Make a receiver of a checked `url`; returns it with its secret, which is shown now and never again."""
    secret = signing.new_secret()
    endpoint = Endpoint.objects.create(
        url=url, name=name, event_types=sorted(event_types), secret=vault.seal(secret), created_by=person
    )
    return endpoint, secret


def switch(endpoint: Endpoint, on: bool) -> None:
    """Turn a receiver on or off. What is due waits while it is off; switching on forgets the failures of the past."""
    fresh = {"failures": 0, "failing_since": None, "rests_until": None, "notice": ""} if on else {}
    Endpoint.objects.filter(pk=endpoint.pk).update(active=on, **fresh)
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
    """Have an event sent once more, from the start of the schedule, under its old id; what is on its way already goes now."""
    Delivery.objects.filter(pk=delivery.pk).update(**_ANEW, next_at=timezone.now())
    hints.give()


def to_replay(endpoint: Endpoint, since: datetime) -> int:
    """How many deliveries `replay` would send."""
    return _failed(endpoint, since).count() + _never_sent(endpoint, since).count()


def replay(endpoint: Endpoint, since: datetime) -> int:
    """Send again what was given up since `since`, and what happened while the receiver was off; returns how many."""
    now = timezone.now()
    with transaction.atomic():
        again = _failed(endpoint, since).update(**_ANEW, next_at=now)
        missed = _never_sent(endpoint, since).order_by("pk").values_list("pk", flat=True)
        made = Delivery.objects.bulk_create(
            [Delivery(endpoint=endpoint, event_id=pk, next_at=now) for pk in missed], ignore_conflicts=True, batch_size=5_000
        )
    hints.give()
    return again + len(made)


def remove(endpoint: Endpoint) -> None:
    """Delete a receiver with its log."""
    with transaction.atomic():
        deliveries = Delivery.objects.filter(endpoint=endpoint)
        _erase(Attempt.objects.filter(delivery__in=deliveries))
        _erase(deliveries)
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
    return gone


#: A delivery as if it had never been tried; its attempts stay in the log.
_ANEW = {"state": Delivery.State.DUE, "tries": 0, "lease_until": None, "finished_at": None}


def _erase(rows: QuerySet[Any]) -> None:
    """DELETE in one statement; Django's own way would first load every row that hangs on these."""
    rows._raw_delete(rows.db)  # type: ignore[attr-defined]


def _failed(endpoint: Endpoint, since: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.FAILED, event__at__gte=since)


def _never_sent(endpoint: Endpoint, since: datetime) -> QuerySet[Event]:
    wanted = Event.objects.filter(at__gte=since).exclude(type=TEST)
    if endpoint.event_types:
        wanted = wanted.filter(type__in=endpoint.event_types)
    return wanted.exclude(deliveries__endpoint=endpoint)
