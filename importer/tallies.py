"""How a site learns what consumers did with its rows: tallies, sent on a results queue and counted once each.

A consumer writes them in the transaction of the rows and sends them after it, from whatever is written; the site counts
them from its timetable. So each may come late or twice, and the numbers add up all the same.
"""

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from importer import stopping
from importer.broker.letters import Letter, Queues, Taken, results_queue
from importer.models import CountedTally, Import, Inbox, Reject, Tally
from importer.signals import import_ended
from importer.states import State
from importer.values import storable

log = logging.getLogger(__name__)

#: Buckets that a consumer may fill.
BUCKETS = ("created", "unchanged", "rejected")
#: Tallies of one message box at a time.
_MOST = 500
#: No consumer tells of more lines at once, and no line has a higher number: databases would not add them up.
_MOST_LINES, _LAST_LINE = 10**9, 2**63 - 1
#: After so long a tally that was not sent is taken to be forgotten by whoever wrote it.
_FORGOTTEN = timedelta(seconds=5)


@dataclass(frozen=True)
class Told:
    """A tally that came in; the fields are those of models.Tally."""

    batch: UUID
    run: UUID
    counts: dict[str, int]
    rejects: list[tuple[int, dict[str, str], str]]
    mended: list[int]


def send(queues: Queues, mine: Collection[UUID]) -> None:
    """Send the tallies `mine`, and those that another consumer left behind. Raises BrokerAway."""
    waiting = Tally.objects.filter(batch__in=mine) | Tally.objects.filter(at__lt=timezone.now() - _FORGOTTEN)
    tallies = list(waiting.order_by("pk")[:_MOST])
    if tallies:
        queues.publish(results_queue(), [Letter(_encoded(tally), str(tally.batch)) for tally in tallies])
        Tally.objects.filter(pk__in=[tally.pk for tally in tallies]).delete()


def _encoded(tally: Tally) -> bytes:
    message = {"v": 1, "batch": str(tally.batch), "import": str(tally.run), "counts": tally.counts}
    return json.dumps(message | {"rejects": tally.rejects, "mended": tally.mended}).encode()


def read(taken: Iterable[Taken]) -> list[Told]:
    """The tallies among messages; what is none is logged, and nobody needs it again."""
    told = {}
    for one in taken:
        try:
            found = _told(json.loads(one.body))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.warning("A message of %s bytes on the results queue is no tally, and is dropped.", len(one.body))
        else:
            told[found.batch] = found
    return list(told.values())


def _told(message: Any) -> Told:
    counts = {name: _whole(message["counts"].get(name, 0), -_MOST_LINES, _MOST_LINES) for name in BUCKETS}
    rejects = [
        (_whole(line, 1, _LAST_LINE), {storable(name): storable(text) for name, text in cells.items()}, storable(reason))
        for line, cells, reason in message["rejects"]
    ]
    mended = [_whole(line, 1, _LAST_LINE) for line in message["mended"]]
    return Told(UUID(message["batch"]), UUID(message["import"]), counts, rejects, mended)


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError
    return value


def count(told: Collection[Told]) -> None:
    """Add tallies to their imports, each once; an import whose lines add up is done."""
    try:
        with transaction.atomic():
            runs = _count(told)
    except IntegrityError:
        # Another process has counted some of them just now; which, is seen at the second look.
        with transaction.atomic():
            runs = _count(told)
    for run in runs:
        settle(run)


def _count(told: Collection[Told]) -> list[int]:
    known = set(CountedTally.objects.filter(batch__in=[one.batch for one in told]).values_list("batch", flat=True))
    fresh = sorted((one for one in told if one.batch not in known), key=lambda one: one.batch)
    CountedTally.objects.bulk_create(CountedTally(batch=one.batch) for one in fresh)
    counts: dict[UUID, Counter[str]] = {}
    for one in fresh:
        counts.setdefault(one.run, Counter()).update(one.counts)
    runs = []
    for public_id, more in sorted(counts.items()):
        changed = {name: F(name) + number for name, number in more.items()}
        if Import.objects.filter(public_id=public_id).update(version=F("version") + 1, **changed):
            run = Import.objects.get(public_id=public_id)
            _note_rejects(run, [one for one in fresh if one.run == public_id])
            runs.append(run.pk)
        else:
            log.warning("Consumers told of import %s, which this site does not know.", public_id)
    return runs


def _note_rejects(run: Import, told: Collection[Told]) -> None:
    rejects = {line: (cells, reason) for one in told for line, cells, reason in one.rejects}
    mended = [line for one in told for line in one.mended]
    known = set(Reject.objects.filter(run=run, line__in=rejects).values_list("line", flat=True))
    Reject.objects.bulk_create(
        Reject(run=run, line=line, cells=_placed(run, cells), reason=reason)
        for line, (cells, reason) in rejects.items()
        if line not in known
    )
    Reject.objects.filter(run=run, line__in=mended).delete()


def _placed(run: Import, cells: dict[str, str]) -> list[str]:
    """The cells of a row where they stood in the file."""
    places: dict[str, int] = run.checkpoint.get("places", {})
    placed = [""] * int(run.checkpoint.get("width", 0))
    for name, text in cells.items():
        if name in places and places[name] < len(placed):
            placed[places[name]] = text
    return placed


def settle(run_id: int) -> None:
    """End an import whose rows are all sent and counted."""
    with transaction.atomic():
        run = stopping.locked(run_id)
        if run.state != State.CONSUMING or run.counted < run.lines:
            return
        fields: dict[str, Any] = {"finished_at": timezone.now(), "seconds": _spent(run)}
        stopping.save(run, State.DONE, **fields, **stopping.told(run, Import.News.ENDED))
        import_ended.send_robust(sender=Import, run=run)
    log.info("Import %s: all %s lines are stored or rejected", run.public_id, run.lines)


def forget() -> None:
    """Forget, after LOADIFY_CHANGES_DAYS, which rows came and which tallies were counted: nothing comes twice so late."""
    old = timezone.now() - timedelta(days=settings.LOADIFY_CHANGES_DAYS)
    Inbox.objects.filter(at__lt=old).delete()
    CountedTally.objects.filter(at__lt=old).delete()


def _spent(run: Import) -> dict[str, float]:
    sent = run.checkpoint.get("sent_at")
    seconds = (timezone.now() - datetime.fromisoformat(sent)).total_seconds() if sent else 0.0
    return {**run.seconds, State.CONSUMING.value: round(seconds, 3)}
