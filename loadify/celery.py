"""The Celery application: the hints that wake workers, and the timetable."""

import os
import signal
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from loadify.processes import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")

app = Celery("loadify")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def end_with_worker(**kwargs: Any) -> None:
    """A pool process whose worker was killed would go on unseen, beside the worker started in its place."""
    end_with_parent(signal.SIGKILL)
