"""Whole imports on databases other than PostgreSQL, in processes of their own, against the plain reference."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadify.embedded import free_port
from loadify.processes import wait_until
from tests.conftest import missing
from tests.importer.reference import Catalogue
from tests.site import NOT_INHERITED, ROOT

FIRST = (
    "sku,name,description\nA-1,one,x\nb,two,y\na-1,three,z\n,none,\nÉ,four,\nshort,row\n"
    + "straße,five,w\nSTRASSE,six,w\n"
    + "".join(f"n{number},name {number},text\n" for number in range(5_000))
)
SECOND = (
    "SKU,Name,Description,Active\nA-1,three,z,\nB,two,y,no\ne\u0301,four,\U0001f600,yes\nn7,name 7,text,perhaps\nnew,seven,,\n"
)


def told(url: str, folder: Path) -> None:
    """Import both files on the database at `url`, and compare everything that is told of it."""
    env = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
    env |= {"DATABASE_URL": url, "BROKER_URL": "memory://", "SECRET_KEY": "test", "LOADIFY_WEBHOOK_KEYS": "test"}
    env |= {"LOADIFY_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT)}
    paths = [folder / "first.csv", folder / "second.csv"]
    for path, text in zip(paths, (FIRST, SECOND), strict=True):
        path.write_text(text, encoding="utf-8", newline="")
    command = [sys.executable, "-m", "tests.importer.portable_site", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    site = json.loads(done.stdout)
    catalogue = Catalogue()
    for found, text in zip(
        site["imports"], (FIRST, SECOND.replace("SKU,Name,Description,Active", "sku,name,description,active")), strict=True
    ):
        expected = catalogue.load(text)
        assert found["report"]["state"] == "done", found["report"]["error"]
        assert {name: found["report"][name] for name in expected["counts"]} == expected["counts"]
        assert found["rejected"] == expected["rejected"]
        assert found["changes"] == {str(line): before for line, before in expected["changes"].items()}
        assert found["staged"] == 0
    assert {key: tuple(row) for key, row in site["imports"][1]["rows"].items()} == catalogue.rows
    assert site["undo"] == "Undo needs PostgreSQL; this site runs on another database."
    assert site["states"] == ["paused", "cancelled"]
    assert site["found"] == ["A-1"]
    assert site["words"] == ["A-1"]
    assert site["exported"]["states"] == ["paused", "done"]
    assert site["exported"]["paused"]
    assert sorted(site["exported"]["skus"]) == sorted(row[0] for row in catalogue.rows.values())
    assert site["exported"]["unchanged"] == len(catalogue.rows)
    assert site["cleared"] == len(catalogue.rows)


def test_sqlite(tmp_path):
    told(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path)


@pytest.fixture
def mariadb_url(tmp_path: Path) -> Iterator[str]:
    """A MariaDB of this test alone."""
    # Debian keeps the server where an ordinary user's PATH does not lead.
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if not server or not install:
        missing("mariadb", "There is no MariaDB here; on Debian: apt install mariadb-server.")
    data, socket, port = tmp_path / "mariadb", tmp_path / "s", free_port()
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        [
            str(install),
            "--no-defaults",
            *user,
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (tmp_path / "init.sql").write_text(
        "CREATE DATABASE loadify CHARACTER SET utf8mb4; CREATE USER loadify@'127.0.0.1' IDENTIFIED BY 'loadify';"
        " GRANT ALL ON loadify.* TO loadify@'127.0.0.1';".replace("; ", ";\n")
    )
    options = [f"--datadir={data}", f"--socket={socket}", f"--port={port}", "--bind-address=127.0.0.1"]
    options += [f"--init-file={tmp_path}/init.sql", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
    with (tmp_path / "mariadb.log").open("wb") as log:
        process = subprocess.Popen([str(server), "--no-defaults", *user, *options], stdout=log, stderr=log)
    try:
        log_of = tmp_path / "mariadb.log"
        assert wait_until(lambda: b"ready for connections" in log_of.read_bytes(), 60), log_of.read_text()
        yield f"mysql://loadify:loadify@127.0.0.1:{port}/loadify"
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_mariadb(mariadb_url, tmp_path):
    told(mariadb_url, tmp_path)
