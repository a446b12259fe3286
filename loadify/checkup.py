"""All checks in the order in which one thing needs another: what `manage.py doctor` goes through."""

from collections.abc import Iterator

from django.db import DatabaseError

from loadify import checks_services, checks_settings
from loadify.checks import Check, Wrong, database, first_line, migrations, storage

BEFORE: dict[str, Check] = {
    "Python": checks_settings.python,
    "Packages": checks_settings.packages,
    "Keys": checks_settings.keys,
    "Debugging": checks_settings.debugging,
    "Address": checks_settings.address,
    "Data directory": checks_settings.data_directory,
    "Watched folder": checks_settings.watched_folder,
    "Storage": storage,
    "E-mail": checks_settings.email,
    "Broker": checks_services.broker_that_keeps,
    "Workers": checks_services.workers,
    "Database": database,
}
#: What can only be looked at while the database answers.
BEHIND_THE_DATABASE: dict[str, Check] = {
    "Its version": checks_services.database_version,
    "Extensions": checks_services.extensions,
    "Clock": checks_services.clock,
    "Migrations": migrations,
    "Timetable": checks_services.timetable,
    "Admin": checks_services.admin,
}


def checkup() -> Iterator[tuple[str, str | Wrong]]:
    """The name of each check in turn, with what it found or what is wrong."""
    found: str | Wrong = ""
    for name, check in BEFORE.items():
        found = _of(check)
        yield name, found
    if not isinstance(found, Wrong):
        for name, check in BEHIND_THE_DATABASE.items():
            yield name, _of(check)


def _of(check: Check) -> str | Wrong:
    try:
        return check()
    except Wrong as wrong:
        return wrong
    except DatabaseError as problem:
        return Wrong(f"The database refuses: {first_line(problem)}", "Run manage.py migrate, or see the log of the database.")
