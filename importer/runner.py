"""Runs an import from wherever it stands to its end: stage, compare, apply, index.

Every step is one transaction that also moves the checkpoint and the counters, and that only commits while this worker still
has the import (same attempt, lease not run out). So a worker may die at any moment: the next one goes on from the checkpoint.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import current_app
from django.core.files.storage import default_storage
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from importer import datasets, locks
from importer.ahead import ahead
from importer.heart import Heart, Interrupted, Lost, lease
from importer.loaders.postgres import PostgresLoader, Raced
from importer.models import Heartbeat, Import, Reject
from importer.readers.csv_rows import CsvRows
from importer.rows import Cleaned, Cleaning, Rejected
from importer.states import CLAIMABLE, FINAL, State, sources
from importer.values import BadFile, ImportProblem, storable

log = logging.getLogger(__name__)

#: Records a step stages; 1,000 cost 25–40 % more, 20,000 gain 10–15 % but hold the page's news back (measured).
CHUNK = 5_000
#: Keys a step applies.
BUCKET = 20_000
#: Points kept for the picture of speed.
SAMPLES = 120
LOCK_NOT_AVAILABLE = "55P03"


def worker_name(parent: int, process: int) -> str:
    """Who holds an import: host, the worker's main process, the process that does the work."""
    return f"{socket.gethostname()}:{parent}:{process}"


def hint(run_id: int) -> None:
    """Tell the workers that there is something to do. May be lost: the timetable's sweep tells them again."""
    try:
        current_app.send_task("importer.run", [run_id], retry=False, expires=60)
    except (BrokerError, OSError):
        log.warning("The broker does not answer; import %s starts when the sweep finds it.", run_id)


def run(run_id: int) -> None:
    """Take an import up and bring it as far as it goes. Does nothing when somebody else has it."""
    claimed = claim(run_id)
    if claimed is None:
        return
    log.info("Import %s: attempt %s, %s", claimed.public_id, claimed.attempt, claimed.state)
    runner = Runner(claimed)
    try:
        with Heart(claimed.pk, claimed.attempt) as runner.heart:
            runner.go()
    except Interrupted as news:
        runner.give_back(news.wanted)
    except Lost:
        log_lost(claimed)
    except ImportProblem as problem:
        runner.fail(str(problem))
    except (OperationalError, InterfaceError) as problem:
        runner.hindered(problem)
    except Exception as problem:
        runner.stumbled(problem)


def claim(run_id: int) -> Import | None:
    """Make this process the one that runs the import, if it waits for one: one conditional UPDATE decides."""
    with transaction.atomic():
        seen = Import.objects.filter(pk=run_id, state__in=CLAIMABLE).first()
        if seen is None:
            return None
        phase = State(seen.checkpoint.get("phase", State.STAGING))
        won = Import.objects.filter(pk=run_id, state__in=CLAIMABLE, attempt=seen.attempt).update(
            state=phase,
            attempt=F("attempt") + 1,
            version=F("version") + 1,
            wanted="",
            started_at=seen.started_at or timezone.now(),
        )
        if not won:
            return None
        Heartbeat.objects.update_or_create(
            run_id=run_id,
            defaults={
                "attempt": seen.attempt + 1,
                "worker": worker_name(os.getppid(), os.getpid()),
                "beat_at": Now(),
                "lease_until": Now() + lease(),
            },
        )
        return Import.objects.select_related("file").get(pk=run_id)


