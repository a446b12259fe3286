"""The Celery application: the hints that wake workers, and the timetable."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")

app = Celery("loadify")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
