"""Cleaned rows into their table on PostgreSQL, set by set: COPY into a staging table, compare, apply in key order.

One import has three tables of its own, all logged, because a crash empties unlogged ones while the checkpoint survives:

    importer_stage_<id>    every line as it was cleaned: line, key, values
    importer_plan_<id>     one row for each key that will be created or updated, numbered in key order
    importer_change_<id>   a partition of importer_change: what was really done

The plan points to staged rows by their place (ctid): nothing updates or moves a staged row. What the plan says of a live row
is only a forecast; apply decides by the live rows, which it locks.

Every function runs inside the caller's transaction. Table and column names come from models, never from files.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, models

from importer.datasets import Dataset
from importer.loaders.copy_text import encode
from importer.loaders.sql import count, one, quoted, row, run
from importer.values import BadFile

#: SQL: plan row `p` is in the bucket at hand.
_BUCKET = "p.seq > %(after)s AND p.seq <= %(until)s"


@dataclass(frozen=True)
class Compared:
    """What COMPARE found: keys in the file, and how many of them have no live row or a different one."""

    keys: int
    to_create: int
    to_update: int


@dataclass(frozen=True)
class Applied:
    """What one bucket really did; `keys` is how many keys of the plan it handled."""

    keys: int
    created: int
    updated: int


class Raced(Exception):
    """A live row vanished between two statements of a bucket: roll back and do the bucket again."""


class PostgresLoader:
    """Loads the columns `names` of one import (`run_id`) into the dataset's table."""

    def __init__(self, dataset: Dataset, run_id: int, names: Sequence[str]) -> None:
        self.dataset = dataset
        self.run_id = run_id
        self.names = list(names)
        meta = dataset.model._meta
        self.table = quoted(meta.db_table)
        self.key = quoted(dataset.key.field)
        self.stage = f"importer_stage_{run_id}"
        self.plan = f"importer_plan_{run_id}"
        self.changes = f"importer_change_{run_id}"
        self.columns = [quoted(name) for name in self.names]
        self.types = [_type(meta.get_field(name)) for name in self.names]

    # --- staging ---------------------------------------------------------------------------------------------------

    def make_stage(self) -> None:
        columns = ", ".join(f"{column} {kind}" for column, kind in zip(self.columns, self.types, strict=True))
        run(
            f'CREATE TABLE {self.stage} ("#line" bigint NOT NULL, "#key" text COLLATE "C" NOT NULL, {columns})'
            " WITH (autovacuum_enabled = false)"
        )

    encode = staticmethod(encode)

    def copy(self, batch: bytes) -> None:
        """COPY one batch, as `encode` made it, into the staging table."""
        with connection.cursor() as cursor, connection.wrap_database_errors:
            # The whole batch in one piece: every piece costs a hand-over of Python's lock to the thread that parses.
            cursor.copy_expert(f"COPY {self.stage} FROM STDIN", io.BytesIO(batch), size=max(len(batch), 1))

    # --- comparing -------------------------------------------------------------------------------------------------

    def compare(self) -> Compared:
        """Find the winning line of each key and what it would change; fill the plan.

        The last line of a key wins. A value that is NULL in the staging table leaves its field as it is.
        """
        run("SET LOCAL work_mem = '96MB'")
        run(f"ANALYZE {self.stage}")
        run(f"DROP TABLE IF EXISTS {self.plan}")
        run(
            f'CREATE TABLE {self.plan} (seq bigint NOT NULL, key text COLLATE "C" NOT NULL, line bigint NOT NULL,'
            " src tid NOT NULL, existing boolean NOT NULL) WITH (autovacuum_enabled = false)"
        )
        if one(f"SELECT EXISTS (SELECT FROM {self.table})"):
            winners = f"""
                SELECT DISTINCT ON (s."#key") s."#key" AS key, s."#line" AS line, s.ctid AS src,
                       t.id IS NOT NULL AS existing, t.id IS NULL OR {self._differs()} AS wanted
                FROM {self.stage} s LEFT JOIN {self.table} t ON t.{self.key} = s."#key"
                ORDER BY s."#key", s."#line" DESC"""
        else:
            winners = f"""
                SELECT DISTINCT ON (s."#key") s."#key" AS key, s."#line" AS line, s.ctid AS src,
                       false AS existing, true AS wanted
                FROM {self.stage} s ORDER BY s."#key", s."#line" DESC"""
        keys = one(
            f"""WITH winners AS MATERIALIZED ({winners}), planned AS (
                INSERT INTO {self.plan}
                SELECT row_number() OVER (ORDER BY key), key, line, src, existing FROM winners WHERE wanted)
            SELECT count(*) FROM winners"""
        )
        run(f"ALTER TABLE {self.plan} ADD PRIMARY KEY (seq)")
        run(f"ANALYZE {self.plan}")
        create, update = row(f"SELECT count(*) FILTER (WHERE NOT existing), count(*) FILTER (WHERE existing) FROM {self.plan}")
        if create or update:
            self._make_changes()
        return Compared(keys, create, update)

    def _make_changes(self) -> None:
        """The partition for this import's Changes; attached while it is empty, so that the timeline sees what commits."""
        if not one(f"SELECT to_regclass('{self.changes}') IS NULL"):
            return
        run(
            f"CREATE TABLE {self.changes} (LIKE importer_change INCLUDING DEFAULTS,"
            f" CONSTRAINT of_run CHECK (run_id IS NOT NULL AND run_id = {self.run_id}))"
        )
        run(f"ALTER TABLE importer_change ATTACH PARTITION {self.changes} FOR VALUES IN ({self.run_id})")

    # --- applying --------------------------------------------------------------------------------------------------

    def apply(self, after: int, until: int) -> Applied:
        """Write the plan's rows `after` < seq ≤ `until`: Changes and rows in one transaction, which is the caller's.

        Raises Raced when somebody deleted a row in between; nothing is lost by rolling back and calling again.
        """
        bucket: dict[str, Any] = {"after": after, "until": until, "dataset": self.dataset.name}
        keys, planned, bucket["first"], bucket["last"] = row(
            f"SELECT count(*), count(*) FILTER (WHERE existing), min(key), max(key) FROM {self.plan} p WHERE {_BUCKET}", bucket
        )
        if planned and self._lock(bucket) < planned:
            run(
                f"""UPDATE {self.plan} p SET existing = false WHERE {_BUCKET} AND existing
                    AND NOT EXISTS (SELECT FROM {self.table} t WHERE t.{self.key} = p.key)""",
                bucket,
            )
            planned = one(f"SELECT count(*) FROM {self.plan} p WHERE {_BUCKET} AND existing", bucket)
        created = self._insert(bucket) if planned < keys else 0
        if created < keys - planned:
            self._check_staged(bucket, keys)
            # Somebody made rows with these keys since COMPARE: they are there now, and are updated like the others.
            run(
                f"""UPDATE {self.plan} p SET existing = true WHERE {_BUCKET} AND NOT existing
                    AND NOT EXISTS (SELECT FROM {self.changes} c WHERE c.line = p.line)""",
                bucket,
            )
            if self._lock(bucket) < keys - created:
                raise Raced
        updated = self._update(bucket) if created < keys else 0
        if created + updated < keys:
            self._check_staged(bucket, keys)
        return Applied(keys, created, updated)

    def _lock(self, bucket: dict[str, Any]) -> int:
        """Lock the live rows of the bucket in key order, so that writers cannot deadlock."""
        return int(
            one(
                f"""SELECT count(*) FROM (
                    SELECT FROM {self.plan} p JOIN {self.table} t ON t.{self.key} = p.key
                    WHERE {_BUCKET} AND p.existing AND {self._among()} ORDER BY p.seq FOR UPDATE OF t) locked""",
                bucket,
            )
        )

    def _insert(self, bucket: dict[str, Any]) -> int:
        fresh = {"created_at": "%(at)s", "updated_at": "%(at)s"}
        # An empty cell that keeps the old value finds none in a new row.
        values = [f"coalesce(s.{c}, %(default_{place})s)" for place, c in enumerate(self.columns)]
        defaults = {f"default_{place}": self._default(name) for place, name in enumerate(self.names)}
        return count(
            f"""WITH fresh AS (
                INSERT INTO {self.table} ({", ".join([self.key, *self.columns, *fresh])})
                SELECT p.key, {", ".join([*values, *fresh.values()])} FROM {self.plan} p {self._staged()}
                WHERE {_BUCKET} AND NOT p.existing ORDER BY p.seq
                ON CONFLICT ({self.key}) DO NOTHING RETURNING id, {self.key} AS key)
            INSERT INTO {self.changes} (dataset, row_id, run_id, line, at, kind)
            SELECT %(dataset)s, fresh.id, {self.run_id}, p.line, %(at)s, 'c'
            FROM fresh JOIN {self.plan} p ON p.key = fresh.key AND {_BUCKET}""",
            bucket | defaults | {"at": self._now()},
        )

    def _update(self, bucket: dict[str, Any]) -> int:
        before = " || ".join(
            f"CASE WHEN s.{column} IS DISTINCT FROM t.{column} AND s.{column} IS NOT NULL"
            f" THEN jsonb_build_object('{name}', t.{column}) ELSE '{{}}' END"
            for name, column in zip(self.names, self.columns, strict=True)
        )
        values = ", ".join(f"{column} = coalesce(s.{column}, t.{column})" for column in self.columns)
        return count(
            f"""WITH old AS MATERIALIZED (
                SELECT t.id, p.seq, p.line, p.src, jsonb_build_object('updated_at', t.updated_at) || {before} AS before
                FROM {self.plan} p {self._staged()} JOIN {self.table} t ON t.{self.key} = p.key
                WHERE {_BUCKET} AND p.existing AND {self._among()} AND {self._differs()}),
            written AS (
                UPDATE {self.table} t SET {values}, updated_at = %(at)s
                FROM old p {self._staged()} WHERE t.id = p.id AND {self._among()})
            INSERT INTO {self.changes} (dataset, row_id, run_id, line, at, kind, before)
            SELECT %(dataset)s, id, {self.run_id}, line, %(at)s, 'u', before FROM old ORDER BY seq""",
            bucket | {"at": self._now()},
        )

    def _check_staged(self, bucket: dict[str, Any], keys: int) -> None:
        found = one(f"SELECT count(*) FROM {self.plan} p {self._staged()} WHERE {_BUCKET}", bucket)
        if found != keys:
            raise BadFile(
                "Somebody rewrote the staging table of this import while it ran (VACUUM FULL, CLUSTER, or a restored dump), "
                "and its plan does not fit any more. What was written so far is right; import the file again for the rest."
            )

    def _staged(self) -> str:
        """SQL: the staged row `s` that plan row `p` points to, fetched by its place.

        OFFSET 0 keeps the planner from reading the whole staging table for every bucket instead, which it likes to do.
        """
        fits = 'staged.ctid = p.src AND staged."#line" = p.line'
        return f"CROSS JOIN LATERAL (SELECT * FROM {self.stage} staged WHERE {fits} OFFSET 0) s"

    def _among(self) -> str:
        """SQL: live row `t` lies between the bucket's keys, so that no more than that part of the table is read."""
        return f"t.{self.key} BETWEEN %(first)s AND %(last)s"

    def _differs(self) -> str:
        """SQL: staged row `s` would change live row `t`."""
        return "(" + " OR ".join(f"(s.{c} IS NOT NULL AND s.{c} IS DISTINCT FROM t.{c})" for c in self.columns) + ")"

    def _default(self, name: str) -> Any:
        field = self.dataset.model._meta.get_field(name)
        default = field.get_default()  # type: ignore[union-attr]
        return bool(default) if isinstance(field, models.BooleanField) else default

    def _now(self) -> Any:
        """One moment for a whole bucket, by the database's clock."""
        return one("SELECT clock_timestamp()")

    # --- afterwards ------------------------------------------------------------------------------------------------

    def analyze(self, changed: int) -> None:
        """Count anew what the planner goes by, after a load that changed a good part of the table."""
        rows = one("SELECT reltuples FROM pg_class WHERE oid = %(table)s::regclass", {"table": self.table})
        if changed * 10 >= rows:
            run(f"ANALYZE {self.table}")

    def index_changes(self) -> None:
        """So that the timeline of a row is found without reading the whole partition."""
        if one(f"SELECT to_regclass('{self.changes}') IS NOT NULL"):
            run(f"CREATE INDEX IF NOT EXISTS {self.changes}_row ON {self.changes} (row_id)")


def _type(field: Any) -> str:
    """The type of a staged column: text for every kind of text (the length was checked), else the field's own."""
    kind = field.db_type(connection) or "text"
    return "text" if kind.startswith(("varchar", "character varying")) else kind
