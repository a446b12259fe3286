"""The web process: live events go through `live` (loadify/live.py), everything else through Django's own handler."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
site = get_asgi_application()

# Only now are the apps ready that the next line needs.
from loadify.live import Live

application = Live(site)
