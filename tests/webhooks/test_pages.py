"""Pages of webhooks: what each state shows, what is never shown, and what a click does."""

import re
import uuid
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from tests.webhooks.conftest import deliver, happen
from tests.webhooks.plays import answer
from webhooks import delivery, endpoints, vault
from webhooks.forms import MINUTES
from webhooks.models import Attempt, Delivery, Endpoint, Event, Tally, signing_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("hinted", "_private")]
PART = {"HX-Request": "true"}
EVIL = "</pre><script>alert(1)</script>"


@pytest.fixture
def _private(settings) -> None:
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def anna(db: None) -> Client:
    browser = Client()
    browser.force_login(User.objects.create_user("anna@example.com", name="Anna", role="admin"))
    return browser


def at(endpoint: Endpoint, tail: str = "") -> str:
    return f"/webhooks/{endpoint.public_id}/{tail}"


def tried(of: Delivery, state: str = "failed", **how: object) -> Attempt:
    now = timezone.now()
    Delivery.objects.filter(pk=of.pk).update(state=state, tries=1, finished_at=now)
    fields: dict[str, object] = {
        "number": 1,
        "at": now,
        "seconds": 0.084,
        "url": "https://shop.example/?key=•••",
        "status": 500,
    }
    return Attempt.objects.create(delivery=of, **fields | how)


