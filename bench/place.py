"""A place to measure in: a temporary data directory and an empty database that are gone afterwards."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql

from loadify import embedded, servers

#: What the environment may say about a site in use, which no measurement may touch.
_OVERRULED = ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "LOADIFY_WEBHOOK_KEYS", "DEBUG", "LOADIFY_DATA_DIR")
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Place:
    """`url` is the address of a migrated, empty database; the environment of this process leads to it, too."""

    folder: Path
    url: str

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement by itself, in a connection of its own; returns its rows."""
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def run(self, *arguments: str) -> str:
        """Run a Python program of this repository and return what it prints. Raises SystemExit with its errors."""
        done = subprocess.run([sys.executable, *arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)} ended with exit code {done.returncode}.\n{done.stdout}")
        return done.stdout

    def sample(self, rows: int) -> Path:
        """A sample file of products with so many records."""
        path = self.folder / f"products-{rows}.csv"
        if not path.exists():
            self.run("manage.py", "make_sample", "products", str(rows), str(path), "--seed", "1")
        return path


@contextmanager
def place(server: str | None = None, *, broker: bool = False) -> Iterator[Place]:
    """Start a PostgreSQL as bin/up does, or make a database on the `server` of that address; drop it afterwards.

    With `broker`, a Valkey runs as well. Nothing that runs or lies elsewhere is touched. Raises CannotStart.
    """
    for name in _OVERRULED:
        os.environ.pop(name, None)
    with ExitStack() as leave:
        folder = Path(tempfile.mkdtemp(prefix="loadify-bench-"))
        leave.callback(shutil.rmtree, folder, ignore_errors=True)
        # PostgreSQL may run as another user, who has to get to his own folder in there.
        folder.chmod(0o711)
        os.environ["LOADIFY_DATA_DIR"] = str(folder)
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        if server:
            os.environ["DATABASE_URL"] = leave.enter_context(_database_on(server))
        if not broker:
            os.environ["BROKER_URL"] = "memory://"
        embedded.plan()
        url = os.environ["DATABASE_URL"]
        if not server:
            leave.callback(servers.postgres(folder, url).stop)
        if broker:
            leave.callback(servers.valkey(folder, os.environ["BROKER_URL"]).stop)
        here = Place(folder, url)
        here.run("manage.py", "migrate", "--verbosity", "0", "--skip-checks")
        yield here


@contextmanager
def _database_on(server: str) -> Iterator[str]:
    name = f"loadify_bench_{secrets.token_hex(4)}"
    connection = psycopg2.connect(server)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            try:
                yield urlsplit(server)._replace(path=f"/{name}").geturl()
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    finally:
        connection.close()
