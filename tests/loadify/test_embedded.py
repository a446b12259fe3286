import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from loadify import embedded, servers
from loadify.processes import PidFile, Process, wait_until


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "LOADIFY_WEBHOOK_KEYS"):
        monkeypatch.setenv(name, "")
        monkeypatch.setenv(f"LOADIFY_EMBEDDED_{name}", "")
    monkeypatch.setenv("LOADIFY_DATA_DIR", str(tmp_path))
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_only_for_their_owner(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedded.secret_key() == embedded.webhook_key() == ""
    embedded.plan()
    key, webhook_key = os.environ["SECRET_KEY"], os.environ["LOADIFY_WEBHOOK_KEYS"]
    monkeypatch.setenv("SECRET_KEY", "")
    monkeypatch.setenv("LOADIFY_WEBHOOK_KEYS", "")
    embedded.plan()
    assert os.environ["SECRET_KEY"] == embedded.secret_key() == key
    assert os.environ["LOADIFY_WEBHOOK_KEYS"] == embedded.webhook_key() == webhook_key != key
    assert len(key) > 50 and len(webhook_key) > 50
    assert {mode(data_dir / name) for name in ("secret-key", "webhook-key", "password")} == {0o600}


def test_addresses_of_the_environment_stay(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u@db.example/shop")
    embedded.plan()
    assert os.environ["DATABASE_URL"] == "postgres://u@db.example/shop"
    assert embedded.planned("DATABASE_URL") == ""
    assert embedded.planned("BROKER_URL") == os.environ["BROKER_URL"]


def test_free_port_avoids_one_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert embedded.free_port(port) != port
    assert embedded.free_port(port) == port


def start_postgres(data_dir: Path) -> tuple[Process, str]:
    embedded.plan()
    url = os.environ["DATABASE_URL"]
    process = servers.postgres(data_dir, url)
    embedded.remember("database-url", url)
    return process, url


MIB = 1024**2


@pytest.mark.parametrize(
    ("limit", "buffers"),
    [
        ("max\n", 3 * 1024),
        (f"{2048 * MIB}\n", 256),
        (f"{512 * MIB}\n", 128),
        (f"{200 * 1024 * MIB}\n", 3 * 1024),
        ("", 3 * 1024),
    ],
)
def test_buffers_are_an_eighth_of_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, buffers: int) -> None:
    """A container may have less than the machine has."""
    monkeypatch.setattr(servers.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 24 * 1024 * MIB // 4096}.__getitem__)
    monkeypatch.setattr(servers, "MEMORY_LIMIT", tmp_path / "memory.max")
    if limit:
        (tmp_path / "memory.max").write_text(limit)
    assert servers._buffers() == buffers * MIB


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_postgres_starts_stops_and_survives_kill(data_dir: Path) -> None:
    assert embedded.database_url() == ""
    process, url = start_postgres(data_dir)
    try:
        assert embedded.database_url() == url
        names = "('fsync', 'full_page_writes', 'synchronous_commit')"
        assert rows(url, f"SELECT setting FROM pg_settings WHERE name IN {names}") == [("on",)] * 3
        locale = "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database"
        assert rows(url, f"{locale} WHERE datname = 'loadify'") == [("b", "C.UTF-8", "UTF8")]
        assert rows(url, "SELECT 1 FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == []
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(url.replace("loadify:", "loadify:x"))
        verifier = "SELECT substr(rolpassword, 1, 16) FROM pg_authid WHERE rolname = current_user"
        assert rows(url, verifier) == [("SCRAM-SHA-256$1:",)]
        rows(url, "CREATE TABLE kept AS SELECT 42 AS n")
        # As the clusters that were made before are.
        rows(url, f"SET scram_iterations = 4096; ALTER ROLE CURRENT_USER PASSWORD '{urlsplit(url).password}'")

        os.kill(process.pid, signal.SIGKILL)
        assert wait_until(process.ended, 60)
        assert process.how_it_ended() == "was ended by SIGKILL"
        assert embedded.database_url() == ""
        process = servers.postgres(data_dir, url)
        assert rows(url, "SELECT n FROM kept") == [(42,)]
        assert rows(url, verifier) == [("SCRAM-SHA-256$1:",)]
    finally:
        assert process.stop()
    assert not (data_dir / "postgres" / "postmaster.pid").exists()
    assert not PidFile.of(data_dir, "postgres").path.exists()
    assert "database system is shut down" in process.last_lines(1)


def test_backend_at_work_does_not_keep_a_killed_postgres_from_starting(data_dir: Path) -> None:
    process, url = start_postgres(data_dir)
    try:
        busy = psycopg2.connect(url)
        with busy.cursor() as cursor:
            # A busy loop, for a backend that sleeps would notice that its postmaster is gone.
            busy_loop = "DO $$ BEGIN LOOP END LOOP; END $$"
            backend = busy.info.backend_pid

            def work() -> None:
                with pytest.raises(psycopg2.OperationalError):
                    cursor.execute(busy_loop)

            worker = threading.Thread(target=work)
            worker.start()
            os.kill(process.pid, signal.SIGKILL)
            assert wait_until(process.ended, 60)
            os.kill(backend, 0)
            process = servers.postgres(data_dir, url)
            worker.join(10)
        assert rows(url, "SELECT 1") == [(1,)]
    finally:
        process.stop()


def test_leftover_is_stopped_by_its_pid_file_and_a_stranger_is_not(data_dir: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger, subprocess.Popen(["sleep", "60"]) as leftover:
        try:
            PidFile.of(data_dir, "web").write(leftover.pid, signal.SIGTERM)
            reused = PidFile.of(data_dir, "beat")
            reused.write(stranger.pid, signal.SIGTERM)
            reused.path.write_text(f"{stranger.pid} {signal.SIGTERM:d} 12345")
            servers.stop_leftovers(data_dir)
            assert leftover.wait(5) == -signal.SIGTERM
            assert stranger.poll() is None
            assert list((data_dir / "run").iterdir()) == []
        finally:
            stranger.kill()
            leftover.kill()


def test_missing_binary_says_what_to_do(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(servers.CannotStart, match="There is no embedded PostgreSQL for .*: .* set DATABASE_URL"):
        servers.postgres(data_dir, "postgres://u:p@127.0.0.1:1/loadify")


def test_full_disk_is_said_before_anything_is_written(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1024}))
    with pytest.raises(servers.CannotStart, match="has less than 500 MB left"):
        servers.postgres(data_dir, "postgres://u:p@127.0.0.1:1/loadify")
    assert list(data_dir.iterdir()) == []


def test_valkey_keeps_what_it_was_told_over_a_kill(data_dir: Path) -> None:
    embedded.plan()
    url = os.environ["BROKER_URL"]
    process = servers.valkey(data_dir, url)
    try:
        with redis.Redis.from_url(url) as client:
            client.lpush("celery", "hint")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        port = urlsplit(url).port
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        os.kill(process.pid, signal.SIGKILL)
        assert wait_until(process.ended, 60)
        process = servers.valkey(data_dir, url)
        with redis.Redis.from_url(url) as client:
            assert client.lrange("celery", 0, -1) == [b"hint"]
    finally:
        assert process.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root has to become somebody else.")
def test_root_without_user_namespaces_runs_postgres_as_nobody(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("Operation not permitted")

    # tmp_path is closed to everybody else, and nobody must get through.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    monkeypatch.setenv("LOADIFY_DATA_DIR", str(folder / "var"))
    embedded.plan()
    url = os.environ["DATABASE_URL"]
    try:
        servers.postgres(folder / "var", url).stop()
        monkeypatch.setattr(servers, "unshare_user", refuse)
        process = servers.postgres(folder / "var", url)
        nobody = pwd.getpwnam("nobody").pw_uid
        assert Path(f"/proc/{process.pid}").stat().st_uid == nobody
        assert (folder / "var" / "postgres" / "PG_VERSION").stat().st_uid == nobody
        assert process.stop()
    finally:
        shutil.rmtree(folder)