class Runner:
    """One attempt at one import; `phase` methods each end by moving the import to the next state."""

    heart: Heart

    def __init__(self, claimed: Import) -> None:
        self.run = claimed
        self.dataset = datasets.get(claimed.dataset)
        self.checkpoint: dict[str, Any] = dict(claimed.checkpoint) or {"v": 1, "phase": State.STAGING}
        self.phase_began = time.monotonic()
        self.phases = {
            State.STAGING: self._stage,
            State.COMPARING: self._compare,
            State.APPLYING: self._apply,
            State.INDEXING: self._index,
        }

    def go(self) -> None:
        if self.run.state in (State.APPLYING, State.INDEXING):
            # Taken up from a worker that died: the dataset is still this import's, from now on under this attempt.
            with self._step():
                if not locks.take(self.run):
                    raise Lost
        while self.run.state not in FINAL | CLAIMABLE:
            self.phases[State(self.run.state)]()

    # --- phases ----------------------------------------------------------------------------------------------------

    def _stage(self) -> None:
        """Read the file, clean its rows, COPY them into the staging table."""
        if self.run.file is None or not default_storage.exists(self.run.file.path):
            raise BadFile("The file is not in storage any more; upload it again.")
        with default_storage.open(self.run.file.path) as file:
            reader = CsvRows(file)
            if "places" not in self.checkpoint:
                heading, resume = reader.heading()
                self.checkpoint |= {"places": self.dataset.match(heading), "width": len(heading), "resume": resume}
                with self._step(step_total=self.run.file.size):
                    self.loader().make_stage()
            cleaning = Cleaning(self.dataset, self.checkpoint["places"], self.checkpoint["width"])
            with ahead(map(cleaning.clean, reader.batches(self.checkpoint["resume"], CHUNK))) as batches:
                for batch in batches:
                    self._stage_batch(batch)
        if not self.run.lines:
            raise BadFile("The file has a heading line and nothing else.")
        self._move(State.COMPARING)

    def _stage_batch(self, batch: Cleaned) -> None:
        self.checkpoint["resume"] = batch.resume
        with self._step(
            lines=self.run.lines + batch.read, rejected=self.run.rejected + len(batch.rejected), step_done=batch.done
        ):
            self.loader().copy(batch)
            Reject.objects.bulk_create(_reject(self.run, rejected) for rejected in batch.rejected)

    def _compare(self) -> None:
        """Find in the database what every key of the file would change."""
        with self._step():
            taken = locks.take(self.run)
        if not taken:
            self._move(State.WAITING)
            return
        self._drop_search_indexes()
        counts: dict[str, int] = {}
        with self._step(counts):
            found = self.loader().compare()
            staged = self.run.lines - self.run.rejected
            self.checkpoint |= {"seq": 0, "keys": found.to_create + found.to_update, "phase": State.APPLYING}
            counts |= {"superseded": staged - found.keys, "unchanged": found.keys - found.to_create - found.to_update}
            counts |= {"step_done": 0, "step_total": found.to_create + found.to_update}
        self._move(State.APPLYING)

    def _drop_search_indexes(self) -> None:
        """Build them after the load, in one go, where that is possible; the database remembers what is missing."""
        try:
            with self._step():
                missing = self.loader().drop_search_indexes()
                if missing:
                    locks.note_missing(self.run.dataset, missing)
        except OperationalError as problem:
            if getattr(problem.__cause__, "pgcode", "") != LOCK_NOT_AVAILABLE:
                raise

    def _apply(self) -> None:
        """Write the plan in key order, bucket by bucket."""
        while self.checkpoint["seq"] < self.checkpoint["keys"]:
            self._apply_bucket()
        self._move(State.INDEXING)

    def _apply_bucket(self) -> None:
        after, until = self.checkpoint["seq"], min(self.checkpoint["seq"] + BUCKET, self.checkpoint["keys"])
        counts: dict[str, int] = {}
        for _ in range(5):
            try:
                with self._step(counts):
                    done = self.loader().apply(after, until)
                    self.checkpoint["seq"] = until
                    counts |= {
                        "created": self.run.created + done.created,
                        "updated": self.run.updated + done.updated,
                        "unchanged": self.run.unchanged + done.keys - done.created - done.updated,
                        "step_done": until,
                    }
                return
            except Raced:
                self.checkpoint["seq"] = after
        raise ImportProblem(
            "Other people keep deleting the rows that this import writes; start it again when they are done."
        )

    def _index(self) -> None:
        """Build the search indexes that were dropped, tidy the others, and end."""
        missing = locks.missing(self.run.dataset)
        total = len(missing) + 2
        for number, (name, definition) in enumerate(missing):
            with self._step(step_done=number, step_total=total):
                self.loader().build_index(definition)
                locks.note_built(self.run.dataset, name)
        with self._step(step_done=len(missing), step_total=total):
            self.loader().index_changes()
            self.loader().clean_search_indexes()
        with self._step(step_done=len(missing) + 1, step_total=total):
            self.loader().analyze()
        self._end(State.DONE)

    # --- steps -----------------------------------------------------------------------------------------------------

    def loader(self) -> PostgresLoader:
        names = [column.name for column in self.dataset.columns if column.name in self.checkpoint["places"]]
        return PostgresLoader(self.dataset, self.run.pk, names)

    @contextmanager
    def _step(self, later: dict[str, Any] | None = None, **fields: Any) -> Iterator[None]:
        """One transaction: what the block does, the checkpoint, the counters in `fields` and `later` (filled by the block).

        Raises Lost, and rolls back, when the import is not this worker's any more.
        """
        self.heart.check()
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    # A worker that freezes inside its transaction must not keep the row locked against its successor.
                    cursor.execute(
                        f"SET LOCAL idle_in_transaction_session_timeout = {int(lease().total_seconds() * 1000)}"
                    )
            yield
            self._commit(**fields, **(later or {}))

    def _commit(self, **fields: Any) -> None:
        fields |= {"checkpoint": self.checkpoint | {"attempt": self.run.attempt}}
        handled = fields.get("lines", self.run.lines) + self.checkpoint.get("seq", 0)
        assert self.run.started_at is not None
        since = round((timezone.now() - self.run.started_at).total_seconds(), 2)
        samples = [*self.run.samples, [since, handled]]
        fields["samples"] = samples[::-2][::-1] if len(samples) > SAMPLES else samples
        if not self._mine().update(version=F("version") + 1, **fields):
            raise Lost
        for name, value in fields.items():
            setattr(self.run, name, value)

    def _spent(self) -> dict[str, float]:
        """Seconds in each phase, the one at work included."""
        spent = round(self.run.seconds.get(self.run.state, 0) + time.monotonic() - self.phase_began, 3)
        self.phase_began = time.monotonic()
        return {**self.run.seconds, self.run.state: spent}

    def _move(self, state: State) -> None:
        """Go on to the next state; the steps of a phase have committed by now."""
        fields: dict[str, Any] = {"state": state, "seconds": self._spent(), "step_done": 0}
        if state not in CLAIMABLE:
            self.checkpoint["phase"] = state
        assert self.run.state in sources(state)
        with self._step(**fields):
            pass

    def _end(self, state: State, **fields: Any) -> None:
        """The last transaction: final state, work tables gone, the dataset free for the next in line."""
        with self._step(state=state, seconds=self._spent(), finished_at=timezone.now(), wanted="", **fields):
            self.loader().drop_work_tables()
            locks.release(self.run)
        log.info("Import %s: %s, %s lines", self.run.public_id, state, self.run.lines)
        self._hint_next()

    def _hint_next(self) -> None:
        following = locks.next_waiting(self.run.dataset)
        if following is not None:
            hint(following)

    # --- ways out --------------------------------------------------------------------------------------------------

    def give_back(self, wanted: str) -> None:
        """Back into the queue at the worker's shutdown; the next worker goes on from the checkpoint."""
        log.info("Import %s is given back to the queue (%s).", self.run.public_id, wanted)
        self._leave(state=State.QUEUED, wanted="", seconds=self._spent())
        hint(self.run.pk)

    def fail(self, sentence: str) -> None:
        with transaction.atomic():
            if self._leave(
                state=State.FAILED, error=sentence, wanted="", seconds=self._spent(), finished_at=timezone.now()
            ):
                locks.release(self.run)
        self._hint_next()

    def stumbled(self, problem: Exception) -> None:
        """An error nobody foresaw: ours, or the consequence of working on after somebody else took the import over."""
        if self._mine().exists():
            log.error("Import %s failed", self.run.public_id, exc_info=problem)
            self.fail(f"The import stopped on an error of ours, not of your file ({type(problem).__name__}: {problem}).")
        else:
            log_lost(self.run)

    def hindered(self, problem: DatabaseError) -> None:
        """The database refused: because the heart cancelled a statement, for want of space, or because it is away."""
        try:
            self.heart.check()
        except Interrupted as news:
            self.give_back(news.wanted)
            return
        except Lost:
            log_lost(self.run)
            return
        code = getattr(problem.__cause__, "pgcode", "") or ""
        if code.startswith("53"):  # insufficient resources: disk full, out of memory, too many connections
            self.fail(f"The database has no room for this import: {str(problem).strip()} Make room and try again.")
            return
        # Away or restarting: the lease runs out and the sweep queues the import again.
        log.warning(
            "Import %s: the database does not answer (%s); it goes on when it is back.", self.run.public_id, problem
        )
        connection.close()

    def _leave(self, **fields: Any) -> bool:
        """Write the last words of this attempt, if the import is still its own."""
        return bool(self._mine().update(version=F("version") + 1, **fields))

    def _mine(self) -> QuerySet[Import]:
        """This import, while this attempt has it and its lease has not run out."""
        alive = Heartbeat.objects.filter(run_id=OuterRef("pk"), attempt=self.run.attempt, lease_until__gt=Now())
        return Import.objects.filter(Exists(alive), pk=self.run.pk, attempt=self.run.attempt, state=self.run.state)


def log_lost(run: Import) -> None:
    log.warning("Import %s belongs to somebody else now; attempt %s ends.", run.public_id, run.attempt)


def _reject(run: Import, rejected: Rejected) -> Reject:
    return Reject(
        run=run, line=rejected.line, cells=[storable(cell) for cell in rejected.cells], reason=storable(rejected.reason)
    )
