"""The side thread of a running import: tells the database every second that it lives, and hears what people want.

It has a database connection of its own, so that neither a long statement nor a lock of the import's transaction stops it.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.functions import Now

from importer.models import DatasetLock, Heartbeat, Import

log = logging.getLogger(__name__)


class Lost(Exception):
    """This worker's time with the import is over: somebody else has it, or its lease ran out. It must write nothing more."""


class Interrupted(Exception):
    """A person, or the worker's shutdown, wants the import to stop here; `wanted` says what for."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


def lease() -> timedelta:
    return timedelta(seconds=settings.LOADIFY_LEASE)


class Heart:
    """Beats while the `with` block runs; a long statement of the importing thread is cancelled when there is news."""

    PERIOD = 1.0  # seconds

    def __init__(self, run_id: int, attempt: int) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.lost = False
        self.wanted = ""
        self._stop = threading.Event()
        self._watched = [connections["default"]]
        # Its lines of the log say, too, what they are about.
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=[self._beat], name=f"heart of import {run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raises Lost or Interrupted when the import may not, or should not, go on."""
        if self.lost:
            raise Lost
        if self.wanted:
            raise Interrupted(self.wanted)

    @contextmanager
    def watching(self, more: BaseDatabaseWrapper) -> Iterator[None]:
        """Cancel long statements of another connection, too, while the block runs."""
        self._watched.append(more)
        try:
            yield
        finally:
            self._watched.remove(more)

    def _beat(self) -> None:
        try:
            while not self._stop.wait(self.PERIOD):
                try:
                    self._once()
                except (DatabaseError, InterfaceError):
                    # The database is away. The lease runs out by itself if it stays away.
                    # SQLite is away for everybody else while a step writes, which beats for us.
                    level = logging.DEBUG if connections["default"].vendor == "sqlite" else logging.WARNING
                    log.log(level, "No heartbeat for import %s: the database does not answer.", self.run_id, exc_info=True)
                    connections["default"].close()
                if self.lost or self.wanted:
                    self._interrupt()
        finally:
            connections["default"].close()

    def _once(self) -> None:
        news = Import.objects.filter(pk=self.run_id, attempt=self.attempt).values_list("wanted", flat=True).first()
        self.wanted = news or ""
        self.lost = not self.alive() or news is None
        DatasetLock.objects.filter(run_id=self.run_id, attempt=self.attempt).update(lease_until=Now() + lease())

    def alive(self) -> bool:
        """Beat; False when the lease has run out: it is never taken up again, so a worker that was frozen finds it is late."""
        return bool(self._beats().filter(lease_until__gt=Now()).update(beat_at=Now(), lease_until=Now() + lease()))

    def renew(self) -> None:
        """Beat, in a transaction that began while the lease ran and has kept every other writer out."""
        self._beats().update(beat_at=Now(), lease_until=Now() + lease())

    def _beats(self) -> QuerySet[Heartbeat]:
        return Heartbeat.objects.filter(run_id=self.run_id, attempt=self.attempt)

    def _interrupt(self) -> None:
        for watched in list(self._watched):
            raw = watched.connection
            # Elsewhere no statement takes long, and the next step looks at the news.
            if raw is not None and watched.vendor == "postgresql":
                try:
                    raw.cancel()
                except Exception:
                    # It was closed just now: there is nothing left to cancel.
                    log.debug("Nothing to cancel for import %s.", self.run_id, exc_info=True)
