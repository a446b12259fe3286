"""A PostgreSQL and a broker for one run of the tests, in a temporary directory.

pytest loads this by `-p`, before pytest-django reads the settings: a conftest.py would come too late. It overrules the
addresses of the environment, which may be somebody's real ones.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from loadify import embedded, servers
from loadify.processes import Process

FOLDER = Path(tempfile.mkdtemp(prefix="loadify-tests-"))
FOLDER.chmod(0o711)
OVERRULED = ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "DEBUG", "PORT", "ALLOWED_HOSTS", "LOADIFY_DATA_DIR")
OVERRULED += ("LOADIFY_WEBHOOK_KEYS", "LOADIFY_WEBHOOK_ALLOW_PRIVATE")
for name in OVERRULED:
    os.environ.pop(name, None)
# Playwright's synchronous interface runs an event loop in this thread, where Django would refuse its database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
os.environ["LOADIFY_DATA_DIR"] = str(FOLDER)
embedded.plan()
# Tests look at what is committed, never at what survives a power cut.
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
running: list[Process] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    try:
        running.append(servers.postgres(FOLDER, os.environ["DATABASE_URL"], QUICK))
        running.append(servers.valkey(FOLDER, os.environ["BROKER_URL"]))
    except servers.CannotStart as problem:
        pytest.exit(str(problem), returncode=3)


def pytest_unconfigure(config: pytest.Config) -> None:
    while running:
        running.pop().stop()
    shutil.rmtree(FOLDER, ignore_errors=True)


def restart_broker() -> None:
    """Stop Valkey and start it again; what was only in memory is gone."""
    running.pop(1).stop()
    running.insert(1, servers.valkey(FOLDER, os.environ["BROKER_URL"]))


def restart_database() -> None:
    """Stop PostgreSQL (every connection is cut) and start it again."""
    running.pop(0).stop()
    running.insert(0, servers.postgres(FOLDER, os.environ["DATABASE_URL"], QUICK))
