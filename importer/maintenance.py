"""The switch "take no new imports": what is running or queued goes on, and nothing is begun until it is turned back."""

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from importer.models import Maintenance
from importer.values import ImportProblem

#: Seconds after which a program may ask again.
RETRY_AFTER = 120


class Closed(ImportProblem):
    """No new imports are taken; the text says why, in the words of who closed."""


def closed() -> Maintenance | None:
    """The switch while it is turned; None while imports are taken."""
    return Maintenance.objects.filter(closed_at__isnull=False).first()


def sentence(switch: Maintenance) -> str:
    reason = f": {switch.reason.rstrip('.')}" if switch.reason else ""
    return f"No new imports are taken at the moment{reason}. Those that were begun go on; try again later."


def check() -> None:
    """Raises Closed while no new imports are taken."""
    if switch := closed():
        raise Closed(sentence(switch))


def keep_open() -> None:
    """The same, and nobody closes before the caller's transaction ends: after `close`, no import is queued."""
    switch = _locked()
    if switch.closed_at:
        raise Closed(sentence(switch))


def close(person: User | None, reason: str) -> None:
    """Take no new imports. Waits for those that are being queued this moment; a second time it changes the reason."""
    with transaction.atomic():
        switch = _locked()
        if switch.closed_at and switch.reason == reason:
            return
        switch.closed_at, switch.reason, switch.person = switch.closed_at or timezone.now(), reason, person
        switch.save()
        audit.record(audit.Kind.MAINTENANCE, person, f"No new imports are taken. {reason}".strip())


def open_again(person: User | None) -> None:
    """Take imports again."""
    with transaction.atomic():
        switch = _locked()
        if switch.closed_at is None:
            return
        switch.closed_at, switch.reason, switch.person = None, "", person
        switch.save()
        audit.record(audit.Kind.MAINTENANCE, person, "New imports are taken again.")


def _locked() -> Maintenance:
    Maintenance.objects.get_or_create(pk=1)
    return Maintenance.objects.select_for_update().get(pk=1)
