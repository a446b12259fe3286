"""Swagger UI: every operation of the API, to be read and tried."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@login_not_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The page. As open to everybody as the document it shows; what is tried is allowed or refused by each operation."""
    return render(request, "api/docs.html")
