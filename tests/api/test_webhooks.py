"""Webhooks over the API: each operation; a secret is answered once."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.api.conftest import Program, problem
from tests.webhooks.plays import answer
from tests.webhooks.receiver import Receiver
from webhooks import endpoints, outbox, vault
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Delivery, Endpoint, Event

pytestmark = pytest.mark.django_db
URL = "http://127.0.0.1:8009/hook"


@pytest.fixture
def shop(db: None) -> Endpoint:
    return endpoints.add(URL, "Shop", [], None)[0]


def happen(monkeypatch: pytest.MonkeyPatch) -> Event:
    monkeypatch.setitem(EVENT_TYPES, "thing.changed", "A thing was changed")
    with transaction.atomic():
        return outbox.record("thing.changed", {}, {})


def test_added_webhook_is_answered_with_its_secret_once(call: Program, anna) -> None:
    made = call("POST", "/webhooks", {"url": URL, "name": "Shop", "events": ["product.created"]})
    assert made.status_code == 201 and made.headers["Cache-Control"] == "no-store"
    endpoint = Endpoint.objects.get()
    shown = made.json()
    assert made.headers["Location"] == f"/api/v1/webhooks/{endpoint.public_id}"
    assert shown["secret"] == vault.unseal(endpoint.secret)
    assert (endpoint.url, endpoint.name, endpoint.event_types, endpoint.created_by) == (URL, "Shop", ["product.created"], anna)
    again = call("GET", f"/webhooks/{endpoint.public_id}")
    shown.pop("secret")
    assert again.json() == shown
    assert (shown["id"], shown["state"], shown["waiting"]) == (str(endpoint.public_id), "on", 0)
    assert "whsec_" not in again.text + call("GET", "/webhooks").text


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"url": "http://127.0.0.1:22/"}, "/url", "Port 22 belongs to another service."),
        ({"url": ""}, "/url", "required"),
        ({"url": URL, "events": ["no.such"]}, "/events", "no.such"),
        ({"url": URL, "name": "x" * 101}, "/name", "100"),
        ({"url": URL, "types": []}, "/types", "not permitted"),
    ],
)
def test_webhook_that_cannot_be_taken_is_422(call: Program, body: dict[str, object], pointer: str, words: str) -> None:
    [error] = problem(call("POST", "/webhooks", body), 422)["errors"]
    assert error["pointer"] == pointer and words in error["detail"]
    assert Endpoint.objects.count() == 0


def test_webhook_is_changed_and_switched(call: Program, shop: Endpoint) -> None:
    path = f"/webhooks/{shop.public_id}"
    changed = call("PATCH", path, {"name": "Desk", "events": ["product.deleted"]}).json()
    assert (changed["name"], changed["url"], changed["events"], changed["active"]) == ("Desk", URL, ["product.deleted"], True)
    assert call("PATCH", path, {"active": False}).json()["state"] == "off"
    Endpoint.objects.update(notice="Gone.", failures=9)
    switched = call("PATCH", path, {"active": True}).json()
    assert (switched["state"], switched["notice"], switched["failures"], switched["events"]) == (
        "on",
        "",
        0,
        ["product.deleted"],
    )
    assert call("PATCH", path, {"events": []}).json()["events"] == []


def test_deleted_webhook_is_gone(call: Program, shop: Endpoint) -> None:
    path = f"/webhooks/{shop.public_id}"
    assert call("DELETE", path).status_code == 204
    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/rotate", None),
        ("POST", "/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("GET", "/deliveries", None),
        ("POST", "/deliveries/1/resend", None),
    ):
        problem(call(method, path + tail, body), 404)


def test_test_answers_what_the_receiver_answered(call: Program) -> None:
    with Receiver() as receiver:
        receiver.plays["/hook"] = answer(418, b"short and stout")
        endpoint, _ = endpoints.add(f"{receiver.url}/hook", "", [], None)
        shown = call("POST", f"/webhooks/{endpoint.public_id}/test").json()
    assert (shown["status"], shown["response_body"], shown["number"], shown["error"] == "") == (418, "short and stout", 1, True)
    assert shown["request_headers"]["webhook-signature"] == "•••"


def test_rotated_secret_is_answered_once(call: Program, shop: Endpoint) -> None:
    old = vault.unseal(shop.secret)
    rotated = call("POST", f"/webhooks/{shop.public_id}/rotate")
    shop.refresh_from_db()
    assert rotated.json()["secret"] == vault.unseal(shop.secret) != old
    assert rotated.headers["Cache-Control"] == "no-store"


def test_deliveries_are_newest_first_filtered_and_paged(call: Program, shop: Endpoint, monkeypatch) -> None:
    made = [happen(monkeypatch).message_id for _ in range(27)]
    path = f"/webhooks/{shop.public_id}/deliveries"
    first = call("GET", path).json()
    assert [item["event"] for item in first["items"]] == made[:1:-1]
    second = call("GET", f"{path}?cursor={first['next']}").json()
    assert ([item["event"] for item in second["items"]], second["next"]) == (made[1::-1], None)
    assert first["items"][0]["state"] == "due" and first["items"][0]["last"] is None
    assert call("GET", f"{path}?state=failed").json()["items"] == []
    assert call("GET", f"{path}?cursor={second['previous']}").json()["items"] == first["items"]
    assert problem(call("GET", f"{path}?state=lost"), 422)["errors"][0]["parameter"] == "state"
    problem(call("GET", f"{path}?cursor=27"), 404)


def test_delivery_is_sent_again(call: Program, shop: Endpoint, monkeypatch) -> None:
    happen(monkeypatch)
    Delivery.objects.update(state="failed", tries=10)
    pk = Delivery.objects.get().pk
    again = call("POST", f"/webhooks/{shop.public_id}/deliveries/{pk}/resend")
    assert (again.status_code, again.json()["state"], again.json()["tries"]) == (202, "due", 0)
    problem(call("POST", f"/webhooks/{uuid.uuid4()}/deliveries/{pk}/resend"), 404)


def test_replay_says_how_many(call: Program, shop: Endpoint, monkeypatch) -> None:
    endpoints.switch(shop, False)
    happen(monkeypatch)
    since = (timezone.now() - timedelta(hours=1)).isoformat()
    for count in (1, 0):
        replayed = call("POST", f"/webhooks/{shop.public_id}/replay", {"since": since})
        assert (replayed.status_code, replayed.json()) == (202, {"deliveries": count})
    for wrong in ("yesterday", "2026-01-01T00:00:00", "2026-01-01", 0, "1767225600", "0001-01-01T00:00:00+14:00", None):
        problem(call("POST", f"/webhooks/{shop.public_id}/replay", {"since": wrong}), 422)


def test_number_of_queries_of_the_lists_does_not_grow(call: Program, shop: Endpoint, monkeypatch) -> None:
    def counts() -> list[int]:
        found = []
        for path in ("/webhooks", f"/webhooks/{shop.public_id}/deliveries"):
            with CaptureQueriesContext(connection) as queries:
                call("GET", path)
            found.append(len(queries))
        return found

    happen(monkeypatch)
    few = counts()
    for number in range(24):
        endpoints.add(f"{URL}/{number}", "", [], None)
        happen(monkeypatch)
    # Session and person; receivers, tallies, waiting; and receiver, deliveries. Tries are asked for only if there are some.
    assert few == counts() == [5, 4]
