"""Events on their way to receivers: once, signed, again after a failure, and past the sick ones."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from tests.webhooks.conftest import deliver, happen, make_due
from tests.webhooks.plays import answer, delayed
from webhooks import claims, delivery, endpoints, outcomes
from webhooks.client import Answer
from webhooks.models import Attempt, Delivery, Endpoint, Event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LINGER", 0.0)


def test_event_arrives_as_it_was_stored_and_signed(endpoint, receiver) -> None:
    made = endpoint("/")
    event = happen(name="Öl & <b>Essig</b> 😀")
    assert deliver() == 1
    [got] = receiver.requests
    assert got.body == bytes(Event.objects.get().body)
    assert json.loads(got.body)["data"] == {"name": "Öl & <b>Essig</b> 😀"}
    assert (got.headers["webhook-id"], got.headers["content-type"]) == (event.message_id, "application/json")
    assert got.verified is True
    row = Delivery.objects.get()
    assert (row.state, row.tries, row.lease_until) == ("delivered", 1, None)
    attempt = row.attempts.get()
    assert (attempt.status, attempt.number, attempt.error) == (200, 1, "")
    assert attempt.request_headers["webhook-signature"] == "•••"
    made.refresh_from_db()
    assert made.succeeded_at is not None


def test_delivered_events_are_not_sent_again(endpoint, receiver) -> None:
    endpoint("/")
    happen()
    deliver()
    make_due()
    assert deliver() == 0
    assert len(receiver.requests) == 1


def test_retry_carries_the_same_id_and_body_and_verifies(endpoint, receiver) -> None:
    endpoint("/a")
    receiver.plays["/a"] = answer(500, b"sorry")
    event = happen()
    deliver()
    row = Delivery.objects.get()
    assert (row.state, row.tries) == ("due", 1)
    wait = (row.next_at - row.attempts.get().at).total_seconds()
    assert 3.9 < wait < 8
    receiver.plays["/a"] = answer(200)
    make_due()
    deliver()
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == event.message_id
    assert first.body == second.body
    assert first.verified is second.verified is True
    assert list(Attempt.objects.order_by("pk").values_list("number", "status", "response_body")) == [
        (1, 500, "sorry"),
        (2, 200, ""),
    ]
    assert Delivery.objects.get().state == "delivered"


def test_both_secrets_sign_while_one_takes_over(endpoint, receiver) -> None:
    made = endpoint("/")
    old = receiver.secrets.pop("/")
    new = endpoints.rotate(made)
    happen()
    deliver()
    [got] = receiver.requests
    for secret in (old, new):
        Webhook(secret).verify(got.body, got.headers)
    Endpoint.objects.update(old_secret_until=timezone.now())
    happen()
    deliver()
    got = receiver.requests[1]
    Webhook(new).verify(got.body, got.headers)
    assert len(got.headers["webhook-signature"].split()) == 1


def test_replay_sends_what_was_given_up_and_what_was_missed_under_old_ids(endpoint, receiver) -> None:
    made = endpoint("/")
    given_up = happen()
    Delivery.objects.update(state="failed", tries=10)
    endpoints.switch(made, on=False)
    missed = happen()
    assert deliver() == 0
    endpoints.switch(made, on=True)
    assert endpoints.replay(made, timezone.now() - timedelta(hours=1)) == 2
    deliver()
    assert {got.headers["webhook-id"] for got in receiver.requests} == {given_up.message_id, missed.message_id}
    assert all(got.verified for got in receiver.requests)


def test_schedule_gives_up_after_its_last_try(endpoint, receiver) -> None:
    endpoint("/500")
    happen()
    waits = []
    for _ in outcomes.SCHEDULE:
        make_due()
        deliver()
        row = Delivery.objects.get()
        waits.append((row.next_at - Attempt.objects.latest("pk").at).total_seconds())
    assert (row.state, row.tries) == ("failed", 10)
    assert row.finished_at is not None
    for wait, planned in zip(waits, outcomes.SCHEDULE[1:], strict=False):
        assert 0.79 * planned.total_seconds() < wait < 1.21 * planned.total_seconds() + 1
    make_due()
    assert deliver() == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("Fri, 02 Jan 2026 00:02:00 GMT", 120), ("9999999", 86_400), ("-5", 0), ("soon", 0), ("²", 0), ("", 0)],
)
def test_retry_after_is_read_as_seconds_or_date(text: str, seconds: int) -> None:
    asked = outcomes.asked_for(Answer(503, {"Retry-After": text}, "", 0.1, ""), datetime(2026, 1, 2, tzinfo=UTC))
    assert asked == timedelta(seconds=seconds)


def test_retry_after_is_honoured_and_rests_the_receiver(endpoint, receiver) -> None:
    made = endpoint("/busy")
    receiver.plays["/busy"] = answer(429, b"", {"Retry-After": "600"})
    happen()
    deliver()
    made.refresh_from_db()
    assert Delivery.objects.get().next_at > timezone.now() + timedelta(seconds=590)
    assert made.rests_until > timezone.now() + timedelta(seconds=590)
    happen()
    assert deliver() == 0


def test_410_switches_the_receiver_off(endpoint, receiver) -> None:
    made = endpoint("/410")
    happen()
    deliver()
    made.refresh_from_db()
    assert (made.active, "410 Gone" in made.notice) == (False, True)
    happen()
    assert Delivery.objects.count() == 1


def test_breaker_rests_a_failing_receiver_and_then_tries_one(endpoint, receiver) -> None:
    made = endpoint("/a")
    receiver.plays["/a"] = answer(500)
    for _ in range(20):
        happen()
    deliver()
    assert len(receiver.requests) == outcomes.BREAKS_AT
    made.refresh_from_db()
    assert timedelta(seconds=20) < made.rests_until - timezone.now() < timedelta(seconds=40)
    receiver.plays["/a"] = answer(200)
    make_due()
    assert len(claims.claim(64, failing=True)) == 1
    Delivery.objects.update(lease_until=None)
    deliver()
    made.refresh_from_db()
    assert (made.failures, made.failing_since, made.rests_until) == (0, None, None)
    assert Delivery.objects.filter(state="delivered").count() == 20


def test_rests_grow_to_a_limit(endpoint) -> None:
    made = endpoint("/500")
    Endpoint.objects.update(failures=40, failing_since=timezone.now())
    happen()
    deliver()
    made.refresh_from_db()
    assert timedelta(minutes=11) < made.rests_until - timezone.now() <= timedelta(minutes=15)


@pytest.mark.parametrize(("days", "off"), [(4, False), (5, True)])
def test_receiver_that_took_nothing_for_five_days_is_switched_off(endpoint, days: int, off: bool) -> None:
    made = endpoint("/500")
    Endpoint.objects.update(failures=30, failing_since=timezone.now() - timedelta(days=days, minutes=1))
    happen()
    deliver()
    made.refresh_from_db()
    assert made.active is not off
    assert ("It has taken nothing since" in made.notice) is off


@pytest.mark.slow
def test_hanging_receiver_delays_nobody(endpoint, receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "DEADLINE", 4.0)
    endpoint("/hang")
    for number in range(20):
        endpoint(f"/well/{number}")
    began = time.monotonic()
    for _ in range(5):
        happen()
    deliver()
    arrived = [got.at - began for got in receiver.requests if got.path.startswith("/well")]
    assert len(arrived) == 100
    assert max(arrived) < 4


def test_flooded_receiver_gets_no_more_places_than_others(endpoint) -> None:
    flooded = endpoint("/flooded")
    others = [endpoint(f"/{number}") for number in range(30)]
    events = Event.objects.bulk_create(Event(type="thing.changed", body=b"{}", message_id=f"e{n}") for n in range(500))
    Delivery.objects.bulk_create(Delivery(endpoint=flooded, event=event) for event in events)
    Delivery.objects.bulk_create(Delivery(endpoint=other, event=events[0]) for other in others)
    taken = claims.claim(64, failing=False)
    assert len(taken) == 32
    assert sum(one.endpoint_id == flooded.pk for one in taken) == claims.EACH
    assert claims.claim(64, failing=False) == []


def test_any_receiver_may_come_first(endpoint) -> None:
    made = [endpoint(f"/{number}").pk for number in range(8)]
    happen()
    first = set()
    for _ in range(60):
        [one] = claims.claim(1, failing=False)
        first.add(one.endpoint_id)
        Delivery.objects.update(lease_until=None)
    assert first == set(made)


def test_delivery_of_a_dead_coordinator_is_taken_again_after_its_lease(endpoint, receiver) -> None:
    endpoint("/")
    happen()
    [lost] = claims.claim(10, failing=False)
    assert claims.claim(10, failing=False) == []
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    [again] = claims.claim(10, failing=False)
    assert again.claim == lost.claim + 1
    # The first one wakes up late: its try is logged, and changes nothing.
    outcomes.settle([outcomes.Outcome(lost, timezone.now(), {}, Answer(500, {}, "late", 0.1, ""))])
    row = Delivery.objects.get()
    assert (row.state, row.tries, row.claim) == ("due", 0, again.claim)
    assert row.lease_until is not None
    outcomes.settle([delivery.attempt(again)])
    assert Delivery.objects.get().state == "delivered"
    assert Attempt.objects.count() == 2


def test_receiver_deleted_meanwhile_is_no_error(endpoint) -> None:
    made = endpoint("/")
    happen()
    [claimed] = claims.claim(10, failing=False)
    endpoints.remove(made)
    outcomes.settle([delivery.attempt(claimed)])
    assert Attempt.objects.count() == 0


def test_secret_that_cannot_be_opened_is_a_failed_try_with_a_sentence(endpoint, receiver, settings) -> None:
    endpoint("/")
    happen()
    settings.LOADIFY_WEBHOOK_KEYS = ["another key, which is long enough to be one"]
    deliver()
    assert "LOADIFY_WEBHOOK_KEYS" in Attempt.objects.get().error
    assert receiver.requests == []


def test_test_event_is_sent_at_once_and_only_there(endpoint, receiver) -> None:
    made, _ = endpoint("/a"), endpoint("/b")
    attempt = delivery.send_test(made)
    assert (attempt.status, attempt.succeeded) == (200, True)
    [got] = receiver.requests
    assert (got.path, got.verified, json.loads(got.body)["type"]) == ("/a", True, "webhook.test")
    assert Delivery.objects.get().state == "delivered"


def test_failed_test_is_not_repeated_and_says_nothing_of_the_receiver(endpoint) -> None:
    made = endpoint("/500")
    assert delivery.send_test(made).status == 500
    made.refresh_from_db()
    assert (Delivery.objects.get().state, made.failures) == ("failed", 0)
    make_due()
    assert deliver() == 0


def test_url_and_answer_are_logged_without_their_secrets(endpoint, receiver) -> None:
    made = endpoint("/a")
    Endpoint.objects.update(url=f"{made.url}?token=s3cret&x=")
    receiver.plays["/a"] = answer(200, b"ok", {"Set-Cookie": "session=s3cret", "X-Thing": "1"})
    happen()
    deliver()
    logged = Attempt.objects.get()
    assert logged.url == f"{made.url}?token=•••&x=•••"
    assert (logged.response_headers["Set-Cookie"], logged.response_headers["X-Thing"]) == ("•••", "1")


@pytest.mark.django_db(transaction=True)
def test_two_coordinators_send_nothing_twice_and_keep_to_the_limit(endpoint, receiver) -> None:
    for number in range(10):
        endpoint(f"/{number}")
        receiver.plays[f"/{number}"] = delayed(0.02, answer())
    for _ in range(20):
        happen()

    def work(_: int) -> int:
        try:
            return deliver()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        tries = sum(pool.map(work, range(3)))
    assert tries == len(receiver.requests) == 200
    assert len({(got.path, got.headers["webhook-id"]) for got in receiver.requests}) == 200


@pytest.mark.django_db(transaction=True)
def test_shutdown_gives_back_what_has_not_begun_and_finishes_what_has(endpoint, receiver, monkeypatch) -> None:
    monkeypatch.setattr(delivery, "THREADS", 2)
    for number in range(20):
        endpoint(f"/{number}")
        receiver.plays[f"/{number}"] = delayed(0.5, answer())
    happen()
    stop = threading.Event()
    tries = []

    def work() -> None:
        tries.append(delivery.Coordinator(stop, failing=False).run())
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    receiver.wait_for(2)
    stop.set()
    thread.join(10)
    assert tries[0] == len(receiver.requests) == Delivery.objects.filter(state="delivered").count()
    assert Delivery.objects.filter(state="due", lease_until=None).count() == 20 - tries[0] > 0
