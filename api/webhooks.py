"""Webhooks over the API: receivers, their log, tests, and sending again."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict, StrictBool, WithJsonSchema

from accounts.access import person
from accounts.models import Right
from api.access import callers
from api.fields import NO_NUL, Cursor, EventType, Moment, Number
from api.lists import Listed, listed
from api.problems import Invalid
from pages.paging import page
from webhooks import addresses, endpoints, health, log
from webhooks import delivery as deliverer
from webhooks.forms import ALL, SOME, EndpointForm
from webhooks.models import Attempt, Delivery, Endpoint

router = Router(tags=["webhooks"], auth=callers(Right.ADMIN))


class WebhookOut(Schema):
    """`events` is empty for all types. `state` is on, failing, resting, off or switched-off (by Loadify; see `notice`)."""

    id: uuid.UUID
    url: str
    name: str
    events: list[str]
    active: bool
    state: str
    notice: str
    waiting: int
    failures: int
    succeeded_at: datetime | None
    created_at: datetime


class WebhookPage(Listed[WebhookOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


class NewWebhookOut(WebhookOut):
    """`secret` is in this answer only."""

    secret: str


#: As the form takes them, which says in sentences what is wrong.
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri", "maxLength": addresses.LONGEST})]
Name = Annotated[str, WithJsonSchema({"type": "string", "maxLength": 100, "pattern": NO_NUL})]


class NewWebhook(Schema):
    """`events` is empty for all types, those of later versions too."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://example.com/hook", "events": ["product.created", "product.updated"]}]},
    )

    url: Url
    name: Name = ""
    events: list[EventType] = []


