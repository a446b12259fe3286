"""Exports: a worker claims one, writes its rows piece by piece into storage, and makes one file of the pieces.

Each piece is a step: a file in storage, then one UPDATE of checkpoint and counters that holds only for this attempt and while
its lease runs. So a worker may die at any moment; the next one goes on behind the last piece that was noted.
"""

import errno
import hashlib
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import IO, Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from xlsxwriter.exceptions import FileCreateError

from importer import datasets, retention
from importer.attempt import worker_name
from importer.export_rows import ExportRows
from importer.export_workbook import write_workbook
from importer.heart import Heart, Interrupted, Lost, lease
from importer.models import Export, Import
from importer.states import ExportState, export_sources
from importer.storage.parts import StorageProblem
from importer.values import ImportProblem
from importer.working_on import working_on

log = logging.getLogger(__name__)

#: Row ids that the first piece spans; the next ones span what takes about SECONDS, so that a pause is heard soon.
SPAN, WIDEST = 20_000, 500_000
SECONDS = 0.5
#: Bytes that are moved at once; bytes of a piece that are kept in memory on their way into storage.
BLOCK, IN_MEMORY = 1 << 20, 32 << 20
#: Workers that may die one after the other at the same place.
DEATHS = 5


def hint(export_id: int) -> None:
    """Tell the workers that there is something to do. May be lost: the timetable tells them again."""
    try:
        current_app.send_task("importer.export", [export_id], retry=False, expires=60)
    except Exception as problem:
        # Among them what RabbitMQ says to a wrong password, and an address that is none: nobody's page fails by it.
        log.warning(
            "The broker does not take the hint (%s); export %s starts when the timetable finds it.",
            type(problem).__name__,
            export_id,
        )


def move(exports: QuerySet[Export], state: ExportState, **fields: Any) -> int:
    """Bring exports to `state` where that is allowed; how many. No worker has them any more."""
    allowed = exports.filter(state__in=export_sources(state))
    return allowed.update(state=state, version=F("version") + 1, wanted=Import.Wanted.RUN, lease_until=None, **fields)


def claim(export_id: int) -> Export | None:
    """Make this process the one that writes the export, if it waits for one: a conditional UPDATE decides."""
    seen = Export.objects.filter(pk=export_id, state=ExportState.QUEUED).first()
    if seen is None:
        return None
    checkpoint = {"v": 1, **seen.checkpoint, "began": time.time(), "had": seen.rows_done}
    won = Export.objects.filter(pk=export_id, state=ExportState.QUEUED, attempt=seen.attempt).update(
        state=ExportState.WRITING,
        attempt=F("attempt") + 1,
        version=F("version") + 1,
        wanted=Import.Wanted.RUN,
        worker=worker_name(os.getppid(), os.getpid()),
        lease_until=Now() + lease(),
        started_at=seen.started_at or timezone.now(),
        rows_packed=0,
        checkpoint=checkpoint,
    )
    return Export.objects.get(pk=export_id) if won else None


def run(export_id: int) -> None:
    """Take an export up and bring it to its end. Does nothing when somebody else has it."""
    export = claim(export_id)
    if export is not None:
        work(export)


def work(export: Export) -> None:
    """Bring an export that this process has claimed to its end, or to where somebody wants it."""
    with working_on(export_id=export.public_id):
        _work(export)


def _work(export: Export) -> None:
    writing = Writing(export)
    try:
        with ExportHeart(export) as writing.heart:
            writing.go()
    except Interrupted:
        writing.give_back()
    except Lost:
        log.warning("Export %s belongs to somebody else now; attempt %s ends.", export.public_id, export.attempt)
    except StorageProblem as problem:
        writing.without_storage(problem)
    except ImportProblem as problem:
        writing.fail(str(problem))
    except (OperationalError, InterfaceError) as problem:
        if writing.heart.wanted:
            writing.give_back()
        else:
            # The lease runs out, and the timetable queues the export again.
            log.warning("Export %s: the database does not answer (%s).", export.public_id, problem)
            connection.close()
    except Exception as problem:
        log.error("Export %s failed", export.public_id, exc_info=problem)
        writing.fail(_told(problem))


def _told(problem: Exception) -> str:
    # A workbook wraps what happened to its file.
    inner = problem.args[0] if isinstance(problem, FileCreateError) else problem
    if isinstance(inner, OSError) and inner.errno in (errno.ENOSPC, errno.EDQUOT):
        return "There is no room on the disk for this export. Make room and try again."
    return f"The export stopped on an error of ours ({type(problem).__name__}); the worker's log has it."


