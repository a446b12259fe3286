"""What the timetable does for imports: finds the dead, wakes the waiting, builds missing indexes, clears away."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from importer import dead_letters, erasure, held, locks, retention, runner, stopping, tallies
from importer.intake import orphans, uploads
from importer.loaders import search_indexes, work_tables
from importer.loaders.sql import itself
from importer.models import DatasetLock, Held, Import
from importer.signals import import_ended
from importer.states import FINAL, WORKING, State
from importer.storage.parts import StorageProblem

log = logging.getLogger(__name__)

#: Workers that may die one after the other at the same place before the import is taken for the cause.
DEATHS = 5
#: How long a failed import keeps its staging table, to be looked at or tried again.
KEEP_FAILED = timedelta(days=7)


def sweep() -> None:
    """Harmless at any time and twice at once: every move is a conditional UPDATE."""
    revive()
    cancel_forgotten()
    for run_id in Import.objects.filter(state=State.QUEUED).order_by("pk").values_list("pk", flat=True)[:50]:
        runner.hint(run_id)
    waiting = Import.objects.filter(state=State.WAITING).order_by().values_list("dataset", flat=True).distinct()
    for dataset in waiting:
        following = locks.next_waiting(dataset)
        if following is not None:
            runner.hint(following)
    for dataset in DatasetLock.objects.exclude(missing_indexes=[]).values_list("dataset", flat=True):
        build_missing(dataset)


def revive() -> None:
    """Queue again every import whose worker has not been heard of for a lease."""
    for run in Import.objects.filter(state__in=WORKING, heartbeat__lease_until__lt=Now()):
        same = Import.objects.filter(pk=run.pk, attempt=run.attempt, state=run.state)
        if run.attempt - run.checkpoint.get("attempt", 0) >= DEATHS:
            moved = give_up(run, same)
        else:
            moved = take_back(run, same)
        if moved:
            log.warning("Import %s: its worker died in %s; attempt %s.", run.public_id, run.state, run.attempt)


def take_back(run: Import, same: QuerySet[Import]) -> int:
    """Bring an import whose worker died where somebody wanted it, most often to the queue; 0 when it is not the `same`."""
    with transaction.atomic():
        found = same.select_for_update(of=itself()).first()
        if found is None:
            return 0
        stopping.stop(found, found.wanted)
    return 1


def cancel_forgotten() -> None:
    """Cancel what was paused LOADIFY_PAUSE_LIMIT seconds ago and not resumed; what it wrote stays, and can be undone."""
    late = {"state": State.PAUSED, "paused_at__lt": timezone.now() - timedelta(seconds=settings.LOADIFY_PAUSE_LIMIT)}
    for run_id in Import.objects.filter(**late).values_list("pk", flat=True):
        with transaction.atomic():
            found = Import.objects.select_for_update(of=itself(), skip_locked=True).filter(pk=run_id, **late).first()
            if found is not None:
                stopping.cancel(found)
                log.info("Import %s was paused for too long, and is cancelled.", found.public_id)


def give_up(run: Import, same: QuerySet[Import]) -> int:
    """End an import at which one worker after the other died; 0 when it is not the `same` any more."""
    ended = copy(run)
    told = stopping.told(run, Import.News.ENDED)
    ended.state, ended.finished_at = State.FAILED, timezone.now()
    ended.error = f"{DEATHS} workers died, or lost the database, one after the other at one place; their logs say why."
    with transaction.atomic():
        moved = same.update(
            state=ended.state, version=F("version") + 1, finished_at=ended.finished_at, error=ended.error, wanted="", **told
        )
        if moved:
            locks.release(run)
            import_ended.send_robust(sender=Import, run=ended)
    return moved


def build_missing(dataset: str) -> None:
    """Build the search indexes that an import dropped and could not build again."""
    with transaction.atomic():
        free = DatasetLock.objects.filter(locks.free(), dataset=dataset)
        lock = free.select_for_update(skip_locked=True, of=itself()).first()
        if lock is None:
            return
        # Holding the row keeps imports away from the dataset until the indexes are there.
        for _, definition in lock.missing_indexes:
            search_indexes.build(definition)
        DatasetLock.objects.filter(dataset=dataset).update(missing_indexes=[])
    log.info("Built the search indexes that %s lacked.", dataset)


def tidy() -> None:
    """Drop work tables that no import needs any more, forget abandoned uploads, and delete files past their time."""
    tables = work_tables.found()
    needed = Import.objects.filter(pk__in=tables).exclude(state__in=FINAL - {State.FAILED})
    needed = needed.exclude(state=State.FAILED, finished_at__lt=timezone.now() - KEEP_FAILED)
    for run_id in sorted(tables.keys() - set(needed.values_list("pk", flat=True))):
        with _still_ended(run_id) as ended:
            if ended:
                work_tables.drop(run_id)
    forget_changes()
    held.forget()
    tallies.forget()
    dead_letters.forget()
    uploads.forget_abandoned()
    retention.delete_old()
    erasure.delete_all_left()
    try:
        orphans.forget()
    except StorageProblem as problem:
        log.warning("What no import knows of stays in storage for now: %s", problem)


def forget_changes() -> None:
    """Drop the Changes of imports that ended more than LOADIFY_CHANGES_DAYS ago; they cannot be undone any more."""
    old = Import.objects.filter(
        pk__in=work_tables.with_changes(),
        state__in=FINAL,
        finished_at__lt=timezone.now() - timedelta(days=settings.LOADIFY_CHANGES_DAYS),
    )
    # A row that is still held writes its Change when it is stored.
    old = old.exclude(pk__in=Held.objects.filter(state=Held.State.WAITING).values("run"))
    for run_id in old.order_by("pk").values_list("pk", flat=True):
        with _still_ended(run_id) as ended:
            if ended:
                work_tables.drop_old_changes([run_id])


@contextmanager
def _still_ended(run_id: int) -> Iterator[bool]:
    """Whether the import is at its end, or gone; nobody tries it again or undoes it before the block is over."""
    with transaction.atomic():
        run = Import.objects.select_for_update(of=itself()).filter(pk=run_id).first()
        yield run is None or run.is_final
