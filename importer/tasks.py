"""What Celery calls: hints to run an import, and the timetable that finds what hints have missed."""

import fcntl
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from celery import shared_task
from celery.signals import worker_init, worker_shutting_down
from django.conf import settings
from django.db import DatabaseError, connection

from importer import exports, held, leases, mails, maintenance, results, runner, sweep, turns, unattended
from importer.attempt import worker_name
from importer.intake import identity
from importer.models import Export, Import
from importer.states import WORKING, ExportState
from importer.storage.parts import StorageProblem
from importer.values import shown

log = logging.getLogger(__name__)

#: A nameless file that the worker's processes inherit; the one that has it locked looks whether there is work for it.
_turn: IO[bytes] | None = None


@worker_init.connect
def make_turn(**_: Any) -> None:
    global _turn
    _turn = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the worker


@contextmanager
def _one_by_one() -> Iterator[None]:
    """Keeps the other processes of this worker waiting. The lock of one that dies goes with it."""
    if _turn is None:
        yield
        return
    fcntl.lockf(_turn, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.lockf(_turn, fcntl.LOCK_UN)


@shared_task(name="importer.run")
def run(run_id: int) -> None:
    """Run the import whose turn it is, unless this worker has its hands full: one process is kept free for the timetable.

    `run_id` is why to look; when its turn comes later, it is found by who looks then.
    """
    if not _sees_storage():
        return
    # Counted and claimed by one process at a time: else hints that come together would each find the last place free.
    with _one_by_one():
        free = turns.hands(_me())
        attempt = turns.take(free)
    if attempt is not None:
        runner.work(attempt)
        _hint_first()
    elif not free.free and turns.make_room(_me()):
        log.info("A large import makes room for a small one.")


@shared_task(name="importer.export")
def export(export_id: int) -> None:
    """Write an export, under the same condition."""
    if not _sees_storage():
        return
    with _one_by_one():
        claimed = exports.claim(export_id) if turns.hands(_me()).free else None
    if claimed is not None:
        exports.work(claimed)
        _hint_first()


def _sees_storage() -> bool:
    """Whether this machine has the files; else it leaves the work to those that have."""
    try:
        identity.check()
    except StorageProblem as problem:
        log.error("This worker takes no work: %s", problem)
        return False
    return True


def _me() -> str:
    """This worker as its processes sign, up to their numbers."""
    return worker_name(os.getppid(), 0)[:-1]


def _hint_first() -> None:
    """A hand is free again: what was queued when there was none need not wait for the timetable."""
    following = turns.first()
    if following is not None:
        runner.hint(following)


@shared_task(name="importer.sweep")
def sweep_imports() -> None:
    sweep.sweep()
    exports.sweep()


@shared_task(name="importer.store_held")
def store_held() -> None:
    """Store the rows whose moment has come."""
    try:
        held.store_due()
    finally:
        connection.close()


@shared_task(name="importer.tallies")
def count_tallies() -> None:
    """Collect what consumers tell."""
    try:
        results.look()
    finally:
        connection.close()


@shared_task(name="importer.mail")
def mail() -> None:
    mails.send_aside()


@shared_task(name="importer.tidy")
def tidy() -> None:
    sweep.tidy()
    exports.expire()


@shared_task(name="importer.scan")
def scan() -> None:
    """Import what lies in the watched folder; of several scans at once each takes other files."""
    if maintenance.closed():
        return
    try:
        for outcome in unattended.take_all(Path(settings.LOADIFY_FOLDER), settings.LOADIFY_FOLDER_SETTLE, unattended.Wish()):
            log.info("Folder: %s: %s", shown(outcome.name), outcome.problem or outcome.run)
    except OSError as problem:
        log.warning("The folder %s cannot be used: %s", settings.LOADIFY_FOLDER, problem)


@shared_task(name="importer.scan_bucket")
def scan_bucket() -> None:
    """Import what lies in the bucket."""
    if maintenance.closed():
        return
    try:
        for outcome in unattended.take_bucket(_me()):
            log.info("Bucket: %s: %s", shown(outcome.name), outcome.problem or outcome.run)
    except StorageProblem as problem:
        log.warning("The bucket cannot be looked into: %s", problem)


@worker_shutting_down.connect
def yield_to_the_end(**_: Any) -> None:
    """Ask what this worker is at to stop, again and again until it has ended: a process may claim something just now."""

    def ask() -> None:
        while True:
            try:
                yield_imports()
            except DatabaseError as problem:
                log.warning("What this worker is at cannot be asked to stop; trying again. %s", problem)
                connection.close()
            time.sleep(1)

    threading.Thread(target=ask, name="yield", daemon=True).start()


def yield_imports() -> None:
    """Ask the work of this worker to stop at its next step: its processes do not hear the signal themselves."""
    mine = worker_name(os.getpid(), 0)[:-1]
    # What a person wants of an import stands: who pressed Cancel does not find it running on after a restart.
    undisturbed = Import.objects.filter(state__in=WORKING, wanted=Import.Wanted.RUN)
    undisturbed.filter(heartbeat__worker__startswith=mine).update(wanted=Import.Wanted.YIELD)
    writing = Export.objects.filter(state=ExportState.WRITING, wanted=Import.Wanted.RUN, worker__startswith=mine)
    writing.update(wanted=Import.Wanted.YIELD)
    leases.end(unattended.BUCKET, mine, unattended.TURN)
    connection.close()
