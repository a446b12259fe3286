"""Events are stored with what makes them true, for those who want them, as the bytes that travel."""

import json
import threading
import time
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from tests.webhooks.conftest import happen
from webhooks import endpoints, outbox
from webhooks.models import Delivery, Endpoint, Event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("hinted")]
CHANGED, GONE = "thing.changed", "thing.gone"


def test_event_and_deliveries_go_with_a_rollback(shop: Endpoint, hinted: list[str]) -> None:
    def edit() -> None:
        with transaction.atomic():
            outbox.record(CHANGED, {"a": 1}, {})
            assert Delivery.objects.count() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        edit()
    assert (Event.objects.count(), Delivery.objects.count(), hinted) == (0, 0, [])


@pytest.mark.django_db(transaction=True)
def test_hint_is_given_after_the_commit_and_only_when_something_is_due(hinted: list[str]) -> None:
    with transaction.atomic():
        outbox.record(CHANGED, {}, {})
    assert hinted == []
    endpoints.add("http://127.0.0.1:9/", "", [], None)
    with transaction.atomic():
        outbox.record(CHANGED, {}, {})
        assert hinted == []
    assert hinted == ["webhooks.deliver"]


@pytest.mark.django_db(transaction=True)
def test_recording_outside_a_transaction_is_refused(transactional_db: None) -> None:
    with pytest.raises(RuntimeError, match="An event belongs into the transaction that makes it true."):
        outbox.record(CHANGED, {}, {})
    assert Event.objects.count() == 0


def test_type_that_nobody_declared_is_refused() -> None:
    with pytest.raises(KeyError, match="never.heard"), transaction.atomic():
        outbox.record("never.heard", {}, {})


def test_deliveries_are_made_for_active_receivers_that_want_the_type() -> None:
    everything, _ = endpoints.add("http://127.0.0.1:9/1", "", [], None)
    this, _ = endpoints.add("http://127.0.0.1:9/2", "", [CHANGED, GONE], None)
    endpoints.add("http://127.0.0.1:9/3", "", [GONE], None)
    off, _ = endpoints.add("http://127.0.0.1:9/4", "", [], None)
    endpoints.switch(off, False)
    event = happen()
    made = Delivery.objects.order_by("endpoint")
    assert [(delivery.endpoint_id, delivery.event_id) for delivery in made] == [(everything.pk, event.pk), (this.pk, event.pk)]
    assert {(delivery.state, delivery.tries, delivery.claim, delivery.lease_until) for delivery in made} == {
        ("due", 0, 0, None)
    }
    assert all(delivery.next_at == delivery.created_at == event.at for delivery in made)


def test_event_is_stored_though_nobody_wants_it(shop: Endpoint) -> None:
    endpoints.switch(shop, False)
    event = happen(a=1)
    assert json.loads(bytes(Event.objects.get().body))["data"] == {"a": 1}
    assert Event.objects.get().message_id == event.message_id
    assert Delivery.objects.count() == 0


def test_body_is_compact_json_in_utf8_with_type_timestamp_and_data() -> None:
    event = happen(name="Mug “é” 😀", at_last=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC))
    body = bytes(Event.objects.get().body)
    assert body == outbox.encode(
        CHANGED, event.at.isoformat(), {"name": "Mug “é” 😀", "at_last": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)}
    )
    assert body.startswith(b'{"type":"thing.changed","timestamp":"')
    assert '"name":"Mug “é” 😀","at_last":"2026-01-02T03:04:05.678Z"' in body.decode()
    assert datetime.fromisoformat(json.loads(body)["timestamp"]) == event.at


@pytest.mark.parametrize(("spare", "short"), [(0, False), (1, True)])
def test_payload_over_20_kb_becomes_the_short_one(spare: int, short: bool) -> None:
    empty = len(outbox.encode(CHANGED, "2026-01-02T03:04:05.678901+00:00", {"text": ""}))
    with transaction.atomic():
        event = outbox.record(CHANGED, {"text": "x" * (20_000 - empty + spare)}, {"changed": ["text"]})
    body = bytes(event.body)
    assert len(body) <= 20_000
    assert (json.loads(body)["data"] == {"changed": ["text"]}) is short
    assert short or len(body) == 20_000


def test_size_counts_bytes_not_letters() -> None:
    with transaction.atomic():
        event = outbox.record(CHANGED, {"text": "😀" * 6_000}, {"changed": ["text"]})
    assert json.loads(bytes(event.body))["data"] == {"changed": ["text"]}


@pytest.mark.django_db(transaction=True)
def test_edit_outlives_a_receiver_that_is_deleted_meanwhile(shop: Endpoint) -> None:
    deleted = threading.Event()

    def delete() -> None:
        endpoints.remove(Endpoint.objects.get(pk=shop.pk))
        deleted.set()
        connection.close()

    thread = threading.Thread(target=delete)
    with transaction.atomic():
        outbox.record(CHANGED, {}, {})
        thread.start()
        time.sleep(0.3)
        assert not deleted.is_set()
    thread.join(10)
    assert deleted.is_set()
    assert (Event.objects.count(), Delivery.objects.count(), Endpoint.objects.count()) == (1, 0, 0)
