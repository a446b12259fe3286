"""A Loadify on another database, in a process of its own: how a test starts one, and how that tells what it has seen."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.site import NOT_INHERITED, ROOT


def environment(url: str, folder: Path, **more: str) -> dict[str, str]:
    """What a process needs to work on the database at `url`, with its files below `folder`."""
    env = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
    env |= {"DATABASE_URL": url, "BROKER_URL": "memory://", "SECRET_KEY": "test", "LOADIFY_WEBHOOK_KEYS": "test"}
    return env | {"LOADIFY_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT)} | more


def told_by(module: str, url: str, folder: Path, *arguments: str | Path, **more: str) -> Any:
    """Run a module that calls `tell`, and return what it told; `more` goes into its environment."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    env = environment(url, folder, **more)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def set_up() -> None:
    """Make Django ready for the database of DATABASE_URL; before it, no model can be imported."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "loadify.settings"
    if os.environ["DATABASE_URL"].startswith("mysql:"):
        import pymysql

        pymysql.install_as_MySQLdb()
    import django

    django.setup()


def tell(told: Callable[..., Any]) -> None:
    """Make the tables, and print what `told` says of the arguments of this process, as JSON."""
    from django.core.management import call_command

    set_up()
    call_command("migrate", verbosity=0, skip_checks=True)
    print(json.dumps(told(*sys.argv[1:])))
