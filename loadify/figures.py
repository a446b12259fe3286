"""All figures of the site in one: those of imports, of webhooks, and of what they run on."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

import importer.figures
import webhooks.figures
from importer import quotas
from loadify.tasks import last_pulse

_CONNECTIONS = """SELECT coalesce(nullif(application_name, ''), 'unnamed'), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1 ORDER BY 1"""


@dataclass(frozen=True)
class Disk:
    """Bytes where the data directory lies."""

    free: int
    total: int


@dataclass(frozen=True)
class Figures:
    """`connections`: to the database, by the name of who holds them; none on another database than PostgreSQL.
    `pulse`: seconds since a worker did what beat sent, None when that was never."""

    imports: importer.figures.Figures
    webhooks: webhooks.figures.Figures
    connections: Mapping[str, int]
    pulse: float | None
    disk: Disk


def figures() -> Figures:
    return Figures(importer.figures.figures(), webhooks.figures.figures(), connections(), last_pulse(), disk())


def connections() -> Mapping[str, int]:
    if connection.vendor != "postgresql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTIONS)
        return dict(cursor.fetchall())


def disk() -> Disk:
    usage = shutil.disk_usage(quotas.nearest(settings.DATA_DIR))
    return Disk(usage.free, usage.total)
