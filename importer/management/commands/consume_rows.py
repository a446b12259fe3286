"""`manage.py consume_rows people`: stores the rows that come through a queue, until it is stopped."""

import logging
import signal
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection

from importer import consuming, datasets, tallies
from importer.broker.choice import NoQueues, connect
from importer.broker.letters import BrokerAway, Queues, Taken, rows_queue
from importer.values import quote

log = logging.getLogger(__name__)

#: Seconds between two sendings of tallies, and the shortest and longest pause while the broker or the database is away.
_TELL, _SHORTEST, _LONGEST = 0.5, 0.5, 10.0
#: RabbitMQ counts no further than 65,535 messages ahead, twice a batch; and what rests too long goes to another consumer.
_LARGEST, _PATIENCE = 10_000, 30


class Command(BaseCommand):
    help = "Store rows that publish_rows, or the page, sent through the queue of DATASET. Start as many as you like, anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", nargs="?", help="what the rows are, for example people")
        parser.add_argument("--all", action="store_true", help="take the rows of every dataset that comes through queues")
        parser.add_argument("--batch", type=int, default=500, help="rows of one transaction, at most (500)")
        parser.add_argument("--wait", type=float, default=0.5, help="seconds to wait for so many (0.5)")
        parser.add_argument("--until-empty", action="store_true", help="end when no message comes any more")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopped = False
        if not 1 <= options["batch"] <= _LARGEST:
            raise CommandError(f"--batch must be between 1 and {_LARGEST:,} rows.")
        if not 0 <= options["wait"] <= _PATIENCE:
            raise CommandError(f"--wait must be between 0 and {_PATIENCE} seconds.")
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._stop)
        names = self._names(options["dataset"], options["all"])
        self.rows = 0
        self.wait, self.until_empty = options["wait"], options["until_empty"]
        pause = _SHORTEST
        while not self.stopped:
            began = time.monotonic()
            try:
                self._consume([rows_queue(name) for name in names], options["batch"])
                break
            except NoQueues as problem:
                raise CommandError(str(problem)) from problem
            except BrokerAway as problem:
                log.warning("Nothing can be taken from the broker (%s); trying again.", problem)
            except (DatabaseError, InterfaceError) as problem:
                log.warning("The database does not take the rows (%s); trying again.", str(problem).strip())
                connection.close()
            pause = _SHORTEST if time.monotonic() - began > _LONGEST else min(2 * pause, _LONGEST)
            self._rest(pause)
        self.stdout.write(f"{self.rows:,} messages taken.")

    def _stop(self, *_: object) -> None:
        self.stopped = True

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.stopped and time.monotonic() < until:
            time.sleep(0.1)

    def _names(self, dataset: str | None, every: bool) -> list[str]:
        """The datasets whose rows are taken. Raises CommandError."""
        ready = [found.name for found in datasets.all() if found.keeps_first]
        if every and dataset is None:
            return ready
        if dataset not in ready or every:
            given = f"{quote(dataset)} is none" if dataset and not every else "Name one, or say --all"
            raise CommandError(f"{given}; rows of these come through queues: {', '.join(ready)}.")
        return [dataset]

    def _consume(self, names: Sequence[str], batch: int) -> None:
        """Take and store until it is time to end. Raises BrokerAway, DatabaseError, InterfaceError."""
        queues = connect()
        told: list[UUID] = []
        told_at = 0.0
        try:
            queues.listen(names, batch)
            while not self.stopped:
                taken = queues.take(self.wait)
                if taken:
                    told += self._store(queues, taken)
                if told and (not taken or time.monotonic() >= told_at + _TELL) or time.monotonic() >= told_at + 5:
                    tallies.send(queues, told)
                    told, told_at = [], time.monotonic()
                if not taken and self.until_empty:
                    break
            tallies.send(queues, told)
        finally:
            queues.close()

    def _store(self, queues: Queues, taken: list[Taken]) -> list[UUID]:
        told = consuming.consume(queues, taken)
        self.rows += len(taken)
        return told
