"""What newcomers get wrong around the site: versions, extensions, clocks, and processes that nobody started.

For `manage.py doctor`.
"""

import time

from django.conf import settings
from django.db import DatabaseError, connection

from accounts.models import Role, User
from loadify.celery import app
from loadify.checks import Wrong, broker, first_line, version
from loadify.tasks import last_pulse

#: The oldest versions that are supported, by what Django calls a database.
OLDEST = {"postgresql": (15,), "sqlite": (3, 37), "mysql": (10, 11)}
EXTENSIONS = ("pg_trgm", "btree_gist")
#: Seconds that clocks may differ, and between two life signs of the timetable.
DRIFT, PULSE = 2.0, 60.0

_EXTENSIONS = """SELECT ARRAY(SELECT extname::text FROM pg_extension),
    ARRAY(SELECT name::text FROM pg_available_extension_versions WHERE trusted),
    has_database_privilege(current_database(), 'CREATE'), (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"""
#: Both are the server's own clock, whatever the time zone of the session.
_CLOCK = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    "mysql": "SELECT UNIX_TIMESTAMP(NOW(6))",
}


def database_version() -> str:
    oldest = OLDEST.get(connection.vendor)
    found = f"{connection.display_name} {version()}"
    if oldest is None or tuple(connection.get_database_version()) < oldest:
        raise Wrong(f"The database is {found}.", "Loadify needs PostgreSQL 15, MariaDB 10.11 or SQLite 3.37, or a later one.")
    if connection.vendor != "postgresql":
        return f"{found}; imports are far slower than on PostgreSQL, without review and undo, and there are no webhooks"
    return found


def extensions() -> str:
    if connection.vendor != "postgresql":
        return "none are needed on this database"
    with connection.cursor() as cursor:
        cursor.execute(_EXTENSIONS)
        there, trusted, may_create, is_superuser = cursor.fetchone()
    missing = [name for name in EXTENSIONS if name not in there]
    if not missing:
        return f"{' and '.join(EXTENSIONS)} are there"
    if is_superuser or (may_create and set(missing) <= set(trusted)):
        return f"{' and '.join(missing)} will be made by manage.py migrate"
    raise Wrong(
        f"Extensions are missing that this user may not create: {', '.join(missing)}.",
        f"Let a superuser run in this database: {' '.join(f'CREATE EXTENSION {name};' for name in missing)}",
    )


def clock() -> str:
    if connection.vendor not in _CLOCK:
        return "the database is in this process"
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute(_CLOCK[connection.vendor])
        theirs = float(cursor.fetchone()[0])
        after = time.time()
    off = max(before - theirs, theirs - after, 0.0)
    if off > DRIFT:
        raise Wrong(
            f"The clocks of this machine and of the database are {off:.1f} s apart.",
            "Let both follow a time server (NTP): held rows, links and deliveries go by these clocks.",
        )
    return f"the same as the database's, within {off + after - before:.3f} s"


def broker_that_keeps() -> str:
    found = broker()
    if found == "memory":
        raise Wrong("There is no broker.", "Start bin/up, which brings one, or set BROKER_URL to redis://… or amqp://….")
    return f"{found} answers"


def workers() -> str:
    """Somebody listens to each queue that hints and the timetable write to."""
    try:
        found = app.control.inspect(timeout=1.0).active_queues() or {}
    except Exception as problem:
        # Whatever the library of the broker raises.
        raise Wrong(f"Workers cannot be asked ({type(problem).__name__}).", "Mend the broker first.") from None
    heard = {queue["name"] for queues in found.values() for queue in queues}
    needed = {"celery", *(route["queue"] for route in settings.CELERY_TASK_ROUTES.values())}
    if needed - heard:
        raise Wrong(
            f"No worker listens to {', '.join(sorted(needed - heard))}.",
            "Start bin/up, or the lines worker and webhooks of Procfile, with this BROKER_URL.",
        )
    return f"{', '.join(sorted(found))} answer"


def timetable() -> str:
    try:
        age = last_pulse()
    except DatabaseError as problem:
        raise Wrong(f"The timetable cannot be looked up: {first_line(problem)}", "Run manage.py migrate.") from None
    if age is None or age > PULSE:
        since = "has not run for a week" if age is None else f"ran {age:.0f} s ago for the last time"
        raise Wrong(f"The timetable {since}.", "Start bin/up, or the lines beat and worker of Procfile.")
    return f"beat and a worker were at it {age:.0f} s ago"


def admin() -> str:
    if not User.objects.filter(role=Role.ADMIN, is_active=True).exists():
        raise Wrong("There is no admin who can sign in.", "Run manage.py createsuperuser.")
    return "there is one who can sign in"
