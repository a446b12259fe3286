"""The lookup and the timeline as pages: what they show to whom, and what they say when there is nothing."""

import pytest
from django.test import Client

from accounts.models import User
from cards import lookup, views
from cards.models import CardEvent
from importer.models import Import
from tests.cards.conftest import FILES
from tests.cards.test_lookup import DELIVERED, EXCEPTION, PICKED_UP, report

pytestmark = pytest.mark.django_db


def texts(page) -> str:
    """The page's text with every run of blanks as one."""
    return " ".join(page.text.split())


@pytest.mark.parametrize("path", ["/cards/", "/cards/ZYW1/"])
def test_pages_ask_people_to_sign_in(client: Client, path: str) -> None:
    report(PICKED_UP)
    assert client.get(path).headers["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", ["/cards/", "/cards/ZYW1/"])
def test_pages_only_show(reader: Client, path: str) -> None:
    assert reader.post(path).status_code == 405


def test_lookup_without_any_reports_leads_to_an_import(reader: Client) -> None:
    page = reader.get("/cards/")
    assert page.status_code == 200
    assert "No card reports yet" in page.text
    assert '<a role="button" href="/imports/new/">New import</a>' in page.text


@pytest.mark.parametrize("query", ["", "?card_id=&mobile=", "?card_id=%20"])
def test_lookup_that_asks_nothing_says_what_to_give(reader: Client, query: str) -> None:
    report(PICKED_UP)
    page = reader.get(f"/cards/{query}")
    assert page.status_code == 200
    assert "Give a card ID or a mobile number" in page.text
    assert "No card reports yet" not in page.text


def test_lookup_shows_status_since_when_phones_attempts_and_the_way_to_the_timeline(reader: Client) -> None:
    report(EXCEPTION, 0, phone="0501111111", comment="Not in")
    report(EXCEPTION, 90, comment="Moved <away>")
    page = texts(reader.get("/cards/?card_id=zyw1"))
    assert "<strong>Not delivered</strong> on" in page
    assert '<time datetime="2026-03-01T13:30:00+04:00">1 Mar 2026, 13:30 <span class="offset">UTC+04:00</span></time>' in page
    assert "Moved &lt;away&gt;" in page
    assert "<strong>2 delivery attempts have failed.</strong>" in page
    assert page.index("0585949014</a>") < page.index("0501111111</a>")
    assert 'href="/cards/ZYW1/"' in page


def test_lookup_shows_every_card_of_a_phone(reader: Client) -> None:
    for minutes, name in enumerate(("A1", "B/2?#", "C%3")):
        report(PICKED_UP, minutes, name)
    page = reader.get("/cards/?mobile=%2B971+58+594+9014")
    assert [card.latest.card_id for card in page.context["found"].cards] == ["C%3", "B/2?#", "A1"]
    for card in page.context["found"].cards:
        assert f"<bdi>{card.latest.card_id}</bdi>" in page.text
    assert 'href="/cards/B/2%3F%23/"' in page.text
    assert "<h1><bdi>B/2?#</bdi></h1>" in reader.get("/cards/B/2%3F%23/").text


def test_lookup_says_when_cards_are_left_out(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MOST", 1)
    report(PICKED_UP, 0, "A")
    assert "left out" not in reader.get("/cards/?mobile=0585949014").text
    report(PICKED_UP, 1, "B")
    assert "cards that only older ones name are left out." in reader.get("/cards/?mobile=0585949014").text


def test_lookup_shows_the_latest_of_very_many_cards(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "SHOWN", 2)
    for minutes, name in enumerate("ABC"):
        report(PICKED_UP, minutes, name)
    page = texts(reader.get("/cards/?mobile=0585949014"))
    assert "<bdi>C</bdi>" in page and "<bdi>B</bdi>" in page and "<bdi>A</bdi>" not in page
    assert "only the 2 cards with the latest news are shown." in page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("card_id=%3Cb%3E", "No report names the card “&lt;b&gt;”."),
        ("mobile=0501234567", "No report names the mobile number “0501234567”."),
        ("card_id=ZYW1&mobile=0501234567", "No report names the card “ZYW1” together with the mobile number “0501234567”."),
    ],
)
def test_lookup_of_what_is_unknown_is_404_with_a_sentence(reader: Client, query: str, sentence: str) -> None:
    report(PICKED_UP)
    page = reader.get(f"/cards/?{query}")
    assert page.status_code == 404
    assert sentence in page.text
    assert 'action="/cards/"' in page.text


