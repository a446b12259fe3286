"""Indexes that only serve searching: dropped before a first large load, built after it, tidied after every load.

Only PostgreSQL has them; on other databases nothing is found, and nothing is to do.
"""

from django.db import connection

from importer.loaders.sql import one, quoted, rows, run

#: Rows that a search reads through faster than a person notices (1,000 a millisecond), with or without indexes.
FEW = 5_000


def drop(table: str, stage: str) -> list[list[str]]:
    """Before a load into an empty table, or one so small that nobody misses them: drop what only serves searching.

    `table` and `stage` are quoted names. Returns what must be built again: [[name, definition], …]; nothing when the table
    has more than FEW rows or `stage` has not. Raises OperationalError when somebody else uses the table for longer than a
    second.
    """
    if connection.vendor != "postgresql":
        return []
    few = f"SELECT count(*) <= {FEW} FROM (SELECT FROM {table} LIMIT {FEW + 1}) seen"
    many = f"SELECT count(*) > {FEW} FROM (SELECT FROM {stage} LIMIT {FEW + 1}) seen"
    if not one(few) or not one(many):
        return []
    run("SET LOCAL lock_timeout = '1s'")
    run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    if not one(few):
        return []
    indexes = [[name, definition] for name, definition, _ in found(table)]
    for name, _ in indexes:
        run(f"DROP INDEX {quoted(name)}")
    return indexes


def build(definition: str) -> None:
    run("SET LOCAL maintenance_work_mem = '128MB'")
    run(definition.replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS", 1))


def clean(table: str) -> None:
    """Move what the load left in pending lists of GIN indexes into their trees: else searches are 7 times slower."""
    for name, _, method in found(table):
        if method == "gin":
            run("SELECT gin_clean_pending_list(%(name)s::regclass)", {"name": quoted(name)})


def found(table: str) -> list[tuple[str, str, str]]:
    """Name, definition and method of every index that neither bars rows nor is a key."""
    if connection.vendor != "postgresql":
        return []
    return rows(
        """SELECT c.relname, pg_get_indexdef(c.oid), am.amname
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
        WHERE i.indrelid = %(table)s::regclass AND NOT i.indisunique AND NOT i.indisprimary
        AND NOT i.indisexclusion ORDER BY c.relname""",
        {"table": table},
    )
