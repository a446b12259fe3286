"""What people do with receivers: secrets that overlap, switching, sending again, replaying, forgetting."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tests.webhooks.conftest import happen
from webhooks import endpoints, vault
from webhooks.event_types import TEST
from webhooks.models import Attempt, Delivery, Endpoint, Event, Tally, signing_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("hinted")]
State = Delivery.State
CHANGED, GONE = "thing.changed", "thing.gone"


def dated(event: Event, at: datetime) -> Event:
    """The event as if it had happened then."""
    Event.objects.filter(pk=event.pk).update(at=at)
    return event


def give_up(delivery: Delivery, tries: int = 10) -> None:
    now = timezone.now()
    Delivery.objects.filter(pk=delivery.pk).update(state=State.FAILED, tries=tries, finished_at=now)
    Attempt.objects.create(delivery=delivery, number=tries, at=now, seconds=0.1, url="", status=500)


def test_secret_of_a_new_receiver_is_sealed() -> None:
    endpoint, secret = endpoints.add("http://127.0.0.1:9/", "Shop", [GONE, CHANGED], None)
    stored = Endpoint.objects.get(pk=endpoint.pk)
    assert (stored.url, stored.name, stored.event_types) == ("http://127.0.0.1:9/", "Shop", [CHANGED, GONE])
    assert secret.startswith("whsec_") and secret not in stored.secret
    assert vault.unseal(stored.secret) == secret
    assert (stored.active, stored.old_secret, signing_until(stored)) == (True, "", None)


def test_changed_receiver_keeps_its_secret_and_its_failures_unless_the_url_changes(shop: Endpoint) -> None:
    now = timezone.now()
    Endpoint.objects.update(failures=7, failing_since=now, rests_until=now)
    shop.refresh_from_db()
    sealed = shop.secret
    endpoints.change(shop, shop.url, "Other", [CHANGED])
    assert (shop.name, shop.event_types, shop.failures, shop.secret) == ("Other", [CHANGED], 7, sealed)
    endpoints.change(shop, "http://127.0.0.1:9/new", "Other", [])
    assert (shop.url, shop.event_types) == ("http://127.0.0.1:9/new", [])
    assert (shop.failures, shop.failing_since, shop.rests_until) == (0, None, None)


def test_old_secret_stays_for_24_hours(shop: Endpoint) -> None:
    old = vault.unseal(shop.secret)
    before = timezone.now()
    new = endpoints.rotate(shop)
    stored = Endpoint.objects.get()
    assert (vault.unseal(stored.secret), vault.unseal(stored.old_secret)) == (new, old)
    until = signing_until(stored)
    assert until and timedelta() <= until - before - timedelta(hours=24) < timedelta(seconds=10)
    Endpoint.objects.update(old_secret_until=before - timedelta(seconds=1))
    assert signing_until(Endpoint.objects.get()) is None


def test_second_rotation_keeps_only_the_secret_before(shop: Endpoint) -> None:
    first, second = endpoints.rotate(shop), endpoints.rotate(shop)
    assert (vault.unseal(shop.secret), vault.unseal(shop.old_secret)) == (second, first)


def test_switching_on_forgets_failures_and_the_notice(shop: Endpoint, hinted: list[str]) -> None:
    now = timezone.now()
    Endpoint.objects.update(active=False, notice="Too bad.", failures=9, failing_since=now, rests_until=now)
    endpoints.switch(shop, True)
    stored = Endpoint.objects.get()
    assert (stored.active, stored.notice, stored.failures, stored.failing_since, stored.rests_until) == (
        True,
        "",
        0,
        None,
        None,
    )
    assert hinted == ["webhooks.deliver"]


def test_switching_off_by_hand_takes_the_notice_away_and_keeps_what_is_due(shop: Endpoint) -> None:
    happen()
    Endpoint.objects.update(notice="Too bad.", failures=9)
    endpoints.switch(shop, False)
    stored = Endpoint.objects.get()
    assert (stored.active, stored.notice, stored.failures) == (False, "", 9)
    assert Delivery.objects.get().state == State.DUE


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.DUE])
def test_resent_delivery_starts_the_schedule_anew_under_its_old_id(shop: Endpoint, state: str) -> None:
    event = happen()
    now = timezone.now()
    later = now + timedelta(hours=5)
    Delivery.objects.update(state=state, tries=4, next_at=later, lease_until=now, finished_at=now, claim=6)
    endpoints.resend(Delivery.objects.get())
    found = Delivery.objects.get()
    assert (found.event.message_id, found.state, found.tries, found.lease_until) == (event.message_id, State.DUE, 0, None)
    assert (found.finished_at, found.claim) == (None, 7)
    assert now <= found.next_at <= timezone.now()


def test_delivery_under_way_is_not_sent_a_second_time(shop: Endpoint) -> None:
    happen()
    lease = timezone.now() + timedelta(seconds=30)
    Delivery.objects.update(lease_until=lease, claim=3, tries=2)
    endpoints.resend(Delivery.objects.get())
    found = Delivery.objects.get()
    assert (found.lease_until, found.claim, found.tries) == (lease, 3, 2)


def test_replay_sends_what_was_given_up_and_what_happened_while_off(shop: Endpoint) -> None:
    arrived, given_up, waiting = (happen() for _ in range(3))
    Delivery.objects.filter(event=arrived).update(state=State.DELIVERED)
    give_up(Delivery.objects.get(event=given_up))
    endpoints.switch(shop, False)
    missed = [happen() for _ in range(2)]
    since = timezone.now() - timedelta(minutes=5)
    assert endpoints.to_replay(shop, since) == 3
    assert endpoints.replay(shop, since) == 3
    due = Delivery.objects.filter(state=State.DUE).order_by("event")
    assert [delivery.event_id for delivery in due] == [given_up.pk, waiting.pk, *(event.pk for event in missed)]
    assert [delivery.tries for delivery in due] == [0, 0, 0, 0]
    assert Delivery.objects.get(event=arrived).state == State.DELIVERED


def test_replay_twice_sends_nothing_twice(shop: Endpoint) -> None:
    endpoints.switch(shop, False)
    happen()
    since = timezone.now() - timedelta(minutes=5)
    assert (endpoints.replay(shop, since), endpoints.replay(shop, since)) == (1, 0)
    Delivery.objects.update(state=State.DELIVERED)
    assert (endpoints.to_replay(shop, since), endpoints.replay(shop, since)) == (0, 0)
    assert Delivery.objects.count() == 1


def test_replay_keeps_to_the_moment_the_types_and_leaves_tests_out(shop: Endpoint) -> None:
    now = timezone.now()
    endpoints.switch(shop, False)
    endpoints.change(shop, shop.url, "", [CHANGED])
    dated(happen(), now - timedelta(hours=2))
    wanted = dated(happen(), now - timedelta(hours=1))
    happen(GONE)
    test = Event.objects.create(type=TEST, body=b"{}")
    Event.objects.create(type=TEST, body=b"{}")
    give_up(Delivery.objects.create(endpoint=shop, event=test))
    since = now - timedelta(hours=1)
    assert endpoints.to_replay(shop, since) == endpoints.replay(shop, since) == 1
    assert [delivery.event_id for delivery in Delivery.objects.filter(state=State.DUE)] == [wanted.pk]


def test_replay_of_many_goes_in_batches(shop: Endpoint, monkeypatch: pytest.MonkeyPatch, hinted: list[str]) -> None:
    monkeypatch.setattr(endpoints, "BATCH", 3)
    endpoints.switch(shop, False)
    made = [happen().pk for _ in range(8)]
    hinted.clear()
    assert endpoints.replay(shop, timezone.now() - timedelta(minutes=5)) == 8
    assert sorted(Delivery.objects.values_list("event", flat=True)) == made
    assert hinted == 3 * ["webhooks.deliver", "webhooks.retry"]


@pytest.mark.django_db(transaction=True)
def test_two_replays_at_once_send_each_event_once_and_count_it_once(shop: Endpoint, monkeypatch) -> None:
    monkeypatch.setattr(endpoints, "BATCH", 10)
    endpoints.switch(shop, False)
    for _ in range(60):
        happen()
    since = timezone.now() - timedelta(minutes=5)
    counts: list[int] = []
    together = threading.Barrier(4)

    def replay() -> None:
        together.wait()
        counts.append(endpoints.replay(shop, since))
        connection.close()

    threads = [threading.Thread(target=replay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(counts) == 60 and len(counts) == 4
    assert Delivery.objects.count() == 60


def test_replay_to_a_deleted_receiver_says_so(shop: Endpoint) -> None:
    same = Endpoint.objects.get()
    endpoints.remove(shop)
    with pytest.raises(Endpoint.DoesNotExist):
        endpoints.replay(same, timezone.now())


def test_removed_receiver_leaves_no_row_of_its_own_and_touches_no_other(shop: Endpoint, monkeypatch) -> None:
    monkeypatch.setattr(endpoints, "BATCH", 2)
    other, _ = endpoints.add("http://127.0.0.1:9/other", "", [], None)
    for _ in range(5):
        happen()
    for delivery in Delivery.objects.all():
        give_up(delivery)
    Tally.objects.create(endpoint=shop, hour=timezone.now(), failed=5)
    endpoints.remove(shop)
    assert list(Endpoint.objects.all()) == [other]
    assert set(Delivery.objects.values_list("endpoint", flat=True)) == {other.pk}
    assert (Delivery.objects.count(), Attempt.objects.count(), Event.objects.count(), Tally.objects.count()) == (5, 5, 5, 0)


def test_purge_forgets_in_batches_what_is_older(shop: Endpoint) -> None:
    now = timezone.now()
    for days in (40, 35, 31, 29, 1):
        dated(happen(), now - timedelta(days=days))
    for delivery in Delivery.objects.all():
        give_up(delivery)
    for days in (31, 29):
        Tally.objects.create(endpoint=shop, hour=now - timedelta(days=days))
    assert endpoints.purge(now - timedelta(days=30), batch=2) == 3
    assert (Event.objects.count(), Delivery.objects.count(), Attempt.objects.count(), Tally.objects.count()) == (2, 2, 2, 1)
    assert endpoints.purge(now - timedelta(days=30)) == 0
