"""The life sign of the timetable: beat sent it and a worker took it, which is all that doctor wants to know of both."""

import time

from celery import shared_task
from django.core.cache import cache

_KEY = "loadify.pulse"
#: Seconds for which the last one is remembered.
KEPT = 7 * 86_400


@shared_task(name="loadify.pulse")
def pulse() -> None:
    cache.set(_KEY, time.time(), KEPT)


def last_pulse() -> float | None:
    """Seconds since the last life sign; None when there was none for a week."""
    at = cache.get(_KEY)
    return None if at is None else max(0.0, time.time() - at)
