"""What one data directory keeps for itself: its keys, and the addresses of the servers bin/up runs in it."""

import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from loadify.processes import PidFile


def data_dir() -> Path:
    """The folder of everything this clone stores: LOADIFY_DATA_DIR, else var/ beside manage.py."""
    return Path(os.environ.get("LOADIFY_DATA_DIR") or Path(__file__).resolve().parent.parent / "var").resolve()


def secret_key() -> str:
    """The key bin/up made in this data directory; "" when there is none yet."""
    return _read("secret-key")


def webhook_key() -> str:
    """The key bin/up made for the secrets of webhooks in this data directory; "" when there is none yet."""
    return _read("webhook-key")


def database_url() -> str:
    """The address of the embedded PostgreSQL while it runs, else ""."""
    return _read("database-url") if PidFile.of(data_dir(), "postgres").runs() else ""


def broker_url() -> str:
    """The address of the embedded broker while it runs, else ""."""
    return _read("broker-url") if PidFile.of(data_dir(), "valkey").runs() else ""


def plan() -> None:
    """Put into the environment what `manage.py up` needs before Django reads the settings.

    The servers do not run yet, so their addresses are chosen here: the remembered port if it is free, else another.
    What the environment says already stays. Raises OSError when the data directory cannot be written.
    """
    directory = data_dir()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("DEBUG", "0")
    if not os.environ.get("SECRET_KEY"):
        os.environ["SECRET_KEY"] = _kept("secret-key", lambda: secrets.token_urlsafe(50))
    if not os.environ.get("LOADIFY_WEBHOOK_KEYS"):
        os.environ["LOADIFY_WEBHOOK_KEYS"] = _kept("webhook-key", lambda: secrets.token_urlsafe(50))
    password = _kept("password", secrets.token_urlsafe)
    if not os.environ.get("DATABASE_URL"):
        port = free_port(urlsplit(_read("database-url")).port or 0)
        _plan("DATABASE_URL", f"postgres://loadify:{password}@127.0.0.1:{port}/loadify")
    if not os.environ.get("BROKER_URL"):
        port = free_port(urlsplit(_read("broker-url")).port or 0)
        _plan("BROKER_URL", f"redis://:{password}@127.0.0.1:{port}/0")


def planned(name: str) -> str:
    """The address plan() chose for DATABASE_URL or BROKER_URL; "" when the environment names a server of its own."""
    address = os.environ.get(f"LOADIFY_EMBEDDED_{name}", "")
    return address if address == os.environ.get(name) else ""


def remember(name: str, address: str) -> None:
    """Tell the other commands of this clone an address (name: database-url or broker-url)."""
    write_secret(data_dir() / name, address)


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def free_port(wanted: int = 0) -> int:
    """The wanted TCP port of 127.0.0.1 if nobody listens there, else any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])


def _plan(name: str, address: str) -> None:
    os.environ[name] = os.environ[f"LOADIFY_EMBEDDED_{name}"] = address


def _read(name: str) -> str:
    try:
        return (data_dir() / name).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _kept(name: str, make: Callable[[], str]) -> str:
    if not _read(name):
        write_secret(data_dir() / name, make())
    return _read(name)