def words(text: str) -> str:
    """The page's text without tags, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


PAGES = ["", "new/", "{id}/", "{id}/edit/", "{id}/rotate/", "{id}/secret/", "{id}/delete/", "{id}/replay/"]
ACTIONS = ["{id}/switch/", "{id}/test/", "{id}/deliveries/1/resend/"]


@pytest.mark.parametrize("path", [*PAGES, *ACTIONS, "{id}/deliveries/1/"])
def test_every_page_asks_people_to_sign_in(shop: Endpoint, path: str) -> None:
    url = "/webhooks/" + path.format(id=shop.public_id)
    for answered in (Client().get(url), Client().post(url)):
        assert answered.status_code == 302
        assert answered.headers["Location"].startswith("/accounts/login/?next=/webhooks/")


@pytest.mark.parametrize("path", ACTIONS)
def test_nothing_changes_by_get(shop: Endpoint, anna: Client, path: str) -> None:
    assert anna.get("/webhooks/" + path.format(id=shop.public_id)).status_code == 405


@pytest.mark.parametrize("path", [*PAGES[2:], "{id}/deliveries/1/", "{id}/deliveries/99999999999999999999/"])
def test_receiver_that_is_not_there_is_not_found(anna: Client, path: str) -> None:
    assert anna.get("/webhooks/" + path.format(id=uuid.uuid4())).status_code == 404


@pytest.mark.parametrize("path", [*PAGES, "{id}/deliveries/{delivery}/"])
def test_pages_have_no_inline_script_or_style(shop: Endpoint, anna: Client, path: str) -> None:
    happen()
    tried(Delivery.objects.get())
    page = anna.get("/webhooks/" + path.format(id=shop.public_id, delivery=Delivery.objects.get().pk)).text
    assert "style=" not in page and "<script>" not in page and "onclick" not in page


# --- the list -----------------------------------------------------------------------------------------------------


def test_empty_list_says_what_webhooks_are_for(anna: Client) -> None:
    page = anna.get("/webhooks/").text
    assert "Tell other systems what happens here" in page
    assert '<a role="button" href="/webhooks/new/">Add a webhook</a>' in page


def test_list_shows_name_masked_url_types_and_what_waits(shop: Endpoint, anna: Client) -> None:
    endpoints.change(shop, "https://shop.example/hook?key=s3cr3t", "Web shop", ["thing.changed"])
    happen()
    page = anna.get("/webhooks/").text
    assert f'<a href="{at(shop)}">Web shop</a>' in page
    assert "https://shop.example/hook?key=•••" in page and "s3cr3t" not in page
    assert "<code>thing.changed</code>" in page
    assert re.search(r'data-label="Waiting">\s*1\s*</td>', page)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "On"),
        ({"failures": 3}, "On, but its last tries failed"),
        ({"failures": 9, "rests_until": timezone.now() + timedelta(hours=1)}, "Resting after failures"),
        ({"failures": 9, "rests_until": timezone.now() - timedelta(hours=1)}, "On, but its last tries failed"),
        ({"active": False}, "Off"),
        ({"active": False, "notice": "It answered 410 Gone."}, "Switched off by Loadify"),
    ],
)
def test_state_is_said_in_words(shop: Endpoint, anna: Client, fields: dict[str, object], state: str) -> None:
    Endpoint.objects.update(**fields)
    for path in ("/webhooks/", at(shop)):
        assert f">{state}</span>" in anna.get(path).text


def test_receiver_that_loadify_switched_off_is_marked_everywhere(shop: Endpoint, anna: Client) -> None:
    Endpoint.objects.update(active=False, notice="It answered 410 Gone.")
    listed = words(anna.get("/webhooks/").text)
    assert "Loadify switched off Shop . It answered 410 Gone." in listed
    assert "Switch it on again" in listed
    assert "Webhooks 1 switched off by Loadify" in words(anna.get("/imports/").text)
    anna.post(at(shop, "switch/"), {"on": "0"})
    assert "switched off by Loadify" not in words(anna.get("/webhooks/").text)


def test_waiting_is_counted_up_to_a_limit(shop: Endpoint, anna: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.health.COUNTED", 2)
    for _ in range(5):
        happen()
    assert anna.get("/webhooks/").context["rows"][0][1].waiting == 3


def test_picture_shows_the_last_24_hours(shop: Endpoint, anna: Client) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    Tally.objects.create(endpoint=shop, hour=hour, delivered=1_200, failed=1)
    Tally.objects.create(endpoint=shop, hour=hour - timedelta(hours=23), delivered=34)
    Tally.objects.create(endpoint=shop, hour=hour - timedelta(hours=24), delivered=5_000)
    page = anna.get("/webhooks/").text
    assert 'aria-label="Last 24 hours: 1,234 delivered, 1 failed try"' in page
    assert page.count('<rect class="day-none"') == 22
    assert '<rect class="day-delivered" x="230" y="3.0" width="7" height="37.0" />' in page
    assert '<rect class="day-failed" x="230" y="0.0" width="7" height="3.0" />' in page


def test_number_of_queries_does_not_grow_with_receivers(shop: Endpoint, anna: Client) -> None:
    with CaptureQueriesContext(connection) as one:
        anna.get("/webhooks/")
    for number in range(24):
        endpoints.add(f"http://127.0.0.1:8009/{number}", "", [], None)
    happen()
    with CaptureQueriesContext(connection) as many:
        anna.get("/webhooks/")
    # Session, person, receivers, tallies, waiting, those given up; and their number and news of imports for the navigation.
    assert len(one) == len(many) == 10


def test_long_list_is_paged(anna: Client) -> None:
    for number in range(51):
        endpoints.add(f"http://127.0.0.1:8009/{number}", f"n{number}", [], None)
    first = anna.get("/webhooks/")
    assert len(first.context["rows"]) == 50
    second = anna.get("/webhooks/", {"page": first.context["page"].next})
    assert [endpoint.name for endpoint, _ in second.context["rows"]] == ["n50"]


# --- adding, changing, secrets ------------------------------------------------------------------------------------


def test_added_webhook_shows_its_secret_once(anna: Client) -> None:
    posted = anna.post("/webhooks/new/", {"url": "http://127.0.0.1:8009/hook", "name": "Shop", "which": "all"})
    made = Endpoint.objects.get()
    assert (posted.status_code, posted.headers["Location"]) == (302, at(made, "secret/"))
    assert (made.url, made.name, made.event_types, str(made.created_by)) == ("http://127.0.0.1:8009/hook", "Shop", [], "Anna")
    secret = vault.unseal(made.secret)
    first = anna.get(at(made, "secret/"))
    assert first.status_code == 200 and secret in first.text
    assert "no-store" in first.headers["Cache-Control"]
    again = anna.get(at(made, "secret/"))
    assert again.status_code == 410 and secret not in again.text
    assert secret not in anna.get(at(made)).text and secret not in anna.get(at(made, "edit/")).text


def test_secret_is_shown_to_nobody_else_and_not_kept_in_the_session(anna: Client) -> None:
    anna.post("/webhooks/new/", {"url": "http://127.0.0.1:8009/", "which": "all"})
    made = Endpoint.objects.get()
    assert "whsec_" not in str(dict(anna.session))
    ben = Client()
    ben.force_login(User.objects.create_user("ben@example.com", role="admin"))
    assert ben.get(at(made, "secret/")).status_code == 410
    other, _ = endpoints.add("http://127.0.0.1:8009/2", "", [], None)
    assert anna.get(at(other, "secret/")).status_code == 410


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"url": ""}, "This field is required."),
        ({"url": "ftp://shop.example/"}, "http"),
        ({"url": "http://127.0.0.1:6379/"}, "6379"),
        ({"which": "some"}, "Choose at least one type, or all events."),
        ({"which": "some", "event_types": ["no.such"]}, "no.such is not one of the available choices"),
        ({"name": "x" * 101}, "at most 100 characters"),
    ],
)
def test_form_that_cannot_be_taken_says_why(anna: Client, fields: dict[str, object], sentence: str) -> None:
    given = {"url": "http://127.0.0.1:8009/", "name": "My shop", "which": "all"} | fields
    for headers in ({}, PART):
        page = anna.post("/webhooks/new/", given, headers=headers)
        assert page.status_code == 422
        assert sentence in page.text
        assert ("<html" in page.text) is (headers == {})
    assert Endpoint.objects.count() == 0


def test_choice_of_types_is_kept_and_shown(shop: Endpoint, anna: Client) -> None:
    given = {"url": shop.url, "name": "", "which": "some", "event_types": ["thing.gone", "thing.changed"]}
    assert anna.post(at(shop, "edit/"), given).headers["Location"] == at(shop)
    shop.refresh_from_db()
    assert (shop.name, shop.event_types) == ("", ["thing.changed", "thing.gone"])
    page = anna.get(at(shop, "edit/")).text
    assert re.search(r'value="thing.gone"[^>]* checked', page)
    assert re.search(r'value="some"[^>]* checked', page)
    anna.post(at(shop, "edit/"), given | {"which": "all"})
    shop.refresh_from_db()
    assert shop.event_types == []


def test_rotated_secret_is_shown_once_and_the_old_one_goes_on(shop: Endpoint, anna: Client) -> None:
    old = vault.unseal(shop.secret)
    assert "Make a new secret?" in anna.get(at(shop, "rotate/")).text
    shop.refresh_from_db()
    assert vault.unseal(shop.secret) == old
    assert anna.post(at(shop, "rotate/")).headers["Location"] == at(shop, "secret/")
    shop.refresh_from_db()
    page = anna.get(at(shop, "secret/")).text
    assert vault.unseal(shop.secret) in page and old not in page
    until = signing_until(shop)
    assert until and f"{until:%H:%M}" in page
    assert "Old secret signs until" in anna.get(at(shop)).text
    assert "A change is under way already" in anna.get(at(shop, "rotate/")).text


def test_switching_off_and_on_is_said(shop: Endpoint, anna: Client) -> None:
    off = anna.post(at(shop, "switch/"), {"on": "0"}, follow=True)
    assert "Shop is off. What happens now waits for it." in off.text
    assert Endpoint.objects.get().active is False
    assert "Shop is on." in anna.post(at(shop, "switch/"), {"on": "1"}, follow=True).text
    assert Endpoint.objects.get().active is True


def test_deleting_asks_first_and_says_what_goes(shop: Endpoint, anna: Client) -> None:
    happen()
    assert "and so does 1 delivery that waits" in words(anna.get(at(shop, "delete/")).text)
    assert Endpoint.objects.count() == 1
    assert "Shop is deleted, and its log with it." in anna.post(at(shop, "delete/"), follow=True).text
    assert (Endpoint.objects.count(), Delivery.objects.count(), Event.objects.count()) == (0, 0, 1)


# --- the test -----------------------------------------------------------------------------------------------------


def test_test_shows_status_time_and_body_at_once(anna: Client, endpoint, receiver) -> None:
    made = endpoint("/hook")
    receiver.plays["/hook"] = answer(201, b"thank you", {"X-Shop": "yes"})
    part = anna.post(at(made, "test/"), headers=PART)
    assert part.status_code == 200 and "<html" not in part.text
    assert "The test has arrived" in part.text and "201 Created" in part.text and "thank you" in part.text
    assert "X-Shop" in part.text or "x-shop" in part.text
    assert re.search(r"after \d+ ms", words(part.text))
    assert part.headers["HX-Trigger"] == '{"deliveries-changed": {}}'
    assert receiver.requests[0].verified is True
    page = anna.post(at(made, "test/")).text
    assert "<html" in page and "201 Created" in page


def test_test_that_fails_says_so_and_is_not_repeated(shop: Endpoint, anna: Client) -> None:
    part = anna.post(at(shop, "test/"), headers=PART).text
    assert "The test was not taken" in part and "No answer" in part
    assert Delivery.objects.get().state == "failed"
    assert Attempt.objects.get().error in words(part)


# --- the log ------------------------------------------------------------------------------------------------------


def test_log_is_newest_first_and_filtered(shop: Endpoint, anna: Client) -> None:
    first, second, third = happen(), happen("thing.gone"), happen()
    tried(Delivery.objects.get(event=first), "delivered", status=200)
    tried(Delivery.objects.get(event=second), error="It answered 500.")

    def events(state: str) -> list[str]:
        page = anna.get(at(shop), {"state": state} if state else {})
        return [line.delivery.event.message_id for line in page.context["log"].lines]

    assert events("") == [third.message_id, second.message_id, first.message_id]
    assert (events("due"), events("delivered"), events("failed")) == (
        [third.message_id],
        [first.message_id],
        [second.message_id],
    )
    page = words(anna.get(at(shop)).text)
    assert "On its way" in page and "Delivered 200 OK 84 ms" in page and "Given up 500 Internal Server Error 84 ms" in page
    assert "It answered 500." in page


@pytest.mark.parametrize("query", [{"state": "no"}, {"before": "x"}, {"before": "-1"}, {"before": str(2**70)}, {"page": "1"}])
def test_query_that_cannot_be_understood_shows_the_whole_log(shop: Endpoint, anna: Client, query: dict[str, str]) -> None:
    happen()
    page = anna.get(at(shop), query)
    assert page.status_code == 200 and len(page.context["log"].lines) == 1


def test_log_is_paged_by_id(shop: Endpoint, anna: Client) -> None:
    made = [happen().pk for _ in range(60)]
    seen: list[int] = []
    query = ""
    for count in (25, 25, 10):
        page = anna.get(at(shop) + query)
        lines = page.context["log"].lines
        assert len(lines) == count
        seen += [line.delivery.event_id for line in lines]
        query = f"?before={page.context['log'].older}"
    assert seen == made[::-1]
    assert page.context["log"].older is None


def test_number_of_queries_of_the_log_does_not_grow(shop: Endpoint, anna: Client) -> None:
    happen()
    tried(Delivery.objects.get())
    with CaptureQueriesContext(connection) as one:
        anna.get(at(shop))
    for _ in range(25):
        happen()
    for delivery_ in Delivery.objects.filter(state="due"):
        tried(delivery_)
    with CaptureQueriesContext(connection) as many:
        anna.get(at(shop))
    # Session, person, receiver, tallies, waiting, deliveries, their last tries, whether something moves, the navigation's two.
    assert len(one) == len(many) == 12


@pytest.mark.parametrize(
    ("of_delivery", "of_endpoint", "state", "polls"),
    [
        ({}, {}, "On its way", True),
        ({"lease_until": timezone.now() + timedelta(hours=1)}, {}, "Being sent", True),
        ({"tries": 2, "next_at": timezone.now() + timedelta(hours=1)}, {}, "Will be tried again", False),
        ({}, {"active": False}, "Waits until it is switched on", False),
        ({}, {"rests_until": timezone.now() + timedelta(hours=1)}, "Waits while it rests", False),
        ({"state": "delivered"}, {}, "Delivered", False),
        ({"state": "failed"}, {}, "Given up", False),
    ],
)
def test_delivery_says_what_it_waits_for_and_the_log_refreshes_while_it_moves(
    shop: Endpoint, anna: Client, of_delivery: dict[str, object], of_endpoint: dict[str, object], state: str, polls: bool
) -> None:
    happen()
    Delivery.objects.update(**of_delivery)
    Endpoint.objects.update(**of_endpoint)
    for path in (at(shop), at(shop, f"deliveries/{Delivery.objects.get().pk}/")):
        for headers in ({}, PART):
            page = anna.get(path, headers=headers).text
            assert f">{state}</span>" in page
            assert ("every 3s" in page) is polls
            assert ("<html" in page) is (headers == {})


def test_delivery_shows_payload_and_tries_with_secrets_masked(anna: Client, endpoint, receiver, monkeypatch) -> None:
    monkeypatch.setattr(delivery, "LINGER", 0.0)
    made = endpoint("/hook")
    Endpoint.objects.update(url=f"{receiver.url}/hook?key=s3cr3t")
    receiver.plays["/hook"] = answer(500, b"no, sorry", {"Set-Cookie": "session=abc"})
    event = happen(name="Öl & <b>Essig</b>", note={"a": 1})
    deliver()
    page = anna.get(at(made, f"deliveries/{Delivery.objects.get().pk}/")).text
    assert "&quot;name&quot;: &quot;Öl &amp; &lt;b&gt;Essig&lt;/b&gt;&quot;,\n" in page
    assert event.message_id in page and "no, sorry" in page and "500 Internal Server Error" in page
    assert "/hook?key=•••" in page and "s3cr3t" not in page and "session=abc" not in page
    signature = receiver.requests[0].headers["webhook-signature"]
    assert signature not in page and "webhook-signature" in page


def test_answers_of_receivers_are_shown_as_text(shop: Endpoint, anna: Client) -> None:
    happen()
    how = {"response_body": EVIL, "error": EVIL, "response_headers": {EVIL: EVIL}, "request_headers": {"X": EVIL}, "url": EVIL}
    tried(Delivery.objects.get(), **how)
    Endpoint.objects.update(name=EVIL, url=f"http://127.0.0.1:8009/{EVIL}", notice=EVIL, active=False)
    pk = Delivery.objects.get().pk
    for path in ("/webhooks/", at(shop), at(shop, f"deliveries/{pk}/"), at(shop, "delete/"), at(shop, "edit/")):
        page = anna.get(path).text
        assert "<script>alert" not in page and "alert(1)" in page


def test_delivery_of_another_receiver_is_not_found(shop: Endpoint, anna: Client) -> None:
    happen()
    other, _ = endpoints.add("http://127.0.0.1:8009/2", "", [], None)
    pk = Delivery.objects.get().pk
    assert anna.get(at(other, f"deliveries/{pk}/")).status_code == 404
    assert anna.post(at(other, f"deliveries/{pk}/resend/")).status_code == 404


def test_resend_puts_it_on_its_way_again(shop: Endpoint, anna: Client) -> None:
    happen()
    tried(Delivery.objects.get())
    pk = Delivery.objects.get().pk
    page = anna.post(at(shop, f"deliveries/{pk}/resend/"), follow=True)
    assert page.redirect_chain == [(at(shop, f"deliveries/{pk}/"), 302)]
    assert "It is sent again now." in page.text and "On its way" in page.text
    assert "Try 1" in page.text


# --- replay -------------------------------------------------------------------------------------------------------


def test_replay_says_how_many_then_sends_them(shop: Endpoint, anna: Client) -> None:
    endpoints.switch(shop, False)
    for _ in range(3):
        happen()
    since = timezone.now() - timedelta(hours=1)
    asked = {"since": since.strftime(MINUTES)}
    page = anna.get(at(shop, "replay/") + "?" + urlencode(asked))
    assert "3 deliveries will be sent. The webhook is off; they wait until it is switched on." in words(page.text)
    assert f'name="since" value="{asked["since"]}"' in page.text
    assert Delivery.objects.count() == 0
    assert "3 deliveries are on their way." in anna.post(at(shop, "replay/"), asked, follow=True).text
    assert Delivery.objects.count() == 3
    nothing = anna.get(at(shop, "replay/"), asked, headers=PART)
    assert "There is nothing to send." in nothing.text and "<html" not in nothing.text


def test_replay_begins_where_the_failures_began(shop: Endpoint, anna: Client) -> None:
    failing = timezone.now() - timedelta(days=3)
    Endpoint.objects.update(failures=3, failing_since=failing)
    assert f'value="{failing.strftime(MINUTES)}"' in anna.get(at(shop, "replay/")).text


@pytest.mark.parametrize("since", ["", "yesterday", "9999-99-99T00:00"])
def test_replay_since_no_moment_is_refused(shop: Endpoint, anna: Client, since: str) -> None:
    for send in (anna.get, anna.post):
        page = send(at(shop, "replay/"), {"since": since})
        assert page.status_code == 422
        assert "errorlist" in page.text
    assert anna.post(at(shop, "replay/"), {}).status_code == 422
