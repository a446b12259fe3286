"""How often somebody may call: LOADIFY_API_RATE times a minute for a person, a tenth of that for an address whose callers do
not say who they are.

Minutes are those of the clock. Calls are counted in the database, so all web processes count together.
"""

import logging
import math
from dataclasses import dataclass
from time import time

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import F

from accounts.models import User
from api.models import Calls

log = logging.getLogger(__name__)

#: Minutes after which a count is deleted.
KEPT = 60

#: Databases that answer what they have written in the words below.
_ANSWERING = ("postgresql", "sqlite")
# Who crashes may forget the last few calls: nobody waits for the disk (PostgreSQL, synchronous_commit).
_QUICKLY = "(SELECT set_config('synchronous_commit', 'off', true)) quickly"
_COUNT = """INSERT INTO api_calls (caller, minute, number) SELECT %s, %s, 1 FROM {source}
    ON CONFLICT (caller, minute) DO UPDATE SET number = api_calls.number + 1 RETURNING number"""


@dataclass(frozen=True)
class Rate:
    """How many calls of a minute are used up, of how many; `seconds` until the next minute, from 1 to 60."""

    used: int
    limit: int
    seconds: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


class TooMany(Exception):
    """Somebody has called too often in this minute."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        super().__init__(f"More than {rate.limit} calls in this minute; go on in {rate.seconds} seconds.")


def count_person(user: User) -> Rate | None:
    """Count a call of a person or of their programs; None when nobody counts. Raises TooMany."""
    return _count(f"user {user.pk}", settings.LOADIFY_API_RATE)


def count_unknown(address: str | None) -> Rate | None:
    """Count a call from an address by somebody who did not say who they are. Raises TooMany."""
    return _count(address or "somewhere", math.ceil(settings.LOADIFY_API_RATE / 10))


def _count(caller: str, limit: int) -> Rate | None:
    if not limit:
        return None
    now = int(time())
    minute, second = divmod(now, 60)
    try:
        used = _one_more(caller, minute)
        if used == 1:
            Calls.objects.filter(minute__lt=minute - KEPT).delete()
    except DatabaseError as problem:
        # One that only lets us read: what may be read is answered all the same.
        log.warning("Calls cannot be counted (%s).", type(problem).__name__)
        return None
    rate = Rate(used, limit, 60 - second)
    if used > limit:
        raise TooMany(rate)
    return rate


def _one_more(caller: str, minute: int) -> int:
    """Count one call; how many that makes in the minute. Two at once are counted as two."""
    if connection.vendor not in _ANSWERING:
        same, _ = Calls.objects.get_or_create(caller=caller, minute=minute)
        Calls.objects.filter(pk=same.pk).update(number=F("number") + 1)
        return Calls.objects.get(pk=same.pk).number
    source = _QUICKLY if connection.vendor == "postgresql" else "(SELECT 1) once"
    with connection.cursor() as cursor:
        # SQLite wants a WHERE, to know that ON begins no join.
        cursor.execute(_COUNT.format(source=f"{source} WHERE true"), [caller, minute])
        return int(cursor.fetchone()[0])
