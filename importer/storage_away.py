"""The answer of any page that needs storage while storage is away: a sentence, and the status that says to come again."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from importer.storage.parts import StorageProblem


class StorageAwayMiddleware:
    """Without it a page that opens a file would end as an error of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        if not isinstance(exception, StorageProblem):
            return None
        response = render(request, "503.html", {"sentence": str(exception)}, status=503)
        response["Retry-After"] = "10"
        # Storage has written to the log already; Django would write the address, which may hold the token of a link.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response
