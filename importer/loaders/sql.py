"""Statements on the thread's own connection, in the caller's transaction. Names come from models, never from files."""

from typing import Any

from django.db import DatabaseError, connection

_LOCK_NOT_AVAILABLE = "55P03"
_DEADLOCK_DETECTED = "40P01"


def quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def run(sql: str, params: dict[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def count(sql: str, params: dict[str, Any]) -> int:
    """Rows that the statement touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def row(sql: str, params: dict[str, Any] | None = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()


def rows(sql: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def one(sql: str, params: dict[str, Any] | None = None) -> Any:
    return row(sql, params)[0]


def was_locked(problem: DatabaseError) -> bool:
    """True when a statement gave up waiting for a lock (lock_timeout)."""
    return getattr(problem.__cause__, "pgcode", "") == _LOCK_NOT_AVAILABLE


def was_deadlocked(problem: DatabaseError) -> bool:
    """True when two transactions waited for each other and this one was chosen to give way."""
    return getattr(problem.__cause__, "pgcode", "") == _DEADLOCK_DETECTED
