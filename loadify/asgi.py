"""The web process: live events go through `live` (loadify/live.py), everything else through a handler of whole requests."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
django.setup(set_prefix=False)

# Only now are the apps ready that the next lines need.
from loadify.live import Live
from loadify.request_ids import RequestIds
from loadify.threads import RequestHandler

application = RequestIds(Live(RequestHandler()))
