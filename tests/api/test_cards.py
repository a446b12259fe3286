"""Cards over the API: the same lookup as on the pages."""

from typing import Any

import pytest

from cards import lookup
from cards.models import CardEvent
from tests.api.conftest import Program, problem
from tests.cards.test_lookup import DELIVERED, EXCEPTION, PICKED_UP, RETURNED, report

pytestmark = pytest.mark.django_db


def items(call: Program, query: str) -> list[dict[str, Any]]:
    answer = call("GET", f"/cards?{query}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_card_is_shown_with_all_that_is_known(call: Program) -> None:
    report(PICKED_UP, 0, phone="0501111111")
    report(EXCEPTION, 60, phone="")
    report(EXCEPTION, 90, comment="Not in")
    for query in ("card_id=zyw1", "mobile=%2B971%2058%20594%209014", "mobile=0501111111", "card_id=ZYW1&mobile=585949014"):
        assert items(call, query) == [
            {
                "card_id": "ZYW1",
                "status": "exception",
                "status_at": "2026-03-01T13:30:00+04:00",
                "comment": "Not in",
                "phones": ["0585949014", "0501111111"],
                "attempts": 2,
                "attempts_note": "2 delivery attempts have failed.",
            }
        ]


@pytest.mark.parametrize(
    ("stage", "status"), [(PICKED_UP, "picked_up"), (EXCEPTION, "exception"), (DELIVERED, "delivered"), (RETURNED, "returned")]
)
def test_status_is_a_word_for_programs(call: Program, stage: int, status: str) -> None:
    report(stage)
    assert items(call, "card_id=zyw1")[0]["status"] == status


def test_phone_with_several_cards_answers_all_of_them_latest_first(call: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes, name in enumerate("ACB"):
        report(PICKED_UP, minutes, name)
    assert [card["card_id"] for card in items(call, "mobile=0585949014")] == ["B", "C", "A"]
    assert call("GET", "/cards?mobile=0585949014").json()["more"] is False
    monkeypatch.setattr(lookup, "MOST", 2)
    assert call("GET", "/cards?mobile=0585949014").json()["more"] is True


@pytest.mark.parametrize("query", ["", "?card_id=&mobile=", "?card_id=%20"])
def test_asking_for_nothing_is_400_with_a_sentence(call: Program, query: str) -> None:
    report(PICKED_UP)
    assert problem(call("GET", f"/cards{query}"), 400)["detail"] == "Give a card ID or a mobile number."


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("?card_id=zyw2", "No report names the card “zyw2”."),
        ("?mobile=0501234567", "No report names the mobile number “0501234567”."),
        (
            "?card_id=zyw1&mobile=0501234567",
            "No report names the card “zyw1” together with the mobile number “0501234567”.",
        ),
        ("/zyw2", "No report names the card “zyw2”."),
    ],
)
def test_what_is_unknown_is_404_with_a_sentence(call: Program, path: str, sentence: str) -> None:
    report(PICKED_UP)
    assert problem(call("GET", f"/cards{path}"), 404)["detail"] == sentence


def test_phone_that_is_too_short_is_422_and_named(call: Program) -> None:
    sentence = "“12” has fewer than nine digits; write the whole mobile number."
    assert problem(call("GET", "/cards?mobile=12"), 422)["errors"] == [{"parameter": "mobile", "detail": sentence}]


def test_whoever_is_signed_out_is_told_so() -> None:
    report(PICKED_UP)
    for path in ("/cards?card_id=zyw1", "/cards", "/cards/zyw1"):
        assert problem(Program(None)("GET", path), 401)["detail"] == "Sign in first."


def test_timeline_has_every_report_by_pages(call: Program) -> None:
    for minutes in range(lookup.PAGE + 1):
        report(EXCEPTION, minutes, "A/1", reference=f"R{minutes}")
    first = call("GET", "/cards/a/1").json()
    assert (first["card_id"], first["attempts"], len(first["events"]), first["previous"]) == ("A/1", 51, lookup.PAGE, None)
    assert first["events"][0] == {
        "status": "exception",
        "at": "2026-03-01T12:50:00+04:00",
        "phone": "0585949014",
        "comment": "",
        "reference": "R50",
    }
    second = call("GET", f"/cards/a/1?cursor={first['next']}").json()
    assert [event["reference"] for event in second["events"]] == ["R0"]
    assert (second["next"], CardEvent.objects.count()) == (None, 51)
