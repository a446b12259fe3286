"""Answers for those who watch over the processes."""

from django.http import HttpRequest, HttpResponse


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing is said of the database or the broker."""
    return HttpResponse("ok", content_type="text/plain")
