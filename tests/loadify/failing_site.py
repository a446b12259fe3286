"""The web process of Loadify with pages that fail on personal data; for test_logs.py."""

import logging
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from loadify.live import Live  # noqa: E402
from loadify.request_ids import RequestIds  # noqa: E402
from loadify.threads import RequestHandler  # noqa: E402
from loadify.urls import urlpatterns as pages  # noqa: E402

log = logging.getLogger("tests.pages")


def fine(request: HttpRequest) -> HttpResponse:
    log.info("A page was looked at.")
    return HttpResponse("fine")


def fails(request: HttpRequest, token: str = "") -> HttpResponse:
    cell = request.POST.get("cell", "") or request.GET.get("q", "")
    raise ValueError(f"Line 7: “{cell}” is not a date.")


def tells(request: HttpRequest) -> HttpResponse:
    cell = request.GET["q"]
    log.error("%s cannot be reached.", cell)
    log.error(f"{cell} cannot be reached.")
    return HttpResponse("told")


for page in (fine, fails, tells):
    page.login_required = False  # type: ignore[attr-defined]
    page.csrf_exempt = True  # type: ignore[attr-defined]
urlpatterns = [path("fine", fine), path("fails", fails), path("files/<str:token>", fails), path("tells", tells), *pages]
settings.ROOT_URLCONF = "tests.loadify.failing_site"
application = RequestIds(Live(RequestHandler()))
