"""Sends an import through a queue: reads and cleans like staging, and each step ends when the broker has its rows safely."""

import logging
import time
from typing import Any

from importer.attempt import Attempt
from importer.broker.letters import BrokerAway, Letter
from importer.datasets import Dataset
from importer.loaders.queue import QueueLoader
from importer.options import Options
from importer.rows import Cleaned
from importer.staging import Staging
from importer.values import storable

log = logging.getLogger(__name__)

#: Seconds between two tries to reach a broker that is away.
_PAUSE = 1.0


class Publishing(Staging):
    """One attempt at sending an import. What was sent without a checkpoint after it is sent again, and counted once."""

    def __init__(self, attempt: Attempt, dataset: Dataset, options: Options) -> None:
        super().__init__(attempt, dataset, options)
        self._queue: QueueLoader | None = None

    def go(self) -> None:
        try:
            super().go()
        finally:
            if self._queue is not None:
                self._queue.close()

    def _loader(self, names: list[str] | None = None) -> QueueLoader:
        if self._queue is None:
            found = names or self.dataset.names(self.run.checkpoint["places"])
            self._queue = QueueLoader(self.dataset, self.run.public_id, found, self.attempt.heart.check)
        return self._queue

    def _batch(self, batch: Cleaned, rows: Any) -> None:
        # Not within the step: a broker may take longer than a transaction should stay open.
        self._send(rows)
        with self.attempt.step(step_done=batch.done, error="") as step:
            self._note(step, batch)
            step.add["published"] = len(batch.lines)

    def _send(self, rows: list[Letter]) -> None:
        """Send a batch, however long the broker is away; the page says so meanwhile."""
        told = ""
        while True:
            try:
                self._loader().copy(rows)
                return
            except BrokerAway as problem:
                sentence = f"The broker does not take the rows ({problem}); the import goes on by itself when it does."
            if sentence != told:
                log.warning("Import %s: %s", self.run.public_id, sentence)
                with self.attempt.step(error=storable(sentence)):
                    told = sentence
            self.attempt.heart.check()
            time.sleep(_PAUSE)
