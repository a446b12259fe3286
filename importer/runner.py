"""Runs an import from wherever it stands to its end: stage, compare, apply, index.

Each phase is a row of steps, and each step leaves a checkpoint from which the next worker can go on.
"""

import logging
import threading
from copy import copy
from functools import cached_property, partial
from typing import Any

from celery import current_app
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from importer import datasets, held, locks, review, stopping, tallies
from importer.attempt import Attempt
from importer.datasets import Dataset
from importer.heart import Heart, Interrupted, Lost
from importer.lanes import BUCKET, lanes_for, side_by_side
from importer.loaders import search_indexes, work_tables
from importer.loaders.choice import Loader
from importer.loaders.postgres import PostgresLoader, Raced
from importer.loaders.sql import itself, was_locked
from importer.models import Import
from importer.options import Options
from importer.publishing import Publishing
from importer.signals import import_ended
from importer.staging import Staging
from importer.states import WORKING, State
from importer.storage.parts import StorageProblem
from importer.undo import Undo
from importer.values import ImportProblem
from importer.working_on import working_on

log = logging.getLogger(__name__)


def hint(run_id: int) -> None:
    """Tell the workers that there is something to do. May be lost: the timetable's sweep tells them again."""
    try:
        current_app.send_task("importer.run", [run_id], retry=False, expires=60)
    except Exception as problem:
        # Among them what RabbitMQ says to a wrong password, and an address that is none: nobody's page fails by it.
        log.warning(
            "The broker does not take the hint (%s); import %s starts when the sweep finds it.", type(problem).__name__, run_id
        )


def hint_next(dataset: str) -> None:
    """Tell the workers of the import that waits for `dataset`, if it is free."""
    following = locks.next_waiting(dataset)
    if following is not None:
        hint(following)


def run(run_id: int) -> None:
    """Take an import up and bring it as far as it goes. Does nothing when somebody else has it."""
    attempt = Attempt.claim(run_id)
    if attempt is not None:
        work(attempt)


def work(attempt: Attempt) -> None:
    """Bring an import that this process has claimed as far as it goes."""
    with working_on(import_id=attempt.run.public_id):
        _work(attempt)


def _work(attempt: Attempt) -> None:
    log.info("Import %s: attempt %s, %s", attempt.run.public_id, attempt.run.attempt, attempt.run.state)
    runner = Runner(attempt)
    try:
        with Heart(attempt.run.pk, attempt.run.attempt) as attempt.heart:
            runner.go()
    except Interrupted as news:
        runner.give_back(news.wanted)
    except Lost:
        runner.log_lost()
    except StorageProblem as problem:
        runner.without_storage(problem)
    except ImportProblem as problem:
        runner.fail(str(problem))
    except (OperationalError, InterfaceError) as problem:
        runner.hindered(problem)
    except Exception as problem:
        runner.stumbled(problem)


