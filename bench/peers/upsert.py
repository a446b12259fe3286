"""Written by hand: `\\copy` into a staging table, then one statement that cleans, picks the last line and upserts."""

from pathlib import Path

import psycopg2

from bench import raw_copy

NAME = "`\\copy` to staging, one upsert"
CLEAN = False

_STAGING = """
DROP TABLE IF EXISTS bench_peer_staging;
CREATE TABLE bench_peer_staging (line bigint GENERATED ALWAYS AS IDENTITY, name text, sku text, description text)"""
_UPSERT = """
INSERT INTO products_product AS t (sku, sku_key, name, description, active, created_at, updated_at)
SELECT DISTINCT ON (key) trim(sku), key, trim(name), description, true, now(), now()
FROM bench_peer_staging, LATERAL (SELECT normalize(lower(trim(sku))) COLLATE "C" AS key) AS made
ORDER BY key, line DESC
ON CONFLICT (sku_key) DO UPDATE
SET sku = excluded.sku, name = excluded.name, description = excluded.description, updated_at = excluded.updated_at
WHERE (t.sku, t.name, t.description) IS DISTINCT FROM (excluded.sku, excluded.name, excluded.description)"""


def load(path: Path, url: str) -> None:
    _run(url, _STAGING)
    raw_copy.copy(url, path, "bench_peer_staging", "name, sku, description", header=True)
    _run(url, _UPSERT)
    _run(url, "DROP TABLE bench_peer_staging")


def _run(url: str, statement: str) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