@pytest.mark.parametrize(
    ("query", "offered"),
    [("card_id=%2B971+58+5949014", True), ("card_id=ZYW99", False), ("card_id=0585949014&mobile=0585949014", False)],
)
def test_number_in_the_box_of_the_card_leads_to_its_own_box(reader: Client, query: str, offered: bool) -> None:
    report(PICKED_UP)
    page = reader.get(f"/cards/?{query}")
    assert page.status_code == 404
    assert (
        '<a href="/cards/?mobile=%2B971%2058%205949014">Look for the mobile number +971 58 5949014</a>' in page.text
    ) is offered


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("mobile=12", "“12” has fewer than nine digits; write the whole mobile number."),
        ("mobile=zyw1", "“zyw1” is not a phone number."),
        (f"card_id={'x' * 101}", "Ensure this value has at most 100 characters (it has 101)."),
        ("card_id=%00", "Null characters are not allowed."),
    ],
)
def test_lookup_of_what_cannot_be_is_422_with_a_sentence_at_the_box(reader: Client, query: str, sentence: str) -> None:
    page = reader.get(f"/cards/?{query}")
    assert page.status_code == 422
    name = query.partition("=")[0]
    assert f'<ul class="errorlist" id="id_{name}_error"><li>{sentence}</li></ul>' in page.text
    assert f'aria-invalid="true" aria-describedby="id_{name}_error"' in texts(page)


def test_timeline_shows_every_report_latest_first(reader: Client) -> None:
    report(PICKED_UP, 0, phone="585949014", reference="332")
    report(EXCEPTION, 60, comment="Not in")
    report(DELIVERED, 60, phone="0501111111")
    page = texts(reader.get("/cards/zyw1/"))
    assert "<h1><bdi>ZYW1</bdi></h1>" in page
    body = page[page.index('<ol class="timeline">') :]
    order = ["Delivered", "Another number: 0501111111", "Not delivered", "Not in", "Picked up", "Report 332"]
    places = [body.index(words) for words in order]
    assert places == sorted(places)
    assert body.count("Another number") == 1
    assert "2026-03-01T12:00:00+04:00" in body


def test_timeline_of_an_unknown_card_is_404_with_a_sentence(reader: Client) -> None:
    for path in ("/cards/zyw1/", "/cards/zyw1%00/"):
        page = reader.get(path)
        assert page.status_code == 404
        assert "No report names the card “zyw1" in page.text


def test_timeline_has_pages(reader: Client) -> None:
    for minutes in range(lookup.PAGE + 1):
        report(EXCEPTION, minutes)
    first = reader.get("/cards/ZYW1/")
    assert len(first.context["entries"]) == lookup.PAGE and 'rel="next"' in first.text
    second = reader.get("/cards/ZYW1/", {"page": first.context["page"].next})
    assert len(second.context["entries"]) == 1 and 'rel="prev"' in second.text


def test_times_are_on_the_clock_of_the_partner_on_that_day(reader: Client, settings) -> None:
    settings.LOADIFY_CARDS_ZONE = "Europe/Berlin"
    report(PICKED_UP, 0)
    report(EXCEPTION, 60 * 24 * 60)
    page = texts(reader.get("/cards/ZYW1/"))
    assert '"2026-04-30T10:00:00+02:00">30 Apr 2026, 10:00 <span class="offset">UTC+02:00</span>' in page
    assert '"2026-03-01T09:00:00+01:00">1 Mar 2026, 09:00 <span class="offset">UTC+01:00</span>' in page


@pytest.mark.django_db(transaction=True)
def test_timeline_names_file_and_line_to_whom_they_belong(load, anna: User, reader: Client) -> None:
    run = load((FILES / "cards-partner" / "pickup.csv").read_bytes(), "cards", "pick-up.csv", layout="pickup")
    Import.objects.filter(pk=run.pk).update(owner=anna)
    own = texts(reader.get("/cards/ZYW8890/"))
    assert f'<span>Line 3 of <a class="file" href="/imports/{run.public_id}/">pick-up.csv</a></span>' in own
    stranger = Client()
    stranger.force_login(User.objects.create_user("ben@example.com", "not-important-9", name="Ben", role="editor"))
    others = texts(stranger.get("/cards/ZYW8890/"))
    assert "pick-up.csv" not in others and "Line 3" not in others
    assert f'<span>From <a href="/imports/{run.public_id}/">an import</a> by Anna</span>' in others
    assert CardEvent.objects.count() == 3
