"""The work tables of imports, once they are done with: what was read, the plan, and what the review shows.

Databases other than PostgreSQL keep the lines of all imports in one table, and have no tables of single imports to drop.
"""

import logging
from collections.abc import Iterable

from django.db import OperationalError, connection, transaction

from importer.loaders.sql import one, quoted, rows, run, was_locked
from importer.models import Change, StagedRow

log = logging.getLogger(__name__)

KINDS = ("stage", "plan", "missing", "double")


def drop(run_id: int) -> None:
    """Drop the work tables of an import; its Changes stay.

    A worker that froze inside a COPY keeps its staging table locked for as long as it is frozen: after a second the table
    is left for the next time.
    """
    StagedRow.objects.filter(run_id=run_id).delete()
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic():
            run("SET LOCAL lock_timeout = '1s'")
            run(f"DROP TABLE IF EXISTS {', '.join(f'importer_{kind}_{run_id}' for kind in KINDS)}")
    except OperationalError as problem:
        if not was_locked(problem):
            raise
        log.warning("The work tables of import %s are in use; they are dropped later.", run_id)


def exist(run_id: int) -> bool:
    """True while what the import has read is kept, so that it can go on."""
    if StagedRow.objects.filter(run_id=run_id).exists():
        return True
    return connection.vendor == "postgresql" and bool(one(f"SELECT to_regclass('importer_stage_{run_id}') IS NOT NULL"))


def hold(run_id: int, column: str, value: str) -> bool:
    """True when a line that the import has read has `value`, as it was cleaned, in `column`."""
    if StagedRow.objects.filter(run_id=run_id, **{f"values__{column}": value}).exists():
        return True
    if connection.vendor != "postgresql":
        return False
    stage = f"importer_stage_{run_id}"
    there = rows(
        "SELECT FROM pg_attribute WHERE attrelid = to_regclass(%(stage)s) AND attname = %(column)s",
        {"stage": stage, "column": column},
    )
    return bool(there) and bool(
        one(f"SELECT EXISTS (SELECT FROM {stage} WHERE {quoted(column)} = %(value)s)", {"value": value})
    )


def drop_old_changes(run_ids: Iterable[int]) -> int:
    """Drop the Changes of imports, a table each; one that is in use is left for the next time. Returns how many went."""
    if connection.vendor != "postgresql":
        return Change.objects.filter(run_id__in=list(run_ids)).delete()[0]
    dropped = 0
    for run_id in run_ids:
        try:
            with transaction.atomic():
                run("SET LOCAL lock_timeout = '1s'")
                run(f"DROP TABLE IF EXISTS importer_change_{run_id}")
            dropped += 1
        except OperationalError as problem:
            if not was_locked(problem):
                raise
            log.warning("The Changes of import %s are in use; they are dropped later.", run_id)
    return dropped


def with_changes() -> set[int]:
    """Imports whose Changes are kept."""
    if connection.vendor != "postgresql":
        return set(Change.objects.exclude(run=None).order_by().values_list("run_id", flat=True).distinct())
    names = rows(
        r"""SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^importer_change_\d+$'
        AND relnamespace = current_schema()::regnamespace"""
    )
    return {int(name.rsplit("_", 1)[1]) for (name,) in names}


def found() -> dict[int, list[str]]:
    """The work tables there are, by the import they belong to."""
    staged = StagedRow.objects.order_by().values_list("run_id", flat=True).distinct()
    tables: dict[int, list[str]] = {run_id: [StagedRow._meta.db_table] for run_id in staged}
    if connection.vendor != "postgresql":
        return tables
    for (name,) in rows(
        rf"""SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^importer_({"|".join(KINDS)})_\d+$'
        AND relnamespace = current_schema()::regnamespace"""
    ):
        tables.setdefault(int(name.rsplit("_", 1)[1]), []).append(name)
    return tables
