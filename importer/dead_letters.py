"""Messages that no consumer could take: kept with the reason until somebody sends them again or discards them."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from importer import datasets
from importer.broker.choice import connected
from importer.broker.letters import Letter, Queues, Taken, dead_queue, rows_queue
from importer.consuming import REPLAY
from importer.models import DeadLetter, Import
from importer.values import storable

#: Letters that one press sends again.
MOST = 1_000


def queue_names() -> dict[str, str]:
    """Where dead letters come from: {queue: dataset}"""
    return {dead_queue(rows_queue(dataset.name)): dataset.name for dataset in datasets.all() if dataset.keeps_first}


def keep(taken: Collection[Taken]) -> None:
    """Store letters that came in; one that is there already comes back to the list if it was off it."""
    names = queue_names()
    for one in taken:
        letter = {
            "dataset": names[one.queue],
            "body": one.body,
            "reason": storable(str(one.headers.get("reason") or "It does not say why it is here.")),
            "run": _run(str(one.headers.get("import") or "")),
            "line": _line(str(one.headers.get("line") or "")),
        }
        fresh = {"came_at": timezone.now(), "replayed_at": None, "discarded_at": None, "decided_by": None}
        DeadLetter.objects.update_or_create(message_id=one.digest, defaults=letter | fresh)


def _run(text: str) -> Import | None:
    try:
        return Import.objects.filter(public_id=UUID(text)).first()
    except ValueError:
        return None


def _line(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None


def of(person: User) -> QuerySet[DeadLetter]:
    """The letters that wait for somebody, and that `person` may see: of their own imports, and all for staff."""
    waiting = DeadLetter.objects.filter(replayed_at=None, discarded_at=None)
    return waiting.filter(Q() if person.is_staff else Q(run__owner=person)).select_related("run__file", "run__owner")


def replay(letters: Iterable[DeadLetter], person: User) -> int:
    """Send letters to where they came from, and return how many. Raises BrokerAway and NoQueues; they stay on the list then."""
    groups: dict[str, list[int]] = {}
    for letter in letters:
        groups.setdefault(letter.dataset, []).append(letter.pk)
    sent = 0
    with connected() as queues:
        for dataset, some in groups.items():
            with transaction.atomic():
                sent += _replay(queues, dataset, some, person)
    return sent


def _replay(queues: Queues, dataset: str, some: Collection[int], person: User) -> int:
    """Send those that nobody else decides on at this moment, or has decided on since they were shown."""
    waiting = DeadLetter.objects.filter(pk__in=some, replayed_at=None, discarded_at=None)
    letters = list(waiting.select_for_update(skip_locked=True).order_by("pk"))
    # An id of its own: should it be rejected again, it is another letter.
    again = [Letter(bytes(letter.body), f"{letter.pk}/{uuid4()}", {REPLAY: "1"}) for letter in letters]
    if again:
        queues.publish(rows_queue(dataset), again)
    decided = DeadLetter.objects.filter(pk__in=[letter.pk for letter in letters])
    return decided.update(replayed_at=timezone.now(), decided_by=person)


def discard(letters: QuerySet[DeadLetter], person: User) -> int:
    """Take letters off the list for good, and return how many."""
    return letters.update(discarded_at=timezone.now(), decided_by=person)


def forget() -> None:
    """Delete, after LOADIFY_CHANGES_DAYS, the letters that were sent again or discarded: nobody sees them any more."""
    old = timezone.now() - timedelta(days=settings.LOADIFY_CHANGES_DAYS)
    DeadLetter.objects.filter(Q(replayed_at__lt=old) | Q(discarded_at__lt=old)).delete()
