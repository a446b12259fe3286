"""What Celery calls for webhooks: hints that something is due, and the timetable that asks anyway."""

import threading
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import connection
from django.utils import timezone

from webhooks import endpoints, hints
from webhooks.delivery import Coordinator

_stop = threading.Event()


@shared_task(name=hints.TASK)
def deliver() -> None:
    """Deliver until nothing is due. The worker of this queue runs one task at a time, so it has one coordinator."""
    try:
        Coordinator(_stop).run()
    finally:
        connection.close()


@shared_task(name="webhooks.purge")
def purge() -> None:
    endpoints.purge(timezone.now() - timedelta(days=settings.LOADIFY_WEBHOOK_DAYS))


@worker_shutting_down.connect
def stop_delivering(**_: Any) -> None:
    _stop.set()
