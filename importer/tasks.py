"""What Celery calls: hints to run an import, and the timetable that finds what hints have missed."""

import os
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from importer import mails, runner, sweep
from importer.attempt import worker_name
from importer.models import Heartbeat, Import
from importer.states import WORKING


@shared_task(name="importer.run")
def run(run_id: int) -> None:
    """Run an import, unless this worker has its hands full: one process is kept free for the timetable."""
    mine = worker_name(os.getppid(), 0)[:-1]
    busy = Heartbeat.objects.filter(worker__startswith=mine, lease_until__gt=Now(), run__state__in=WORKING).count()
    if busy < settings.LOADIFY_WORKERS:
        runner.run(run_id)


@shared_task(name="importer.sweep")
def sweep_imports() -> None:
    sweep.sweep()


@shared_task(name="importer.mail")
def mail() -> None:
    mails.send_aside()


@shared_task(name="importer.tidy")
def tidy() -> None:
    sweep.tidy()


@worker_shutting_down.connect
def yield_imports(**_: Any) -> None:
    """Ask the imports of this worker to stop at their next step: its processes do not hear the signal themselves."""
    mine = worker_name(os.getpid(), 0)[:-1]
    # Those that somebody has paused or cancelled stop anyway.
    held = Import.objects.filter(state__in=WORKING, heartbeat__worker__startswith=mine, wanted=Import.Wanted.RUN)
    held.update(wanted=Import.Wanted.YIELD)
    connection.close()
