"""The timetable (beat): start as many as you like, exactly one acts, and another takes over when it is gone."""

import logging
import time
from typing import Any

from celery.beat import Scheduler
from django.db import Error, connection

from importer.leases import Turn

log = logging.getLogger(__name__)

#: Seconds that a beat which was killed, or cut off from the database, is waited for; and between two looks at the lease.
LEASE, LOOK = 4.0, 1.0


class Timetable(Scheduler):
    """Celery's scheduler, which acts only while it has the lease. Without the database nobody acts, and all wait for it.

    The lease ends by the database's clock. This process counts from before it asked, so for itself it ends no later.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.turn = Turn("beat", LEASE)
        self._asked_at = self._mine_until = float("-inf")
        self._leading: bool | None = None
        super().__init__(*arguments, **options)

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send what is due; returns the seconds until the next call."""
        return min(super().tick(*arguments, **options), LOOK) if self.leads() else LOOK

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        # To reach the broker may have taken longer than the lease.
        if self.leads():
            super().apply_entry(entry, producer=producer)

    def leads(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at >= LOOK:
            self._asked_at = now
            try:
                self._mine_until = now + LEASE if self.turn.take() else float("-inf")
            except Error as problem:
                log.warning("The lease of the timetable cannot be looked at; trying again. %s", str(problem).strip())
                connection.close()
        leading = time.monotonic() < self._mine_until
        if leading != self._leading:
            self._leading = leading
            log.info("This beat acts." if leading else "This beat stands by.")
        return leading

    def close(self) -> None:
        """Leave in order: who stands by acts from its next look on."""
        self._asked_at, self._mine_until = float("inf"), float("-inf")
        try:
            self.turn.give_back()
            connection.close()
        except Error as problem:
            log.warning("The lease of the timetable is not given back, and runs out. %s", str(problem).strip())
        super().close()