class Runner:
    """One attempt at one import; each phase ends by moving the import to the next state."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.run = attempt.run
        self.step = attempt.step
        self.options = Options.of(self.run.options)
        self.phases = {
            State.STAGING: self._stage,
            State.COMPARING: self._compare,
            State.APPLYING: self._apply,
            State.INDEXING: self._index,
            State.PUBLISHING: self._publish,
            State.UNDOING: self._undo,
        }

    @cached_property
    def dataset(self) -> Dataset:
        """Raises BadFile when it was taken out."""
        return datasets.of_old(self.run.dataset)

    def go(self) -> None:
        if self.run.state in (State.APPLYING, State.INDEXING):
            # Taken up from a worker that died, or resumed: the dataset is still this import's, from now on under this
            # attempt. One that failed and is tried again stands in line like any other.
            self._take_dataset()
        while self.run.state in WORKING:
            self.phases[State(self.run.state)]()

    def loader(self) -> Loader:
        return review.loader_of(self.run)

    def _take_dataset(self) -> bool:
        """Get the dataset for this attempt; False, and the worker is freed, when the import has to wait for it."""
        with self.step():
            taken = locks.take(self.run)
        if not taken:
            self.attempt.move(State.WAITING)
        return taken

    # --- phases ----------------------------------------------------------------------------------------------------

    def _stage(self) -> None:
        if self.options.queue:
            self.attempt.move(State.PUBLISHING, step_done=0, step_total=0)
            return
        Staging(self.attempt, self.dataset.seen_as(self.run.layout), self.options).go()
        self.attempt.move(State.COMPARING, step_done=0, step_total=0)

    def _publish(self) -> None:
        """Send every row to the queue; the rest is up to consumers."""
        Publishing(self.attempt, self.dataset.seen_as(self.run.layout), self.options).go()
        with self.step() as step:
            step.checkpoint["sent_at"] = timezone.now().isoformat()
        self.attempt.move(State.CONSUMING)
        # They may have been quicker than this worker.
        tallies.settle(self.run.pk)
        self.run.refresh_from_db()

    def _compare(self) -> None:
        """Find in the database what every key of the file would change."""
        if not self._take_dataset():
            return
        with self.step() as step:
            loader = self.loader()
            found = loader.compare(self.options.deactivate_missing and bool(self.dataset.switch))
            planned = found.planned
            superseded = self.run.lines - self.run.rejected - found.keys
            step.set |= {"superseded": superseded, "unchanged": found.keys - planned}
            step.checkpoint |= {"lanes": lanes_for(planned, loader.in_turn), "missing": found.missing, "missing_done": 0}
            decision = review.decide(self.run, found, loader)
            step.set["review"] = decision.review
            if decision.waits:
                # In the same transaction as what it waits with: a worker that dies in between must not let it through.
                step.set |= {"state": State.REVIEW, "seconds": self.attempt.spent()}
                step.set |= stopping.told(self.run, Import.News.REVIEW)
                step.checkpoint["phase"] = State.COMPARING
                locks.release(self.run)
        if decision.waits:
            log.info("Import %s waits for a review.", self.run.public_id)
            hint_next(self.run.dataset)
            return
        self._drop_search_indexes()
        self.attempt.move(State.APPLYING, step_done=0, step_total=planned + found.missing)

    def _drop_search_indexes(self) -> None:
        """Build them after the load, in one go, where that is possible; the database remembers what is missing."""
        try:
            with self.step():
                loader = self.loader()
                # Rows that are written in turn are looked up by these indexes.
                missing = [] if loader.in_turn else search_indexes.drop(loader.table, loader.stage)
                if missing:
                    locks.note_missing(self.run.dataset, missing)
        except OperationalError as problem:
            if not was_locked(problem):
                raise

    def _apply(self) -> None:
        """Write the plan in key order, bucket by bucket, in lanes that work side by side on disjoint stretches of keys."""
        failed = threading.Event()

        def work(lane: str) -> None:
            try:
                while not failed.is_set() and self._apply_bucket(lane):
                    pass
            except BaseException:
                failed.set()
                raise

        side_by_side([partial(work, lane) for lane in self.run.checkpoint["lanes"]], self.attempt.heart)
        while self._deactivate_bucket():
            pass
        self.attempt.move(State.INDEXING, step_done=0, step_total=0)

    def _deactivate_bucket(self) -> bool:
        """Switch off the next rows that the file does not have; False when there are none."""
        done, total = self.run.checkpoint.get("missing_done", 0), self.run.checkpoint.get("missing", 0)
        until = min(done + BUCKET, total)
        if done >= until:
            return False
        with self.step() as step:
            loader = self.loader()
            # The portable loader lists no missing rows.
            assert isinstance(loader, PostgresLoader)
            step.add |= {"deactivated": loader.deactivate(done, until), "step_done": until - done}
            step.checkpoint["missing_done"] = until
        return True

    def _apply_bucket(self, lane: str) -> bool:
        """Apply the next bucket of a lane; False when there is none."""
        done, begin, end = self.run.checkpoint["lanes"][lane]
        after, until = begin + done, min(begin + done + min(BUCKET, self.loader().most), end)
        if after >= until:
            return False
        for _ in range(5):
            try:
                with self.step() as step:
                    loader = self.loader()
                    if loader.in_turn:
                        locks.turn(self.run.dataset)
                    found = loader.apply(after, until)
                    step.add |= {
                        "created": found.created,
                        "updated": found.updated,
                        "held": found.held,
                        "unchanged": found.keys - found.created - found.updated - found.held,
                        "step_done": until - after,
                    }
                    step.lane = lane, [until - begin, begin, end]
                return True
            except Raced:
                continue
        raise ImportProblem("Other people keep deleting the rows that this import writes; start it again when they are done.")

    def _index(self) -> None:
        """Build the search indexes that were dropped, tidy the others, and end."""
        missing = locks.missing(self.run.dataset)
        total = len(missing) + 2
        for number, (name, definition) in enumerate(missing):
            with self.step(step_done=number + 1, step_total=total):
                search_indexes.build(definition)
                locks.note_built(self.run.dataset, name)
        with self.step(step_done=total - 1, step_total=total):
            self.loader().index_changes()
            search_indexes.clean(self.loader().table)
        with self.step(step_done=total, step_total=total):
            self.loader().analyze(self.run.created + self.run.updated)
        self._end()

    def _undo(self) -> None:
        """Take back what this import wrote, bucket by bucket in the order of row numbers."""
        if not self._take_dataset():
            return
        undo = Undo(self.dataset, self.run.pk)
        if "undone" not in self.run.checkpoint:
            with self.step() as step:
                # First, so that the timetable stores none of them behind our back.
                discarded = held.discard_of(self.run, self.run.decided_by)
                self.loader().index_changes()
                step.set |= {"step_done": 0, "step_total": undo.total()}
                step.set["undo"] = self.run.undo | {"discarded": self.run.undo.get("discarded", 0) + discarded}
                step.checkpoint["undone"] = 0
        while self._undo_bucket(undo):
            pass
        with self.step():
            search_indexes.clean(undo.table)
        with self.step():
            self.loader().analyze(self.run.undo["restored"] + self.run.undo["removed"])
        self._end(State.UNDONE)

    def _undo_bucket(self, undo: Undo) -> bool:
        with self.step() as step:
            found = undo.bucket(self.run.checkpoint["undone"])
            if found is not None:
                so_far = self.run.undo
                counts = {name: so_far[name] + getattr(found, name) for name in ("restored", "removed", "kept", "gone")}
                step.set["undo"] = so_far | counts
                step.add["step_done"] = found.handled
                step.checkpoint["undone"] = found.last
        return found is not None

    def _end(self, state: State = State.DONE) -> None:
        """The last transaction: final state, work tables gone, the dataset free for the next in line."""
        fields = {"state": state, "seconds": self.attempt.spent(), "finished_at": timezone.now()}
        fields |= stopping.told(self.run, Import.News.ENDED)
        with self.step(**fields):
            work_tables.drop(self.run.pk)
            locks.release(self.run)
            self._tell_end(fields)
        log.info("Import %s: %s, %s lines", self.run.public_id, state, self.run.lines)
        hint_next(self.run.dataset)

    def _tell_end(self, fields: dict[str, Any]) -> None:
        """Tell whoever listens, inside the transaction that ends the import."""
        ended = copy(self.run)
        for name, value in fields.items():
            setattr(ended, name, value)
        import_ended.send_robust(sender=Import, run=ended)

    # --- ways out --------------------------------------------------------------------------------------------------

    def give_back(self, wanted: str) -> None:
        """Stop here, as a person or the worker's shutdown wants it; the next worker goes on from the checkpoint."""
        log.info("Import %s is given back to the queue (%s).", self.run.public_id, wanted)
        try:
            try:
                self._stop()
            except OperationalError:
                # The heart's last cancel came late and hit this statement instead of the long one.
                self._stop()
        except Lost:
            self.log_lost()
            return
        if self.run.state == State.QUEUED:
            hint(self.run.pk)
        hint_next(self.run.dataset)

    def _stop(self) -> None:
        """Go by what is wanted now: somebody may have changed their mind meanwhile."""
        with transaction.atomic():
            found = self.attempt.mine().select_for_update(of=itself()).first()
            if found is None:
                raise Lost
            spent = self.attempt.spent()
            stopping.stop(found, found.wanted)
            # An attempt that was asked to stop has not died, even if it was too short for a step.
            checkpoint = found.checkpoint | {"attempt": found.attempt}
            Import.objects.filter(pk=found.pk).update(seconds=spent, checkpoint=checkpoint)
            self.run.state = found.state

    def fail(self, sentence: str) -> None:
        fields = {"error": sentence, "finished_at": timezone.now(), **stopping.told(self.run, Import.News.ENDED)}
        with transaction.atomic():
            if self.attempt.leave(State.FAILED, **fields):
                locks.release(self.run)
                self._tell_end({"state": State.FAILED, **fields})
        hint_next(self.run.dataset)

    def stumbled(self, problem: Exception) -> None:
        """An error nobody foresaw: ours, or the consequence of working on after somebody else took the import over."""
        if self.attempt.mine().exists():
            log.error("Import %s failed", self.run.public_id, exc_info=problem)
            self.fail(
                f"The import stopped on an error of ours, not of your file ({type(problem).__name__}); the worker's log has it."
            )
        else:
            self.log_lost()

    def hindered(self, problem: OperationalError | InterfaceError) -> None:
        """The database refused: because the heart cancelled a statement, for want of space, or because it is away."""
        try:
            self.attempt.heart.check()
        except Interrupted as news:
            self.give_back(news.wanted)
            return
        except Lost:
            self.log_lost()
            return
        code = getattr(problem.__cause__, "pgcode", "") or ""
        if code.startswith("53"):  # insufficient resources: disk full, out of memory, too many connections
            # The first line; what follows is advice to the operator, which the log has.
            what = str(problem).strip().partition("\n")[0].rstrip(".")
            log.warning("Import %s: no room in the database: %s", self.run.public_id, problem)
            self.fail(f"The database has no room for this import: {what}. Make room and try again.")
            return
        # Away or restarting: the lease runs out and the sweep queues the import again.
        log.warning("Import %s: the database does not answer (%s); it goes on when it is back.", self.run.public_id, problem)
        connection.close()

    def without_storage(self, problem: StorageProblem) -> None:
        """As when the database is away: the lease runs out, and the sweep queues the import again, however often it takes."""
        log.warning("Import %s: %s It goes on when storage is back.", self.run.public_id, problem)
        with transaction.atomic():
            found = self.attempt.mine().select_for_update(of=itself()).first()
            if found is not None:
                # An attempt without storage has not died.
                checkpoint = found.checkpoint | {"attempt": found.attempt}
                Import.objects.filter(pk=found.pk).update(checkpoint=checkpoint)

    def log_lost(self) -> None:
        run = self.run
        log.warning("Import %s belongs to somebody else now; attempt %s ends.", run.public_id, run.attempt)
