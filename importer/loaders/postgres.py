"""Cleaned rows into their table on PostgreSQL, set by set: COPY into a staging table, compare, apply in key order.

One import has tables of its own, all logged, because a crash empties unlogged ones while the checkpoint survives:

    importer_stage_<id>    every line as it was cleaned: line, key, values
    importer_plan_<id>     one row for each key that will be created or updated, numbered in key order
    importer_missing_<id>  the keys that are to be switched off because the file does not have them, numbered in key order
    importer_double_<id>   for the review: keys that stand in the file more than once
    importer_change_<id>   a partition of importer_change: what was really done

The plan points to staged rows by their place (ctid): nothing updates or moves a staged row. What the plan says of a live row
is only a forecast; apply decides by the live rows, which it locks.

Every function runs inside the caller's transaction. Table and column names come from models, never from files.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, models

from importer.datasets import Dataset
from importer.loaders.copy_text import encode
from importer.loaders.sql import count, one, quoted, row, rows, run
from importer.values import BadFile

#: SQL: plan row `p` is in the bucket at hand.
AT_HAND = "p.seq > %(after)s AND p.seq <= %(until)s"
#: SQL by type of column, "" for the others: staged row `s` changes, or empties, column `{c}` of live row `t`.
_CHANGES = {"": "s.{c} IS NOT NULL AND s.{c} IS DISTINCT FROM t.{c}"}
_EMPTIES = {"text": "s.{c} = '' AND t.{c} <> ''", "boolean": "NOT s.{c} AND t.{c}"}


@dataclass(frozen=True)
class Compared:
    """What COMPARE found: keys in the file, and how many of them have no live row or a different one."""

    keys: int
    to_create: int
    to_update: int
    #: {column: rows to be updated in which it changes, or goes from something to nothing}
    changed: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)
    #: Rows to be switched off because the file does not have them.
    missing: int = 0
    #: Live rows before; counted only when some of them would change.
    live: int = 0
    #: Lines that come too early to be stored at once, and the seconds until the last of them may be: both an estimate.
    to_hold: int = 0
    longest_wait: float = 0.0

    @property
    def planned(self) -> int:
        """Lines that APPLY has to do with."""
        return self.to_create + self.to_update + self.to_hold


@dataclass(frozen=True)
class Applied:
    """What one bucket really did; `keys` is how many keys of the plan it handled."""

    keys: int
    created: int
    updated: int
    held: int = 0


@dataclass(frozen=True)
class Mangled:
    """Keys that look damaged: how many, and some as [line, the key in the file, the key in the catalogue or ""]."""

    count: int
    examples: list[list[Any]]


class Raced(Exception):
    """A live row vanished between two statements of a bucket: roll back and do the bucket again."""


class PostgresLoader:
    """Loads the columns `names` of one import (`run_id`) into the dataset's table.

    Staged columns that are not among `names` are left out: live rows keep what they have, new ones get the field's default.
    """

    #: Keys that `apply` should be given at once, at most.
    most = 20_000
    #: Rows must be written one bucket after the other.
    in_turn = False

    def __init__(self, dataset: Dataset, run_id: int, names: Sequence[str]) -> None:
        self.dataset = dataset
        self.run_id = run_id
        self.names = list(names)
        meta = dataset.model._meta
        self.table = quoted(meta.db_table)
        self.key = quoted(dataset.key.field)
        self.stage = f"importer_stage_{run_id}"
        self.plan = f"importer_plan_{run_id}"
        self.missing = f"importer_missing_{run_id}"
        self.doubles = f"importer_double_{run_id}"
        self.changes = f"importer_change_{run_id}"
        #: Live rows stay as they are, and of lines with one key the first wins.
        self.keeps_first = dataset.keeps_first
        self.columns = [quoted(name) for name in self.names]
        self.fields = [meta.get_field(name) for name in self.names]
        self.types = [_type(field) for field in self.fields]

    # --- staging ---------------------------------------------------------------------------------------------------

    def make_stage(self) -> None:
        kinds = [kind + _collated(field) for kind, field in zip(self.types, self.fields, strict=True)]
        columns = ", ".join(f"{column} {kind}" for column, kind in zip(self.columns, kinds, strict=True))
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

    def compare(self, deactivate_missing: bool = False) -> Compared:
        """Find the winning line of each key and what it would change; fill the plan, and the list of missing keys if wanted.

        The last line of a key wins, or the first where the dataset keeps what came first. A value that is NULL in the staging
        table leaves its field as it is. Bit i of the plan's `changed` and `emptied` stands for the i-th of `names`.
        """
        run("SET LOCAL work_mem = '96MB'")
        run(f"ANALYZE {self.stage}")
        run(f"DROP TABLE IF EXISTS {self.plan}, {self.missing}, {self.doubles}")
        run(
            f'CREATE TABLE {self.plan} (seq bigint NOT NULL, key text COLLATE "C" NOT NULL, line bigint NOT NULL,'
            " src tid NOT NULL, existing boolean NOT NULL, changed int NOT NULL, emptied int NOT NULL)"
            " WITH (autovacuum_enabled = false)"
        )
        live = one(f"SELECT EXISTS (SELECT FROM {self.table})")
        order = "ASC" if self.keeps_first else "DESC"
        if live:
            winners = f"""
                SELECT DISTINCT ON (s."#key") s."#key" AS key, s."#line" AS line, s.ctid AS src, t.id IS NOT NULL AS existing,
                       CASE WHEN t.id IS NULL THEN 0 ELSE {self._bits(_CHANGES)} END AS changed,
                       CASE WHEN t.id IS NULL THEN 0 ELSE {self._bits(_EMPTIES)} END AS emptied
                FROM {self.stage} s LEFT JOIN {self.table} t ON t.{self.key} = s."#key"
                ORDER BY s."#key", s."#line" {order}"""
        else:
            winners = f"""
                SELECT DISTINCT ON (s."#key") s."#key" AS key, s."#line" AS line, s.ctid AS src,
                       false AS existing, 0 AS changed, 0 AS emptied
                FROM {self.stage} s ORDER BY s."#key", s."#line" {order}"""
        keys = one(
            f"""WITH winners AS MATERIALIZED ({winners}), planned AS (
                INSERT INTO {self.plan}
                SELECT row_number() OVER (ORDER BY key), key, line, src, existing, changed, emptied
                FROM winners WHERE NOT existing OR changed <> 0)
            SELECT count(*) FROM winners"""
        )
        run(f"ALTER TABLE {self.plan} ADD PRIMARY KEY (seq)")
        run(f"ANALYZE {self.plan}")
        tests = [f"{bits} & {1 << place} <> 0" for bits in ("changed", "emptied") for place in range(len(self.names))]
        filters = ", ".join(f"count(*) FILTER (WHERE {test})" for test in ("NOT existing", "existing", *tests))
        create, update, *counts = row(f"SELECT {filters} FROM {self.plan}")
        changed, emptied = counts[: len(self.names)], counts[len(self.names) :]
        missing = self._list_missing() if live and deactivate_missing else 0
        if create or update or missing:
            self._make_changes()
        return Compared(
            keys,
            create,
            update,
            dict(zip(self.names, changed, strict=True)),
            dict(zip(self.names, emptied, strict=True)),
            missing,
            one(f"SELECT count(*) FROM {self.table}") if update or missing else 0,
        )

    def _bits(self, tests: dict[str, str]) -> str:
        """SQL: bit i is set where the test for its type holds for the i-th column."""
        bits = [
            f"CASE WHEN {test.format(c=column)} THEN {1 << place} ELSE 0 END"
            for place, (column, kind) in enumerate(zip(self.columns, self.types, strict=True))
            if not self.keeps_first and (test := tests.get(kind, tests.get("")))
        ]
        return f"({' | '.join(bits)})" if bits else "0"

    def _list_missing(self) -> int:
        run(f'CREATE TABLE {self.missing} (seq bigint PRIMARY KEY, key text COLLATE "C" NOT NULL)')
        run(
            f"""INSERT INTO {self.missing} SELECT row_number() OVER (ORDER BY t.{self.key}), t.{self.key}
                FROM {self.table} t WHERE {self._absent()}"""
        )
        run(f"ANALYZE {self.missing}")
        return int(one(f"SELECT count(*) FROM {self.missing}"))

    def _absent(self) -> str:
        """SQL: live row `t` is switched on, and the file has no line for it."""
        return f'{self._switch()} AND NOT EXISTS (SELECT FROM {self.stage} s WHERE s."#key" = t.{self.key})'

    def _switch(self) -> str:
        return f"t.{quoted(self.dataset.switch)}"

    # --- for the review --------------------------------------------------------------------------------------------

    def count_missing(self) -> int:
        """Live rows that are switched on and that the file does not have; 0 where nothing can be switched off."""
        return int(one(f"SELECT count(*) FROM {self.table} t WHERE {self._absent()}")) if self.dataset.switch else 0

    def list_doubles(self) -> None:
        """Keys that stand in the file more than once: how often, the line that wins, and up to 20 lines, the last first."""
        run(f"DROP TABLE IF EXISTS {self.doubles}")
        winner = "min" if self.keeps_first else "max"
        run(
            f"""CREATE TABLE {self.doubles} AS
                SELECT row_number() OVER (ORDER BY "#key") AS seq, "#key" AS key, count(*) AS n, {winner}("#line") AS line,
                       (array_agg(ctid ORDER BY "#line" DESC))[1:20] AS lines
                FROM {self.stage} GROUP BY "#key" HAVING count(*) > 1"""
        )
        run(f"ALTER TABLE {self.doubles} ADD PRIMARY KEY (seq)")

    def scientific(self) -> Mangled:
        """New keys that are numbers in scientific notation, as a spreadsheet writes long codes: 9.71e+11.

        A spreadsheet always writes the sign, or a fraction; 1e5 without either is somebody's code.
        """
        spelled = f"s.{quoted(self.dataset.key.column)}"
        found = rows(
            f"""SELECT p.line, {spelled}, '', count(*) OVER () FROM {self.plan} p {self.staged()}
                WHERE NOT p.existing AND p.key ~* '^[0-9]([.,][0-9]+e[+-]?|e[+-])[0-9]+$' ORDER BY p.seq LIMIT 5"""
        )
        return _mangled(found)

    def shortened(self) -> Mangled:
        """New keys that are the same number as a live key but for zeros: 17 for 0017, 90.75 for 90.750, 17.0 for 17."""
        number = "'^[0-9]+([.][0-9]+)?$'"
        if not one(f"SELECT EXISTS (SELECT FROM {self.plan} WHERE NOT existing AND key ~ {number})"):
            return Mangled(0, [])
        if not one(f"SELECT EXISTS (SELECT FROM {self.table})"):
            return Mangled(0, [])
        spelled = quoted(self.dataset.key.column)
        found = rows(
            f"""WITH live AS MATERIALIZED (
                SELECT DISTINCT ON (1) {_number(f"t.{self.key}")} COLLATE "C" AS number, t.{spelled} AS spelled
                FROM {self.table} t WHERE t.{self.key} ~ {number} ORDER BY 1, t.{self.key})
            SELECT p.line, s.{spelled}, live.spelled, count(*) OVER ()
            FROM {self.plan} p JOIN live ON live.number = {_number("p.key")} {self.staged()}
            WHERE NOT p.existing AND p.key ~ {number} ORDER BY p.seq LIMIT 5"""
        )
        return _mangled(found)

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
            f"SELECT count(*), count(*) FILTER (WHERE existing), min(key), max(key) FROM {self.plan} p WHERE {AT_HAND}",
            bucket,
        )
        if planned and self._lock(bucket) < planned:
            run(
                f"""UPDATE {self.plan} p SET existing = false WHERE {AT_HAND} AND existing
                    AND NOT EXISTS (SELECT FROM {self.table} t WHERE t.{self.key} = p.key)""",
                bucket,
            )
            planned = one(f"SELECT count(*) FROM {self.plan} p WHERE {AT_HAND} AND existing", bucket)
        created = self._insert(bucket) if planned < keys else 0
        if created < keys - planned:
            self._check_staged(bucket, keys)
            # Somebody made rows with these keys since COMPARE: they are there now, and are updated like the others.
            run(
                f"""UPDATE {self.plan} p SET existing = true WHERE {AT_HAND} AND NOT existing
                    AND NOT EXISTS (SELECT FROM {self.changes} c WHERE c.line = p.line)""",
                bucket,
            )
            if self._lock(bucket) < keys - created:
                raise Raced
        updated = self._update(bucket) if created < keys and not self.keeps_first else 0
        if created + updated < keys:
            self._check_staged(bucket, keys)
        return Applied(keys, created, updated)

    def _lock(self, bucket: dict[str, Any]) -> int:
        """Lock the live rows of the bucket in key order, so that writers cannot deadlock."""
        return int(
            one(
                f"""SELECT count(*) FROM (
                    SELECT FROM {self.plan} p JOIN {self.table} t ON t.{self.key} = p.key
                    WHERE {AT_HAND} AND p.existing AND {self._among()} ORDER BY p.seq FOR UPDATE OF t) locked""",
                bucket,
            )
        )

    def _insert(self, bucket: dict[str, Any]) -> int:
        fresh = {"created_at": "%(at)s", "updated_at": "%(at)s"}
        # An empty cell that keeps the old value finds none in a new row.
        values = [f"coalesce(s.{c}, %(default_{place})s)" for place, c in enumerate(self.columns)]
        defaults = {f"default_{place}": self._default(name) for place, name in enumerate(self.names)}
        left_out = self._left_out()
        absent = [f"%({name})s" for name in left_out]
        return count(
            f"""WITH fresh AS (
                INSERT INTO {self.table} ({", ".join([self.key, *self.columns, *map(quoted, left_out), *fresh])})
                SELECT p.key, {", ".join([*values, *absent, *fresh.values()])} FROM {self.plan} p {self.staged()}
                WHERE {AT_HAND} AND NOT p.existing ORDER BY p.seq
                ON CONFLICT ({self.key}) DO NOTHING RETURNING id, {self.key} AS key)
            INSERT INTO {self.changes} (dataset, row_id, run_id, line, at, kind)
            SELECT %(dataset)s, fresh.id, {self.run_id}, p.line, %(at)s, 'c'
            FROM fresh JOIN {self.plan} p ON p.key = fresh.key AND {AT_HAND}""",
            left_out | bucket | defaults | {"at": self._now()},
        )

    def _left_out(self) -> dict[str, Any]:
        """What new rows get in the columns that are not loaded."""
        return {column.name: self._default(column.name) for column in self.dataset.columns if column.name not in self.names}

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
                FROM {self.plan} p {self.staged()} JOIN {self.table} t ON t.{self.key} = p.key
                WHERE {AT_HAND} AND p.existing AND {self._among()} AND {self._differs()}),
            written AS (
                UPDATE {self.table} t SET {values}, updated_at = %(at)s
                FROM old p {self.staged()} WHERE t.id = p.id AND {self._among()})
            INSERT INTO {self.changes} (dataset, row_id, run_id, line, at, kind, before)
            SELECT %(dataset)s, id, {self.run_id}, line, %(at)s, 'u', before FROM old ORDER BY seq""",
            bucket | {"at": self._now()},
        )

    def deactivate(self, after: int, until: int) -> int:
        """Switch off the missing rows `after` < seq ≤ `until` that are still on; returns how many that were."""
        bucket: dict[str, Any] = {"after": after, "until": until, "dataset": self.dataset.name}
        bucket["first"], bucket["last"] = row(f"SELECT min(key), max(key) FROM {self.missing} p WHERE {AT_HAND}", bucket)
        still = f"""FROM {self.missing} p JOIN {self.table} t ON t.{self.key} = p.key
                WHERE {AT_HAND} AND {self._among()} AND {self._switch()} ORDER BY p.seq"""
        # Locked in key order by a statement of their own: what is written goes by the rows as they are then.
        run(f"SELECT count(*) FROM (SELECT {still} FOR UPDATE OF t) locked", bucket)
        return count(
            f"""WITH old AS MATERIALIZED (SELECT p.seq, t.id, t.updated_at {still}),
            written AS (
                UPDATE {self.table} t SET {quoted(self.dataset.switch)} = false, updated_at = %(at)s
                FROM old WHERE t.id = old.id AND {self._among()})
            INSERT INTO {self.changes} (dataset, row_id, run_id, at, kind, before)
            SELECT %(dataset)s, id, {self.run_id}, %(at)s, 'u',
                   jsonb_build_object('updated_at', updated_at, '{self.dataset.switch}', true)
            FROM old ORDER BY seq""",
            bucket | {"at": self._now()},
        )

    def _check_staged(self, bucket: dict[str, Any], keys: int) -> None:
        found = one(f"SELECT count(*) FROM {self.plan} p {self.staged()} WHERE {AT_HAND}", bucket)
        if found != keys:
            raise BadFile(
                "Somebody rewrote the staging table of this import while it ran (VACUUM FULL, CLUSTER, or a restored dump), "
                "and its plan does not fit any more. What was written so far is right; import the file again for the rest."
            )

    def staged(self) -> str:
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


def _collated(field: Any) -> str:
    """SQL: texts are compared as in the live table; PostgreSQL refuses to compare two collations."""
    collation = field.db_parameters(connection).get("collation")
    return f' COLLATE "{collation}"' if collation else ""


def _number(key: str) -> str:
    """SQL: a key of digits without the zeros that a spreadsheet drops, in front and after the point."""
    return f"ltrim(CASE WHEN strpos({key}, '.') > 0 THEN rtrim(rtrim({key}, '0'), '.') ELSE {key} END, '0')"


def _mangled(found: list[tuple[Any, ...]]) -> Mangled:
    return Mangled(found[0][3] if found else 0, [list(example[:3]) for example in found])
