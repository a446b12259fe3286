"""`manage.py watch_folder DIR`: import what is put into a folder, as `import_folder` does, until it is told to end."""

import logging
import os
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from watchfiles import watch

from importer import unattended
from importer.management.commands.import_folder import add_folder_arguments, line_of, wish_of
from importer.unattended import Outcome, Wish

#: Milliseconds between two looks when no news comes: a file that is finished makes none, and some file systems tell nothing.
LOOK = 1_000
#: Seconds in which everything may end by itself.
PATIENCE = 0.8


def _end(*_: Any) -> NoReturn:
    """May strike anywhere: as after kill -9, what was begun is found and finished at the next start."""
    timer = threading.Timer(PATIENCE, os._exit, [0])
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


class Command(BaseCommand):
    help = "Watch FOLDER, and import each file once nobody writes to it any more. Ends on SIGTERM and Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_folder_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        root: Path = options["folder"]
        wish = wish_of(options)
        signal.signal(signal.SIGTERM, _end)
        signal.signal(signal.SIGINT, _end)
        # It tells every change; what came of it is told here.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        self.stdout.write(f"Watching {root}. Files are taken {options['settle']:g} s after the last change.")
        self.stdout.flush()
        self._waiting: set[Outcome] = set()
        try:
            self._look(root, wish, options)
            for _ in watch(root, recursive=False, yield_on_timeout=True, rust_timeout=LOOK):
                self._look(root, wish, options)
        except KeyboardInterrupt:
            return
        except OSError as problem:
            raise CommandError(f"{problem.filename or root} cannot be watched: {problem.strerror}.") from problem

    def _look(self, root: Path, wish: Wish, options: dict[str, Any]) -> None:
        close_old_connections()
        waiting = set()
        try:
            for outcome in unattended.take_all(root, options["settle"], wish, options["wait"]):
                if outcome.waits:
                    waiting.add(outcome)
                # What waits is tried at every look, and told at the first.
                if outcome not in self._waiting:
                    self.stdout.write(line_of(outcome, options["json"]))
                    self.stdout.flush()
            self._waiting = waiting
        except (OperationalError, InterfaceError) as problem:
            connection.close()
            self.stderr.write(f"The database does not answer, so what has come waits in the folder: {problem}".strip())
