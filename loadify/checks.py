"""What must be there before the site can serve anybody: database, migrations, broker, storage; for /readyz and for doctor.

A check is a function that returns in a few words what it found, or raises Wrong. What Wrong says of the problem is shown to
everybody, so it names no address; the remedy is for who runs the site.
"""

import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu import Connection

from importer.intake import identity
from importer.storage.parts import StorageProblem

#: Seconds that a broker may take to answer.
PATIENCE = 1


class Wrong(Exception):
    """A check that failed: what is wrong, as a sentence, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


Check = Callable[[], str]


def database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError, ImproperlyConfigured) as problem:
        raise Wrong(
            "The database does not answer.", f"Start it, or mend DATABASE_URL. What was raised: {first_line(problem)}"
        ) from None
    return f"{connection.display_name} {version()}"


def version() -> str:
    """The version of the database, without what a distribution adds."""
    return ".".join(str(part) for part in connection.get_database_version())


def migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError, ImproperlyConfigured):
        raise Wrong("Migrations cannot be looked up: the database does not answer.", "Mend the database first.") from None
    if missing:
        first = missing[0][0]
        raise Wrong(
            f"Migrations are not applied: {len(missing)}, beginning with {first.app_label}.{first.name}.",
            "Run manage.py migrate.",
        )
    return "all are applied"


def broker() -> str:
    kind = str(settings.BROKER_URL).partition("://")[0]
    # A Connection connects to the first of several addresses, or fails.
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
    options = options if kind.startswith("redis") else settings.CELERY_BROKER_TRANSPORT_OPTIONS
    try:
        with Connection(settings.BROKER_URL, connect_timeout=PATIENCE, transport_options=options) as line:
            line.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except Exception as problem:
        # Each transport raises errors of its own, and a senseless address raises whatever reading it raises. The text may
        # quote the password.
        raise Wrong(
            "The broker does not answer. Imports begin when it does, or when the timetable runs again.",
            f"Start it, or mend BROKER_URL, which begins with {kind}://. What was raised is {type(problem).__name__}.",
        ) from None
    return {"amqp": "RabbitMQ", "amqps": "RabbitMQ", "redis": "Redis or Valkey", "rediss": "Redis or Valkey"}.get(kind, kind)


def storage() -> str:
    """See that it is the one that the database knows, write a small file, read it back, and delete it."""
    try:
        identity.check()
    except identity.OtherStorage as problem:
        raise Wrong(
            "Storage is not the one in which the files of this database lie.", str(problem).partition(" lie. ")[2]
        ) from None
    except (DatabaseError, InterfaceError, ImproperlyConfigured, StorageProblem, OSError):
        # Said by the check of the database, or by what comes next.
        pass
    written = secrets.token_bytes(16)
    step = "written to"
    try:
        name = default_storage.save(f"health/{secrets.token_hex(8)}", ContentFile(written))
        step = "read back from"
        with default_storage.open(name) as file:
            same = file.read() == written
        step = "deleted from"
        default_storage.delete(name)
    except Exception as problem:
        # A storage in the network raises whatever its library does.
        remedy = f"See that the worker and the web process may use it. What was raised: {first_line(problem)}"
        raise Wrong(f"A file cannot be {step} storage.", remedy) from None
    if not same:
        raise Wrong("Storage gave back another file than it was given.", "See whether its disk is full or damaged.")
    return "a file was written, read back and deleted"


def first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]


#: What /readyz asks, by the names of its answer, with the seconds for which an answer is good.
READY: dict[str, tuple[Check, float]] = {
    "database": (database, 1),
    "migrations": (migrations, 5),
    "broker": (broker, 2),
    "storage": (storage, 15),
}
