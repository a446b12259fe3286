"""Cleaned rows into a dataset whose rows may not be stored again within a while: stored at once, or held until their moment.

Every line becomes a row, so there are no keys to compare: the plan is the lines in their order, and APPLY, which goes by the
clock, decides. Only lines that share a value with another line of the bucket, with a row of late, or with a waiting one are
looked at one by one; all others go at once.

Every function runs inside the caller's transaction; `apply` wants the dataset's turn (locks.turn).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Max
from django.utils import timezone

from importer.datasets import Dataset
from importer.loaders.portable import SLICE, PortableLoader, new_row
from importer.loaders.postgres import AT_HAND, Applied, Compared, PostgresLoader
from importer.loaders.sql import count, one, quoted, row, rows, run
from importer.models import Change, Held, HeldValue, StagedRow
from importer.policies import HoldWithin, Moments, Value

#: SQL: the table of what waiting rows bar.
_HELD = f'"{HeldValue._meta.db_table}"'


def policy_of(dataset: Dataset) -> HoldWithin:
    assert isinstance(dataset.policy, HoldWithin), dataset.name
    return dataset.policy


def barring(policy: HoldWithin, values: Mapping[str, str | None]) -> list[Value]:
    """What in a row bars others."""
    return [(column, value) for column in policy.match if (value := values.get(column))]


def hold(dataset: Dataset, run_id: int, lines: Iterable[tuple[int, dict[str, str | None], datetime]]) -> int:
    """Keep lines, as (number, values, moment), until their moments; returns how many they are."""
    policy = policy_of(dataset)
    held = Held.objects.bulk_create(
        Held(run_id=run_id, dataset=dataset.name, line=line, values=values, due_at=due_at) for line, values, due_at in lines
    )
    bar(policy, held)
    return len(held)


def bar(policy: HoldWithin, held: Iterable[Held]) -> None:
    """Note what waiting rows bar."""
    HeldValue.objects.bulk_create(
        HeldValue(held=waiting, dataset=waiting.dataset, column=column, value=value, due_at=waiting.due_at)
        for waiting in held
        for column, value in barring(policy, waiting.values)
    )


def row_at(dataset: Dataset, values: Mapping[str, str | None], at: datetime) -> models.Model:
    """A row with the texts of `values` that is stored at `at`, not saved yet."""
    policy = policy_of(dataset)
    made: models.Model = new_row(dataset, dataset.key.fold(values[dataset.key.column]), values, at)
    setattr(made, policy.until, at + policy.window)
    return made


class HoldingPostgres(PostgresLoader):
    """Loads on PostgreSQL: those that go at once with one statement for each bucket."""

    #: About half a second's work even when every line is held, so that held rows whose moment comes are not late.
    most = 5_000
    in_turn = True

    def compare(self, deactivate_missing: bool = False) -> Compared:
        """Number the lines in their order, and estimate how many come too early, and when the last may be stored."""
        run("SET LOCAL work_mem = '96MB'")
        run(f"ANALYZE {self.stage}")
        run(f"DROP TABLE IF EXISTS {self.plan}")
        run(
            f"""CREATE TABLE {self.plan} WITH (autovacuum_enabled = false) AS
                SELECT row_number() OVER (ORDER BY "#line") AS seq, "#key" AS key, "#line" AS line, ctid AS src,
                       false AS existing, 0 AS changed, 0 AS emptied FROM {self.stage}"""
        )
        run(f"ALTER TABLE {self.plan} ADD PRIMARY KEY (seq)")
        run(f"ANALYZE {self.plan}")
        lines = int(one(f"SELECT count(*) FROM {self.plan}"))
        if lines:
            self._make_changes()
        early, longest = self._estimate()
        none = dict.fromkeys(self.names, 0)
        return Compared(lines, lines - early, 0, none, none, to_hold=early, longest_wait=longest)

    def _estimate(self) -> tuple[int, float]:
        """How many lines have a value that an earlier line has, or a row of late; and the wait at the end of the longest row
        of lines with the same value, in seconds. Lines that share one value with one line and one with another may wait for
        longer."""
        policy = policy_of(self.dataset)
        among = {"dataset": self.dataset.name, "window": policy.window, "now": self._now()}
        early, waits = [], []
        for column in policy.match:
            c = quoted(column)
            busy = f"""(SELECT value, max(until) AS until FROM (
                SELECT {c} AS value, greatest(created_at + %(window)s, {quoted(policy.until)}) AS until
                FROM {self.table} WHERE created_at > %(now)s - %(window)s
                UNION ALL SELECT value, greatest(due_at, %(now)s) + %(window)s FROM {_HELD}
                WHERE dataset = %(dataset)s AND "column" = '{column}') latest GROUP BY value HAVING max(until) > %(now)s)"""
            early.append(
                f"""(SELECT s."#line" AS line FROM (
                    SELECT "#line", {c}, row_number() OVER (PARTITION BY {c} ORDER BY "#line") AS nth
                    FROM {self.stage} WHERE {c} <> '') s
                    LEFT JOIN {busy} busy ON busy.value = s.{c} WHERE s.nth > 1 OR busy.until IS NOT NULL)"""
            )
            waits.append(
                f"""(SELECT max((lines - 1) * %(window)s + greatest(coalesce(until - %(now)s, '0'), '0')) AS wait
                    FROM (SELECT {c}, count(*) AS lines FROM {self.stage} WHERE {c} <> '' GROUP BY {c}) s
                    LEFT JOIN {busy} busy ON busy.value = s.{c})"""
            )
        held, longest = row(
            f"""SELECT (SELECT count(DISTINCT line) FROM ({" UNION ALL ".join(early)}) early),
                       (SELECT extract(epoch FROM max(wait)) FROM ({" UNION ALL ".join(waits)}) waits)""",
            among,
        )
        return int(held), float(longest or 0) if held else 0.0

    def apply(self, after: int, until: int) -> Applied:
        """Store the lines `after` < seq ≤ `until`, or hold those that come too early."""
        bucket: dict[str, Any] = {"after": after, "until": until, "now": self._now()}
        held = self._too_early(bucket)
        created = self._store(bucket, [line for line, _ in held])
        lines = until - after
        if created + len(held) < lines:
            self._check_staged(bucket, lines)
        return Applied(lines, created, 0, self._hold(bucket, dict(held)))

    def _too_early(self, bucket: dict[str, Any]) -> list[tuple[int, datetime]]:
        """The lines that must wait, and until when."""
        policy = policy_of(self.dataset)
        columns = [quoted(column) for column in policy.match]
        counts = ", ".join(f"count(*) OVER (PARTITION BY {c}) AS n{place}" for place, c in enumerate(columns))
        frees = ", ".join(
            f"""(SELECT max(free) FROM (
                SELECT greatest(max(t.created_at) + %(window)s, max(t.{quoted(policy.until)})) AS free
                FROM {self.table} t WHERE t.{c} = b.{c} AND t.created_at > %(since)s
                UNION ALL SELECT greatest(max(h.due_at), CASE WHEN count(*) > 0 THEN %(now)s END) + %(window)s FROM {_HELD} h
                WHERE h.dataset = %(dataset)s AND h."column" = '{name}' AND h.value = b.{c}) known) AS free{place}"""
            for place, (c, name) in enumerate(zip(columns, policy.match, strict=True))
        )
        busy = " OR ".join(f"({c} <> '' AND (n{i} > 1 OR free{i} > %(now)s))" for i, c in enumerate(columns))
        named = ", ".join(f"free{place}" for place in range(len(columns)))
        found = rows(
            f"""WITH bucket AS MATERIALIZED (
                SELECT p.line, {", ".join(f"s.{c}" for c in columns)} FROM {self.plan} p {self.staged()} WHERE {AT_HAND}),
            looked AS (SELECT b.*, {counts}, {frees} FROM bucket b)
            SELECT line, {", ".join(columns)}, {named} FROM looked WHERE {busy} ORDER BY line""",
            bucket | {"dataset": self.dataset.name, "window": policy.window, "since": policy.since(bucket["now"])},
        )
        moments = Moments(policy.window, bucket["now"])
        waiting = []
        for line, *rest in found:
            values, known = rest[: len(columns)], rest[len(columns) :]
            for column, value, free in zip(policy.match, values, known, strict=True):
                moments.know((column, value), free)
            moment = moments.of(barring(policy, dict(zip(policy.match, values, strict=True))))
            if moment > moments.now:
                waiting.append((line, moment))
        return waiting

    def _store(self, bucket: dict[str, Any], held: list[int]) -> int:
        """Write the lines of the bucket but for those `held`, with a Change for each; returns how many."""
        policy = policy_of(self.dataset)
        left_out = self._left_out()
        columns = [*self.columns, *map(quoted, left_out), "created_at", "updated_at", quoted(policy.until)]
        given = [f"s.{c}" for c in self.columns] + [f"%({name})s" for name in left_out]
        stamps = ["%(now)s", "%(now)s", "%(closed)s"]
        sequence = one("SELECT pg_get_serial_sequence(%(table)s, 'id')", {"table": self.dataset.model._meta.db_table})
        names = [f"c{place}" for place in range(len(given))]
        return count(
            f"""WITH chosen AS MATERIALIZED (
                SELECT nextval('{sequence}') AS id, line, {", ".join(names)} FROM (
                    SELECT p.line, {", ".join(f"{value} AS {name}" for value, name in zip(given, names, strict=True))}
                    FROM {self.plan} p {self.staged()} WHERE {AT_HAND} AND p.line <> ALL(%(held)s::bigint[]) ORDER BY p.seq) l),
            written AS (
                INSERT INTO {self.table} (id, {", ".join(columns)}) SELECT id, {", ".join([*names, *stamps])} FROM chosen)
            INSERT INTO {self.changes} (dataset, row_id, run_id, line, at, kind)
            SELECT %(dataset)s, id, {self.run_id}, line, %(now)s, 'c' FROM chosen""",
            left_out | bucket | {"held": held, "closed": bucket["now"] + policy.window, "dataset": self.dataset.name},
        )

    def _hold(self, bucket: dict[str, Any], moments: dict[int, datetime]) -> int:
        if not moments:
            return 0
        columns = ", ".join(f"s.{c}::text" for c in self.columns)
        found = rows(
            f"""SELECT p.line, {columns} FROM {self.plan} p {self.staged()}
                WHERE {AT_HAND} AND p.line = ANY(%(lines)s) ORDER BY p.seq""",
            bucket | {"lines": list(moments)},
        )
        lines = [(line, dict(zip(self.names, values, strict=True)), moments[line]) for line, *values in found]
        return hold(self.dataset, self.run_id, lines)


class HoldingPortable(PortableLoader):
    """Loads on other databases, a few hundred lines at a time."""

    in_turn = True

    def compare(self, deactivate_missing: bool = False) -> Compared:
        """Number the lines in their order."""
        self.staged.exclude(seq=None).update(seq=None)
        lines = last = 0
        while page := list(self.staged.filter(line__gt=last).order_by("line")[:SLICE]):
            for staged in page:
                lines += 1
                staged.seq = lines
            self._number(page)
            last = page[-1].line
        return Compared(lines, lines, 0)

    def apply(self, after: int, until: int) -> Applied:
        """Store the lines `after` < seq ≤ `until`, or hold those that come too early."""
        at = timezone.now()
        created = held = 0
        for start in range(after, until, SLICE):
            page = list(self.staged.filter(seq__gt=start, seq__lte=min(start + SLICE, until)).order_by("seq"))
            moments = self._moments(page, at)
            held += hold(self.dataset, self.run_id, [(s.line, s.values, moments[s.line]) for s in page if moments[s.line] > at])
            created += self._store([s for s in page if moments[s.line] <= at], at)
        return Applied(created + held, created, 0, held)

    def _moments(self, page: list[StagedRow], at: datetime) -> dict[int, datetime]:
        policy = policy_of(self.dataset)
        moments = Moments(policy.window, at)
        for column in policy.match:
            values = {staged.values[column] for staged in page if staged.values[column]}
            for value, free in taken(self.dataset, column, values, at).items():
                moments.know((column, value), free)
        return {staged.line: moments.of(barring(policy, staged.values)) for staged in page}

    def _store(self, page: list[StagedRow], at: datetime) -> int:
        stored = self.live.bulk_create([row_at(self.dataset, staged.values, at) for staged in page])
        self._note(
            Change(kind=Change.Kind.CREATED, row_id=new.pk, line=staged.line, at=at)
            for new, staged in zip(stored, page, strict=True)
        )
        return len(stored)


def stored(dataset: Dataset, column: str, values: Iterable[str], now: datetime) -> dict[str, datetime]:
    """From when `values` of a column may be stored again by the rows that are stored; values of old rows are left out."""
    policy, live = policy_of(dataset), dataset.model._default_manager
    found: Any = live.filter(**{f"{column}__in": list(values)}, created_at__gt=policy.since(now)).values_list(column)
    lasts = found.annotate(last=Max("created_at"), until=Max(policy.until)).order_by()
    return {value: policy.free(last, until) for value, last, until in lasts}


def taken(dataset: Dataset, column: str, values: Iterable[str], now: datetime) -> dict[str, datetime]:
    """From when `values` of a column may be stored again, by the rows that are stored and those that wait.

    A row that waits goes before new ones, even when its moment is past because the timetable stood still.
    """
    wanted, window = list(values), policy_of(dataset).window
    free = stored(dataset, column, wanted, now)
    waiting = HeldValue.objects.filter(dataset=dataset.name, column=column, value__in=wanted).values_list("value")
    for value, due_at in waiting.annotate(last=Max("due_at")).order_by():
        free[value] = max(max(due_at, now) + window, free.get(value, now))
    return free