class ExportHeart(Heart):
    """The heart of an import, for an export: its lease is in its own row."""

    def __init__(self, export: Export) -> None:
        super().__init__(export.pk, export.attempt)

    def _once(self) -> None:
        wanted = self._mine().values_list("wanted", flat=True).first()
        self.wanted = wanted or ""
        self.lost = wanted is None or not self.alive()

    def alive(self) -> bool:
        return bool(self._mine().filter(lease_until__gt=Now()).update(lease_until=Now() + lease()))

    def _mine(self) -> QuerySet[Export]:
        return Export.objects.filter(pk=self.run_id, attempt=self.attempt, state=ExportState.WRITING)


class Writing:
    """One attempt at one export; `export` mirrors what is committed."""

    heart: ExportHeart

    def __init__(self, export: Export) -> None:
        self.export = export
        self.number = 0

    def go(self) -> None:
        """Raises Interrupted, Lost, and ImportProblem when the dataset is gone or a row does not fit."""
        export = self.export
        dataset = datasets.of_old(export.dataset)
        apostrophes = export.escape and export.format == Export.Format.CSV
        rows = ExportRows(dataset, export.since, export.until, apostrophes)
        if "last" not in export.checkpoint:
            found = rows.extent()
            self._note(rows_total=found.rows, checkpoint={"after": found.first - 1, "last": found.last, "pieces": []})
        span = SPAN
        while export.checkpoint["after"] < export.checkpoint["last"]:
            span = self._piece(rows, span)
        if export.format == Export.Format.CSV:
            self._end(chain([io.BytesIO(rows.heading())], self._pieces()))
            return
        with tempfile.TemporaryFile() as book:
            write_workbook(dataset, self._pieces(), book, export.escape, self._packed)
            book.seek(0)
            self._end([book])

    def _piece(self, rows: ExportRows, span: int) -> int:
        """Write the rows of the next ids; how many ids the next piece is to span."""
        began = time.monotonic()
        after = self.export.checkpoint["after"]
        last = min(after + span, self.export.checkpoint["last"])
        self.number += 1
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as piece:
            count = rows.write(after, last, piece)
            self.heart.check()
            pieces = self.export.checkpoint["pieces"]
            if count:
                name = f"{folder(self.export)}/{self.export.attempt}-{self.number}"
                pieces = [*pieces, default_storage.save(name, File(piece))]
        self._note(rows_done=self.export.rows_done + count, checkpoint={"after": last, "pieces": pieces})
        took = time.monotonic() - began
        return max(1_000, min(int(span * min(SECONDS / took, 4)), WIDEST))

    def _note(self, checkpoint: dict[str, Any], **fields: Any) -> None:
        """Commit a step, if the export is still this attempt's. Raises Lost and Interrupted."""
        self.heart.check()
        fields["checkpoint"] = {**self.export.checkpoint, **checkpoint, "attempt": self.export.attempt}
        mine = Export.objects.filter(pk=self.export.pk, attempt=self.export.attempt, state=ExportState.WRITING)
        if not mine.filter(lease_until__gt=Now()).update(version=F("version") + 1, lease_until=Now() + lease(), **fields):
            raise Lost
        for name, value in fields.items():
            setattr(self.export, name, value)

    def _packed(self, rows: int) -> None:
        self._note({}, rows_packed=rows)

    def _pieces(self) -> Iterator[IO[bytes]]:
        return (default_storage.open(name) for name in self.export.checkpoint["pieces"])

    def _end(self, pieces: Iterable[IO[bytes]]) -> None:
        """Put the finished file into storage, then say so; a file that is not said to be there is found by its folder."""
        whole = Whole(pieces, self.heart.check)
        name = f"{folder(self.export)}/{self.export.attempt}.{self.export.format}"
        path = default_storage.save(name, File(io.BufferedReader(whole, BLOCK)))
        self.heart.check()
        mine = Export.objects.filter(pk=self.export.pk, attempt=self.export.attempt, lease_until__gt=Now())
        now = timezone.now()
        ended = {"path": path, "bytes": whole.bytes, "sha256": whole.digest.hexdigest(), "finished_at": now}
        ended |= {"expires_at": now + timedelta(days=settings.LOADIFY_EXPORT_DAYS), "rows_total": self.export.rows_done}
        if not move(mine.exclude(wanted__in=[Import.Wanted.PAUSE, Import.Wanted.CANCEL]), ExportState.DONE, **ended):
            self.heart._once()
            self.heart.check()
            raise Lost
        clear(self.export, keep=path)
        log.info("Export %s: done, %s rows", self.export.public_id, self.export.rows_done)

    def give_back(self) -> None:
        """Stop where somebody wants it; the next attempt goes on behind the last piece."""
        stop(Export.objects.filter(pk=self.export.pk, attempt=self.export.attempt))

    def without_storage(self, problem: StorageProblem) -> None:
        """The lease runs out, and the timetable queues the export again, behind its last piece."""
        log.warning("Export %s: %s It goes on when storage is back.", self.export.public_id, problem)
        mine = Export.objects.filter(pk=self.export.pk, attempt=self.export.attempt, state=ExportState.WRITING)
        # An attempt without storage has not died.
        mine.update(checkpoint=self.export.checkpoint | {"attempt": self.export.attempt})

    def fail(self, sentence: str) -> None:
        mine = Export.objects.filter(pk=self.export.pk, attempt=self.export.attempt, lease_until__gt=Now())
        if move(mine, ExportState.FAILED, error=sentence, finished_at=timezone.now()):
            clear(self.export)


