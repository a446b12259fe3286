"""Cards on databases other than PostgreSQL, in processes of their own: the same events, the same answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.importer.test_portable import mariadb_url
from tests.site import NOT_INHERITED, ROOT

__all__ = ["mariadb_url"]


def told(url: str, folder: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
    env |= {"DATABASE_URL": url, "BROKER_URL": "memory://", "SECRET_KEY": "test", "LOADIFY_WEBHOOK_KEYS": "test"}
    env |= {"LOADIFY_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.cards.portable_site"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "counts": [[20, 0], [20, 0], [20, 0], [19, 0], [0, 20], [0, 20], [0, 20], [0, 19]],
        "found": [
            ["ZYW8890", 1, "2023-11-23T10:00:00+00:00", ["534534534"], 8, 7],
            ["ZYW8891", 3, "2023-11-16T14:00:00+00:00", ["0534534535"], 1, 0],
        ],
        "lines": [21, 20, 18],
    }


def test_cards_on_sqlite(tmp_path: Path) -> None:
    told(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path)


def test_cards_on_mariadb(mariadb_url: str, tmp_path: Path) -> None:
    told(mariadb_url, tmp_path)
