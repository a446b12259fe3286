"""One worker's attempt at an import: claims it, and writes only while it is still this attempt's.

Every step is one transaction that moves the checkpoint and the counters together with what it did, and that commits only
under this attempt and while its lease runs. So a worker may die at any moment, and one that was frozen does no harm.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from importer.heart import Heart, Interrupted, Lost, lease
from importer.models import Heartbeat, Import
from importer.states import CLAIMABLE, WORKING, State, sources

log = logging.getLogger(__name__)

#: Points kept for the picture of speed.
SAMPLES = 120


def worker_name(parent: int, process: int) -> str:
    """Who holds an import: host, the worker's main process, the process that does the work."""
    return f"{socket.gethostname()}:{parent}:{process}"


@dataclass
class Step:
    """What a step wants written when it commits: counters to raise, fields to set, entries of the checkpoint."""

    add: dict[str, int] = field(default_factory=dict)
    set: dict[str, Any] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)
    #: How far a lane of the apply phase has come: its name, and its entry of checkpoint["lanes"].
    lane: tuple[str, list[int]] | None = None


class Attempt:
    """An import that this process has claimed; `run` mirrors what is committed, `heart` must beat before the first step."""

    heart: Heart

    def __init__(self, run: Import) -> None:
        self.run = run
        self._began = self._phase_began = time.monotonic()
        self._worked_before: float = run.samples[-1][0] if run.samples else 0.0
        self._turn = threading.Lock()

    @classmethod
    def claim(cls, run_id: int) -> "Attempt | None":
        """Make this process the one that runs the import, if it waits for one: a conditional UPDATE decides."""
        with transaction.atomic():
            seen = Import.objects.filter(pk=run_id, state__in=CLAIMABLE).first()
            if seen is None:
                return None
            phase = _phase(seen.checkpoint)
            won = Import.objects.filter(pk=run_id, state__in=CLAIMABLE, attempt=seen.attempt).update(
                state=phase,
                attempt=F("attempt") + 1,
                version=F("version") + 1,
                wanted="",
                started_at=seen.started_at or timezone.now(),
                turn_at=timezone.now(),
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
            return cls(Import.objects.select_related("file").get(pk=run_id))

    @contextmanager
    def step(self, **fields: Any) -> Iterator[Step]:
        """One transaction: what the block does, and what it writes into the Step.

        Steps of several threads work side by side and commit one after the other. Raises Lost, Interrupted, and rolls back.
        """
        self.heart.check()
        step = Step(set=fields)
        mine = False
        try:
            with transaction.atomic():
                if connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        # A worker that freezes inside its transaction must not keep rows locked against its successor.
                        limit = int(lease().total_seconds() * 1000)
                        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {limit}")
                alone = connection.vendor == "sqlite"
                if alone and not self.heart.alive():
                    raise Lost
                yield step
                if alone:
                    # SQLite has one writer: the heart could not beat meanwhile, and nobody could take the import over.
                    self.heart.renew()
                # Held until the commit is over: the checkpoint of one thread must not carry what another may still lose.
                mine = self._turn.acquire()
                written = self._write(step)
            for name, value in written.items():
                setattr(self.run, name, value)
        finally:
            if mine:
                self._turn.release()

    def _write(self, step: Step) -> dict[str, Any]:
        fields = dict(step.set) | {name: getattr(self.run, name) + count for name, count in step.add.items()}
        checkpoint = {"v": 1, **self.run.checkpoint, **step.checkpoint, "attempt": self.run.attempt}
        if step.lane:
            checkpoint["lanes"] = {**checkpoint["lanes"], step.lane[0]: step.lane[1]}
        fields["checkpoint"] = checkpoint
        fields["samples"] = self._samples(fields)
        mine = self.mine()
        wishes: tuple[str, ...] = ()
        if fields.get("state", self.run.state) not in WORKING:
            # What was wished for since the heart last looked would find no worker any more that hears it.
            fields["wanted"], wishes = Import.Wanted.RUN, (Import.Wanted.PAUSE, Import.Wanted.CANCEL)
        # Raised, not set: consumers count the rows of an import while it is still being sent (importer/tallies.py).
        raised = {name: F(name) + count for name, count in step.add.items()}
        if not mine.exclude(wanted__in=wishes).update(**fields | {"version": F("version") + 1} | raised):
            wished = mine.filter(wanted__in=wishes).values_list("wanted", flat=True).first()
            raise Interrupted(wished) if wished else Lost
        return fields

    def _samples(self, fields: dict[str, Any]) -> list[list[float]]:
        """Seconds of work, without those in which it waited for somebody, and rows handled (read, then written), with one
        more point."""
        if self.run.state == State.UNDOING:
            # The picture tells of the import, which may be days ago.
            return list(self.run.samples)
        worked = round(self._worked_before + time.monotonic() - self._began, 2)
        handled = fields.get("lines", self.run.lines)
        handled += sum(lane[0] for lane in fields["checkpoint"].get("lanes", {}).values())
        samples = [*self.run.samples, [worked, handled]]
        return samples[::-2][::-1] if len(samples) > SAMPLES else samples

    def move(self, state: State, **fields: Any) -> None:
        """Go on to the next state, in a step of its own."""
        assert self.run.state in sources(state), f"{self.run.state} → {state}"
        with self.step(state=state, seconds=self.spent(), **fields) as step:
            if state not in CLAIMABLE:
                step.checkpoint["phase"] = state

    def spent(self) -> dict[str, float]:
        """Seconds in each phase, the one at work included."""
        spent = round(self.run.seconds.get(self.run.state, 0) + time.monotonic() - self._phase_began, 3)
        self._phase_began = time.monotonic()
        return {**self.run.seconds, self.run.state: spent}

    def mine(self) -> QuerySet[Import]:
        """The import's row, while this attempt has it and its lease has not run out."""
        alive = Heartbeat.objects.filter(run_id=OuterRef("pk"), attempt=self.run.attempt, lease_until__gt=Now())
        return Import.objects.filter(Exists(alive), pk=self.run.pk, attempt=self.run.attempt, state=self.run.state)

    def leave(self, state: State, **fields: Any) -> bool:
        """Write the last words of this attempt; False when the import is not its own any more."""
        return bool(self.mine().update(state=state, version=F("version") + 1, wanted="", seconds=self.spent(), **fields))


def _phase(checkpoint: dict[str, Any]) -> State:
    """Where to go on. A plan of which nothing was written yet is made anew: people may have edited rows meanwhile."""
    phase = State(checkpoint.get("phase", State.STAGING))
    begun = any(lane[0] for lane in checkpoint.get("lanes", {}).values())
    return State.COMPARING if phase == State.APPLYING and not begun else phase