class Whole(io.RawIOBase):
    """Files as one, read once from start to end and closed on the way; counts the bytes and makes their sha256.

    `check` is called before each block and may raise.
    """

    def __init__(self, pieces: Iterable[IO[bytes]], check: Callable[[], None]) -> None:
        self.digest, self.bytes = hashlib.sha256(), 0
        self._pieces, self._check = iter(pieces), check
        self._piece: IO[bytes] | None = next(self._pieces, None)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        self._check()
        while self._piece:
            block = self._piece.read(len(into))
            if block:
                into[: len(block)] = block
                self.digest.update(block)
                self.bytes += len(block)
                return len(block)
            self._piece.close()
            self._piece = next(self._pieces, None)
        return 0


def stop(writing: QuerySet[Export]) -> int:
    """Bring an export whose worker lets go of it, or has died, where somebody wanted it; 0 when none is like that."""
    writing = writing.filter(state=ExportState.WRITING)
    if move(writing.filter(wanted=Import.Wanted.PAUSE), ExportState.PAUSED):
        return 1
    cancelled = writing.filter(wanted=Import.Wanted.CANCEL)
    for export in cancelled:
        if move(cancelled.filter(pk=export.pk), ExportState.CANCELLED, finished_at=timezone.now()):
            clear(export)
            return 1
    # An attempt that was asked to stop has not died, even if it was too short for a piece.
    for export in writing:
        checkpoint = export.checkpoint | ({"attempt": export.attempt} if export.wanted else {})
        same = writing.filter(pk=export.pk, attempt=export.attempt)
        if move(same.filter(wanted__in=[Import.Wanted.RUN, Import.Wanted.YIELD]), ExportState.QUEUED, checkpoint=checkpoint):
            hint(export.pk)
            return 1
    return 0


def sweep() -> None:
    """What the timetable does: queue again what dead workers left, repeat hints. Harmless at any time and twice at once."""
    for export in Export.objects.filter(state=ExportState.WRITING, lease_until__lt=Now()):
        same = Export.objects.filter(pk=export.pk, attempt=export.attempt, lease_until__lt=Now())
        if export.attempt - export.checkpoint.get("attempt", 0) >= DEATHS:
            sentence = f"{DEATHS} workers died, or lost the database, one after the other at one place; their logs say why."
            if move(same, ExportState.FAILED, error=sentence, finished_at=timezone.now()):
                clear(export)
        elif stop(same):
            log.warning("Export %s: its worker died; attempt %s.", export.public_id, export.attempt)
    for export_id in Export.objects.filter(state=ExportState.QUEUED).order_by("pk").values_list("pk", flat=True)[:50]:
        hint(export_id)


def expire() -> None:
    """Delete the files of exports whose days are over, and what workers left of ended ones, that died or woke up too late.

    One that was paused for as long ends: nobody resumes it, and what it has read is kept no longer than a file.
    """
    old = timezone.now() - timedelta(days=settings.LOADIFY_EXPORT_DAYS)
    forgotten = Export.objects.filter(state=ExportState.PAUSED, queued_at__lt=old)
    move(forgotten, ExportState.CANCELLED, finished_at=timezone.now())
    for export in Export.objects.filter(expires_at__lt=timezone.now()).exclude(path=""):
        if clear(export):
            Export.objects.filter(pk=export.pk).update(path="", version=F("version") + 1)
    try:
        folders = _listed("exports")[0]
    except StorageProblem as problem:
        log.warning("What workers left of exports stays for now: %s", problem)
        return
    for name in folders:
        try:
            left = Export.objects.filter(public_id=UUID(name)).first()
        except ValueError:
            continue
        if left is not None and left.is_final:
            clear(left, keep=left.path)


def folder(export: Export) -> str:
    return f"exports/{export.public_id.hex}"


def clear(export: Export, keep: str = "") -> bool:
    """Delete what is in storage of an export, its finished file unless it is to be kept; False when some of it stays."""
    try:
        paths = [f"{folder(export)}/{name}" for name in _listed(folder(export))[1]]
    except StorageProblem as problem:
        log.warning("Export %s is deleted later: %s", export.public_id, problem)
        return False
    stuck = [path for path in paths if path != keep and not retention.deleted(path)]
    return not stuck and (bool(keep) or retention.deleted(folder(export)))


def _listed(path: str) -> tuple[list[str], list[str]]:
    """The folders and files in a folder; none where there is no such folder."""
    try:
        return default_storage.listdir(path)
    except FileNotFoundError:
        return [], []