class WebhookPatch(Schema):
    """Fields that are not there stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"active": False}]})

    # The factories only say that a field may be left out; what they make is dropped (`exclude_unset`).
    url: Url = Field(default_factory=str)
    name: Name = Field(default_factory=str)
    events: list[EventType] = Field(default_factory=list)
    active: StrictBool = Field(default_factory=bool)


class Rotated(Schema):
    """`secret` is in this answer only; the one before signs beside it until `old_secret_until`."""

    id: uuid.UUID
    secret: str
    old_secret_until: datetime


class AttemptOut(Schema):
    """One try. `status` is null when no answer came; `error` says why."""

    number: int
    at: datetime
    seconds: float
    url: str
    request_headers: dict[str, str]
    status: int | None
    response_headers: dict[str, str]
    response_body: str
    error: str


DeliveryState = Literal["due", "delivered", "failed"]


class DeliveryOut(Schema):
    """`state` is due, delivered or failed (given up); `event` is the `webhook-id`."""

    id: int
    event: str
    type: str
    at: datetime
    state: DeliveryState
    tries: int
    next_at: datetime | None
    last: AttemptOut | None


class DeliveryPage(Listed[DeliveryOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


class Replay(Schema):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"since": "2026-01-31T09:30:00Z"}]})

    since: Moment


class Replayed(Schema):
    deliveries: int


@router.get("", response=WebhookPage, summary="List webhooks")
def list_webhooks(request: HttpRequest, cursor: Cursor = "") -> dict[str, Any]:
    found = page(Endpoint.objects.all(), cursor, by=("id",))
    return listed(found, _shown(*found.rows))


@router.post("", response={201: NewWebhookOut}, summary="Add a webhook")
def add_webhook(request: HttpRequest, response: HttpResponse, given: NewWebhook) -> Status[dict[str, Any]]:
    form = _checked(given.url, given.name, given.events)
    endpoint, secret = endpoints.add(**form.values(), person=person(request))
    response["Location"] = reverse("api:webhook", args=[endpoint.public_id])
    response["Cache-Control"] = "no-store"
    return Status(201, _shown(endpoint)[0] | {"secret": secret})


@router.get("/{uuid:public_id}", response=WebhookOut, url_name="webhook", summary="Get a webhook")
def get_webhook(request: HttpRequest, public_id: uuid.UUID) -> dict[str, Any]:
    return _shown(_get(public_id))[0]


@router.patch("/{uuid:public_id}", response=WebhookOut, summary="Change a webhook, switch it on or off")
def change_webhook(request: HttpRequest, public_id: uuid.UUID, given: WebhookPatch) -> dict[str, Any]:
    endpoint = _get(public_id)
    fields = given.dict(exclude_unset=True)
    if fields.keys() - {"active"}:
        stored = {"url": endpoint.url, "name": endpoint.name, "events": endpoint.event_types}
        wanted = stored | fields
        endpoints.change(endpoint, **_checked(wanted["url"], wanted["name"], wanted["events"]).values())
    if "active" in fields and fields["active"] != endpoint.active:
        endpoints.switch(endpoint, fields["active"])
    return _shown(endpoint)[0]


@router.delete("/{uuid:public_id}", response={204: None}, summary="Delete a webhook with its log")
def delete_webhook(request: HttpRequest, public_id: uuid.UUID) -> Status[None]:
    endpoints.remove(_get(public_id))
    return Status(204, None)


@router.post("/{uuid:public_id}/test", response=AttemptOut, summary="Send a test event at once")
def test_webhook(request: HttpRequest, public_id: uuid.UUID) -> Attempt:
    """Answers what the receiver answered, after 15 seconds at most."""
    return deliverer.send_test(_get(public_id))


@router.post("/{uuid:public_id}/rotate", response=Rotated, summary="Make a new secret")
def rotate_secret(request: HttpRequest, response: HttpResponse, public_id: uuid.UUID) -> dict[str, Any]:
    endpoint = _get(public_id)
    secret = endpoints.rotate(endpoint)
    response["Cache-Control"] = "no-store"
    return {"id": endpoint.public_id, "secret": secret, "old_secret_until": endpoint.old_secret_until}


@router.post("/{uuid:public_id}/replay", response={202: Replayed}, summary="Send what was given up or left out")
def replay_webhook(request: HttpRequest, public_id: uuid.UUID, given: Replay) -> Status[dict[str, int]]:
    """Since a moment: what was given up, and what happened while it was off."""
    return Status(202, {"deliveries": endpoints.replay(_get(public_id), given.since)})


@router.get("/{uuid:public_id}/deliveries", response=DeliveryPage, summary="List deliveries, newest first")
def list_deliveries(
    request: HttpRequest, public_id: uuid.UUID, state: Literal[DeliveryState, ""] = "", cursor: Cursor = ""
) -> dict[str, Any]:
    endpoint = _get(public_id)
    found = page(log.of(endpoint, state), cursor, ("id",), descending=True)
    return listed(found, [_delivery(line.delivery, line.last) for line in log.lines(found.rows, endpoint)])


@router.post("/{uuid:public_id}/deliveries/{int:pk}/resend", response={202: DeliveryOut}, summary="Send a delivery again")
def resend_delivery(request: HttpRequest, public_id: uuid.UUID, pk: Number) -> Status[dict[str, Any]]:
    found = Delivery.objects.select_related("event").filter(endpoint__public_id=public_id, pk=pk).first()
    if found is None:
        raise Http404
    endpoints.resend(found)
    found.refresh_from_db()
    return Status(202, _delivery(found, log.attempts_of(found).first()))


def _get(public_id: uuid.UUID) -> Endpoint:
    endpoint = Endpoint.objects.filter(public_id=public_id).first()
    if endpoint is None:
        raise Http404
    return endpoint


def _checked(url: str, name: str, events: list[str]) -> EndpointForm:
    form = EndpointForm({"url": url, "name": name, "which": SOME if events else ALL, "event_types": events})
    if not form.is_valid():
        raise Invalid(form, {"event_types": "events"})
    return form


def _shown(*found: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "id": endpoint.public_id,
            "events": endpoint.event_types,
            "state": how.state.name,
            "waiting": how.waiting,
            **{name: getattr(endpoint, name) for name in _AS_STORED},
        }
        for endpoint, how in zip(found, health.of(found), strict=True)
    ]


_AS_STORED = ("url", "name", "active", "notice", "failures", "succeeded_at", "created_at")


def _delivery(found: Delivery, last: Attempt | None) -> dict[str, Any]:
    return {
        "id": found.pk,
        "event": found.event.message_id,
        "type": found.event.type,
        "at": found.event.at,
        "state": found.state,
        "tries": found.tries,
        "next_at": found.next_at if found.state == Delivery.State.DUE else None,
        "last": last,
    }
