"""Finding cards by id and phone: which are found, what their reports add up to, and by which index."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards import lookup
from cards.cleaners import same_phone
from cards.models import CardEvent, Stage
from importer.values import BadValue

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PICKED_UP, EXCEPTION, DELIVERED, RETURNED = Stage


def report(stage: Stage, minutes: int = 0, card: str = "ZYW1", phone: str = "0585949014", **more: Any) -> CardEvent:
    number = CardEvent.objects.count()
    return CardEvent.objects.create(
        card_id=card, stage=stage, at=START + timedelta(minutes=minutes), phone=phone, event_key=f"{card} {number}", **more
    )


def ids(found: lookup.Found) -> list[str]:
    return [card.latest.card_id for card in found.cards]


def card(card_id: str = "ZYW1") -> lookup.Card:
    (found,) = lookup.find(card_id).cards
    return found


# --- what is found -----------------------------------------------------------------------------------------------------

SPELLINGS = [
    "+971 58 594 9014",
    "0585949014",
    "585949014",
    "971585949014",
    "00971585949014",
    '"0585949014"',
    "“0585949014”",
    "'058-594-9014'",
    '="0585949014"',
    "(058) 594 9014",
    "+971 (0) 58.594-9014",
    "  0585949014    ",
    "585949014.0",
    "\u202a+971\u00a058\u00a0594\u00a09014\u202c",
    "058\u2011594\u20119014",
    "٠٥٨٥٩٤٩٠١٤",
    "+٩٧١ ۵۸ ۵۹۴ ۹۰۱۴",
    "０５８５９４９０１４",
]


@pytest.mark.parametrize("asked", SPELLINGS)
@pytest.mark.parametrize("kept", ["0585949014", "585949014", "971585949014"])
def test_card_is_found_by_any_spelling_of_its_phone(kept: str, asked: str) -> None:
    report(PICKED_UP, phone=kept)
    report(PICKED_UP, card="OTHER", phone="0585949015")
    assert ids(lookup.find(mobile=asked)) == ["ZYW1"]


@pytest.mark.parametrize("asked", ["ZYW1", "zyw1", " Zyw1 ", "\u200bzyw1", "\ufeffZYW1\u202c", '"ZYW1"', "‘zyw1’ ", '="ZYW1"'])
def test_card_is_found_by_its_id_in_any_case(asked: str) -> None:
    report(PICKED_UP)
    report(PICKED_UP, card="ZYW10")
    assert ids(lookup.find(asked)) == ["ZYW1"]


@pytest.mark.parametrize("asked", ["ZYW", "ZYW11", "ZYW\0", "ZYW1\n1", "\ud800", "%", "_YW1"])
def test_card_is_not_found_by_what_is_not_its_id(asked: str) -> None:
    report(PICKED_UP)
    assert ids(lookup.find(asked)) == []


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("85949014", "“85949014” has fewer than nine digits; write the whole mobile number."),
        ("12", "“12” has fewer than nine digits; write the whole mobile number."),
        ("+", "“+” has fewer than nine digits; write the whole mobile number."),
        ("zyw1", "“zyw1” is not a phone number."),
        ("0585949014,0585949015", "“0585949014,0585949015” is not a phone number."),
        ("058594901405859490", "“058594901405859490” is not a phone number."),
    ],
)
def test_phone_that_is_none_or_too_short_is_refused(asked: str, sentence: str) -> None:
    report(PICKED_UP, phone="85949014")
    with pytest.raises(BadValue) as problem:
        lookup.find(mobile=asked)
    assert str(problem.value) == sentence
    assert same_phone(asked) is None


def test_nothing_asked_finds_nothing() -> None:
    report(PICKED_UP, phone="")
    assert lookup.find() == lookup.find(" ", " ") == lookup.Found(())


def test_card_that_changed_its_phone_is_found_by_both_with_all_of_its_reports() -> None:
    report(PICKED_UP, 0, phone="0585949014")
    report(EXCEPTION, 10, phone="")
    report(DELIVERED, 20, phone="0501111111")
    report(PICKED_UP, 1, phone="971585949014")
    for asked in ("0585949014", "0501111111"):
        (found,) = lookup.find(mobile=asked).cards
        assert (found.latest.stage, found.phones) == (DELIVERED, ("0501111111", "971585949014"))
    entries, _ = lookup.timeline(card())
    assert [(entry.event.phone, entry.other_phone) for entry in entries] == [
        ("0501111111", True),
        ("", False),
        ("971585949014", False),
        ("0585949014", False),
    ]


def test_phone_with_several_cards_finds_all_of_them_latest_first() -> None:
    report(PICKED_UP, 30, "B")
    report(PICKED_UP, 10, "A")
    report(PICKED_UP, 20, "C")
    report(RETURNED, 40, "A", phone="0501111111")
    report(PICKED_UP, 50, "D", phone="0501111111")
    assert ids(lookup.find(mobile="0585949014")) == ["A", "B", "C"]


def test_id_and_phone_together_find_what_fits_both() -> None:
    report(PICKED_UP, 0, "A")
    report(PICKED_UP, 0, "B", phone="0501111111")
    assert ids(lookup.find("a", "585949014")) == ["A"]
    assert ids(lookup.find("b", "585949014")) == []
    assert ids(lookup.find("c", "585949014")) == []


def test_phone_in_very_many_reports_finds_the_cards_of_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MOST", 3)
    for minutes, name in enumerate("ABCD"):
        report(PICKED_UP, minutes, name)
    found = lookup.find(mobile="0585949014")
    assert (ids(found), found.more) == (["D", "C", "B"], True)
    CardEvent.objects.filter(card_id="A").delete()
    assert lookup.find(mobile="0585949014").more is False


# --- what reports add up to ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "status"),
    [
        ((EXCEPTION, PICKED_UP), EXCEPTION),
        ((DELIVERED, EXCEPTION), DELIVERED),
        ((PICKED_UP, RETURNED), RETURNED),
        ((RETURNED, DELIVERED), RETURNED),
        ((PICKED_UP, EXCEPTION, DELIVERED, RETURNED), RETURNED),
    ],
)
def test_of_reports_of_one_moment_the_later_stage_is_the_status(stages: tuple[Stage, ...], status: Stage) -> None:
    for order in (stages, stages[::-1]):
        CardEvent.objects.all().delete()
        for stage in order:
            report(stage)
        assert card().latest.stage == status
        entries, _ = lookup.timeline(card())
        assert [entry.event.stage for entry in entries] == sorted(stages, reverse=True)


def test_status_is_of_the_latest_moment_whatever_its_stage_and_when_it_came() -> None:
    report(PICKED_UP, 30)
    report(RETURNED, 20)
    report(DELIVERED, 10)
    assert card().latest.stage == PICKED_UP


@pytest.mark.parametrize(
    ("reports", "attempts", "note"),
    [
        ([(PICKED_UP, 0)], 0, ""),
        ([(PICKED_UP, 0), (EXCEPTION, 1)], 1, ""),
        ([(DELIVERED, 1)], 1, ""),
        ([(EXCEPTION, 1), (EXCEPTION, 2)], 2, "2 delivery attempts have failed."),
        ([(EXCEPTION, 1), (EXCEPTION, 2), (RETURNED, 3)], 2, "2 delivery attempts have failed."),
        ([(EXCEPTION, 1), (DELIVERED, 2)], 2, "2 delivery attempts were made; 1 failed."),
        ([(EXCEPTION, 1), (EXCEPTION, 2), (DELIVERED, 3)], 3, "3 delivery attempts were made; 2 failed."),
        ([(DELIVERED, 1), (DELIVERED, 2)], 2, "2 delivery attempts were made; none failed."),
        ([(EXCEPTION, 1), (EXCEPTION, 1)], 1, ""),
        ([(EXCEPTION, 1), (DELIVERED, 1)], 1, ""),
    ],
)
def test_attempts_are_moments_of_exceptions_and_deliveries(reports: list[tuple[Stage, int]], attempts: int, note: str) -> None:
    for number, (stage, minutes) in enumerate(reports):
        report(stage, minutes, reference=f"R{number}", phone=f"05{number}1111111")
    report(EXCEPTION, 0, card="OTHER")
    assert (card().attempts, card().attempts_note) == (attempts, note)


def test_timeline_comes_by_pages() -> None:
    for minutes in range(lookup.PAGE + 3):
        report(EXCEPTION, minutes)
    first, page = lookup.timeline(card())
    second, last = lookup.timeline(card(), page.next)
    assert (len(first), len(second), last.next) == (lookup.PAGE, 3, "")
    moments = [entry.event.at for entry in first + second]
    assert moments == sorted(moments, reverse=True) and len(set(moments)) == lookup.PAGE + 3


def test_number_of_queries_does_not_grow_with_cards() -> None:
    counts = []
    for number in range(2):
        for name in range(10):
            report(EXCEPTION, number, f"{number}{name}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(lookup.find(mobile="0585949014").cards) == 10 * (number + 1)
        counts.append(len(queries))
    assert counts == [4, 4]


# --- by index -----------------------------------------------------------------------------------------------------


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def test_large_table_is_read_by_index_only_where_the_card_is() -> None:
    # Every tenth report has a number that stands for “unknown”.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cards_cardevent (reference, card_id, stage, phone, at, comment, event_key, created_at, updated_at)
            SELECT 'R' || n, 'ZYW' || n % 40000, 1 + n % 4,
                   '05' || lpad((CASE WHEN n % 10 = 0 THEN 0 ELSE n % 30000 END)::text, 8, '0'),
                   timestamptz '2026-01-01 00:00Z' + n * interval '1 minute', '', 'k' || n, now(), now()
            FROM generate_series(1, 120000) AS n
            """
        )
        cursor.execute("ANALYZE cards_cardevent")
    with CaptureQueriesContext(connection) as queries:
        assert ids(lookup.find("zyw77")) == ["ZYW77"]
        assert len(lookup.find(mobile="+971 50 002 0077").cards) > 0
        lookup.timeline(card("zyw77"))
    assert len(queries) > 8
    used = set()
    for query in queries.captured_queries:
        if "cards_cardevent" not in query["sql"]:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query['sql']}")
            (explained,) = cursor.fetchone()
        plan = (explained if isinstance(explained, list) else json.loads(explained))[0]["Plan"]
        for node in nodes(plan):
            assert node["Node Type"] != "Seq Scan", query["sql"]
            assert node["Actual Rows"] * node["Actual Loops"] <= 200, query["sql"]
            used.add(node.get("Index Name"))
    assert used >= {"card_event_latest", "card_event_phone"}
