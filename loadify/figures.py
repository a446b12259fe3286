"""All figures of the site in one: those of imports, of webhooks, and of what they run on."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

import importer.figures
import webhooks.figures
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
    """Of the nearest folder that is there: a host without a disk of its own may have made none."""
    place: Path = settings.DATA_DIR
    while not os.path.isdir(place) and place != place.parent:
        place = place.parent
    usage = shutil.disk_usage(place)
    return Disk(usage.free, usage.total)
