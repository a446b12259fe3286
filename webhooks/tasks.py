"""What Celery calls for webhooks: hints that something is due, and the timetable that asks anyway."""

import logging
import os
import threading
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown, worker_shutting_down
from django.conf import settings
from django.db import connection
from django.utils import timezone

from webhooks import endpoints, hints
from webhooks.delivery import POSTS, Coordinator

_stop = threading.Event()
#: A worker has one coordinator for receivers that are well (False), and one for those whose last try failed (True).
_one = {False: threading.Lock(), True: threading.Lock()}


@shared_task(name=hints.DELIVER)
def deliver() -> None:
    _coordinate(failing=False)


@shared_task(name=hints.RETRY)
def retry() -> None:
    _coordinate(failing=True)


def _coordinate(*, failing: bool) -> None:
    """Deliver until nothing is due, unless another thread of this worker is at it."""
    if not _one[failing].acquire(blocking=False):
        return
    try:
        Coordinator(_stop, failing=failing).run()
    finally:
        connection.close()
        _one[failing].release()


@shared_task(name="webhooks.purge")
def purge() -> None:
    endpoints.purge(timezone.now() - timedelta(days=settings.LOADIFY_WEBHOOK_DAYS))


@worker_shutting_down.connect
def stop_delivering(**_: Any) -> None:
    _stop.set()


@worker_shutdown.connect
def leave_posts(**_: Any) -> None:
    """Python would wait at its end for posts to receivers that hang; their leases run out, and they are tried again."""
    if _stop.is_set() and any(thread.name.startswith(POSTS) for thread in threading.enumerate()):
        logging.shutdown()
        os._exit(0)
