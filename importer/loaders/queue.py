"""Cleaned rows onto a queue, one message each, for consumers to store (importer/consuming.py)."""

import json
from collections.abc import Callable, Sequence
from uuid import UUID

from importer.broker.choice import connect
from importer.broker.letters import BrokerAway, Letter, Queues, rows_queue
from importer.datasets import Dataset
from importer.rows import Cleaned


class QueueLoader:
    """Sends the columns `names` of the import `run_id`; calls `check` about once a second while it waits for the broker."""

    def __init__(self, dataset: Dataset, run_id: UUID, names: Sequence[str], check: Callable[[], object]) -> None:
        self.dataset = dataset
        self.run_id = run_id
        self.names = list(names)
        self.check = check
        self._queues: Queues | None = None

    def make_stage(self) -> None:
        """A queue is made when the first message goes there."""

    def encode(self, cleaned: Cleaned) -> list[Letter]:
        """A batch as messages; what the file leaves as it is stands in none."""
        run = str(self.run_id)
        return [
            Letter(
                json.dumps(
                    {
                        "v": 1,
                        "import": run,
                        "line": line,
                        "dataset": self.dataset.name,
                        "values": {name: text for name, text in zip(self.names, values, strict=True) if text is not None},
                    }
                ).encode(),
                # The same row is the same message, however often it is sent.
                id=f"{run}:{line}",
            )
            for line, *values in zip(cleaned.lines, *cleaned.columns, strict=True)
        ]

    def copy(self, batch: list[Letter]) -> None:
        """Send a batch, and return when the broker has confirmed all of it. Raises BrokerAway: some of it may be there."""
        try:
            if self._queues is None:
                self._queues = connect()
            self._queues.publish(rows_queue(self.dataset.name), batch, self.check)
        except BrokerAway:
            self.close()
            raise

    def close(self) -> None:
        if self._queues is not None:
            self._queues.close()
            self._queues = None
