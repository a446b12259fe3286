"""Pages of one webhook: how it does, its log, one delivery with all its tries, the test, and sending again."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from accounts.models import Right
from accounts.rights import needs
from pages.http import render_part
from webhooks import delivery as deliverer
from webhooks import endpoints, health, log
from webhooks.forms import LogFilter, ReplayForm
from webhooks.models import Delivery, Endpoint, signing_until
from webhooks.views import find


def gone_meanwhile(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answers 404 when somebody deletes the webhook while the view works with it."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except Endpoint.DoesNotExist:
            raise Http404("Somebody deleted this webhook.") from None

    return answer


@require_safe
@needs(Right.ADMIN)
def show(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One receiver and a page of its log; the part is the log. What cannot be understood asks for the whole log."""
    endpoint = find(public_id)
    form = LogFilter(request.GET)
    asked = form.cleaned_data if form.is_valid() else {"state": "", "before": None}
    (how,) = health.of([endpoint])
    context = {
        "endpoint": endpoint,
        "health": how,
        "old_until": signing_until(endpoint),
        "log": log.read(endpoint, **asked),
        "moves": log.moves(endpoint),
        "states": form.fields["state"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        **asked,
    }
    return render_part(request, "webhooks/webhook.html", "webhooks/_log.html", context)


@require_POST
@gone_meanwhile
@needs(Right.ADMIN)
def test(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Post a test event here and now; the answer says what the receiver answered."""
    endpoint = find(public_id)
    context = {"endpoint": endpoint, "attempt": deliverer.send_test(endpoint)}
    response = render_part(request, "webhooks/test.html", "webhooks/_test.html", context)
    # The log on the same page listens.
    return trigger_client_event(response, "deliveries-changed")


@require_http_methods(["GET", "HEAD", "POST"])
@gone_meanwhile
@needs(Right.ADMIN)
def replay(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Ask since when, say how much that is, and send it after a yes (POST)."""
    endpoint = find(public_id)
    asked = request.POST if request.method == "POST" else request.GET
    form = ReplayForm(asked) if "since" in asked else ReplayForm.for_endpoint(endpoint)
    good = form.is_bound and form.is_valid()
    if good and request.method == "POST":
        count = endpoints.replay(endpoint, form.cleaned_data["since"])
        messages.success(request, f"{count:,} deliveries are on their way." if count != 1 else "1 delivery is on its way.")
        return redirect("webhook", endpoint.public_id)
    context = {
        "endpoint": endpoint,
        "form": form,
        "count": endpoints.to_replay(endpoint, form.cleaned_data["since"]) if good else None,
        "days": settings.LOADIFY_WEBHOOK_DAYS,
    }
    status = 422 if (form.is_bound and not good) or request.method == "POST" else 200
    return render_part(request, "webhooks/replay.html", "webhooks/_replay.html", context, status=status)


@require_safe
@needs(Right.ADMIN)
def delivery(request: HttpRequest, public_id: uuid.UUID, pk: int) -> HttpResponse:
    """One delivery: what was sent, and every try. The part is what changes while it is on its way."""
    found = _find(public_id, pk)
    context = {
        "endpoint": found.endpoint,
        "delivery": found,
        "words": log.in_words(found, found.endpoint, timezone.now()),
        "attempts": log.attempts_of(found),
        "moves": log.moves(found.endpoint) and found.state == Delivery.State.DUE,
    }
    return render_part(request, "webhooks/delivery.html", "webhooks/_delivery.html", context)


@require_POST
@needs(Right.ADMIN)
def resend(request: HttpRequest, public_id: uuid.UUID, pk: int) -> HttpResponse:
    found = _find(public_id, pk)
    endpoints.resend(found)
    messages.success(request, "It is sent again now." if found.endpoint.active else "It is sent once the webhook is on.")
    return redirect("webhook-delivery", public_id, pk)


def _find(public_id: uuid.UUID, pk: int) -> Delivery:
    found = Delivery.objects.select_related("endpoint", "event")
    return get_object_or_404(found, endpoint__public_id=public_id, pk=pk)
