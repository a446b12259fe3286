"""Pages of webhooks: the receivers, adding and changing one, its secret, switching it off and deleting it."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from pages.http import render_part
from pages.paging import page
from webhooks import endpoints, health, vault
from webhooks.forms import EndpointForm
from webhooks.models import Endpoint, signing_until

#: Names in the session the receiver whose secret may be shown once.
SHOWABLE = "webhook-secret"


@require_safe
@needs(Right.ADMIN)
def index(request: HttpRequest) -> HttpResponse:
    """Receivers in the order in which they were added, and those that Loadify gave up on top."""
    found = page(Endpoint.objects.all(), request.GET.get("page", ""), by=("id",), size=50)
    rows = list(zip(found.rows, health.of(found.rows), strict=True))
    return render(request, "webhooks/index.html", {"rows": rows, "page": found, "given_up": health.switched_off()})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def new(request: HttpRequest) -> HttpResponse:
    form = EndpointForm(request.POST) if request.method == "POST" else EndpointForm()
    if request.method == "POST" and form.is_valid():
        endpoint, _ = endpoints.add(**form.values(), person=person(request))
        return _to_secret(request, endpoint)
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    endpoint = find(public_id)
    form = EndpointForm(request.POST) if request.method == "POST" else EndpointForm.of(endpoint)
    if request.method == "POST" and form.is_valid():
        endpoints.change(endpoint, **form.values())
        messages.success(request, "Saved.")
        return redirect("webhook", endpoint.public_id)
    return _form(request, form, endpoint)


@require_POST
@needs(Right.ADMIN)
def switch(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Turn it on (`on=1`) or off."""
    endpoint = find(public_id)
    endpoints.switch(endpoint, request.POST.get("on") == "1")
    messages.success(request, f"{endpoint} is on." if endpoint.active else f"{endpoint} is off. What happens now waits for it.")
    return redirect("webhook", endpoint.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def rotate(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    endpoint = find(public_id)
    if request.method == "POST":
        endpoints.rotate(endpoint)
        return _to_secret(request, endpoint)
    return render(request, "webhooks/rotate.html", {"endpoint": endpoint, "old_until": signing_until(endpoint)})


@require_GET
@never_cache
@needs(Right.ADMIN)
def secret(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The secret, on the first look after it was made; never again, whoever asks."""
    endpoint = find(public_id)
    showable = request.session.pop(SHOWABLE, "") == str(public_id)
    context = {
        "endpoint": endpoint,
        "secret": vault.unseal(endpoint.secret) if showable else "",
        "old_until": signing_until(endpoint),
    }
    return render(request, "webhooks/secret.html", context, status=200 if showable else 410)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def delete(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    endpoint = find(public_id)
    if request.method == "POST":
        endpoints.remove(endpoint)
        messages.success(request, f"{endpoint} is deleted, and its log with it.")
        return redirect("webhooks")
    (how,) = health.of([endpoint])
    return render(request, "webhooks/delete.html", {"endpoint": endpoint, "health": how})


def find(public_id: uuid.UUID) -> Endpoint:
    return get_object_or_404(Endpoint.objects.select_related("created_by"), public_id=public_id)


def _form(request: HttpRequest, form: EndpointForm, endpoint: Endpoint | None) -> HttpResponse:
    context = {"form": form, "endpoint": endpoint}
    return render_part(request, "webhooks/edit.html", "webhooks/_edit_form.html", context, status=422 if form.is_bound else 200)


def _to_secret(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    request.session[SHOWABLE] = str(endpoint.public_id)
    return redirect("webhook-secret", endpoint.public_id)
