"""Partner files of both kinds, byte for byte as they were sent: every report becomes one event, once."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from cards import lookup
from cards.models import CardEvent, Stage
from importer import control, runner
from importer.models import Import, Reject
from importer.values import Moment
from tests.cards.conftest import FILES, LAYOUTS

DUBAI = timezone(timedelta(hours=4))
#: Of the files as they were sent: the layout → how its times look, and where the comment is a column.
FORMATS = {
    "pickup": "%d-%m-%Y %H:%M",
    "exceptions": "%d-%m-%Y %H:%M",
    "delivered": "%Y-%m-%dT%H:%M:%SZ",
    "returned": "%d-%m-%Y %I:%M%p",
}

stored = pytest.mark.django_db(transaction=True)


def utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def told(run: Import) -> tuple[int, int, int, int]:
    return (run.lines, run.created, run.unchanged, run.rejected)


def reasons(run: Import) -> list[str]:
    return list(Reject.objects.filter(run=run).order_by("line").values_list("reason", flat=True))


@stored
def test_partner_files_are_taken_whole(partner) -> None:
    assert [told(run) for run in partner()] == [(3, 3, 0, 0), (2, 2, 0, 0), (2, 2, 0, 0), (1, 1, 0, 0)]
    events = CardEvent.objects.order_by("stage", "at").values_list("reference", "card_id", "stage", "phone", "at", "comment")
    assert list(events) == [
        ("465", "ZYW8890", 1, "534534534", utc("2023-11-11 23:45:00"), ""),
        ("332", "ZYW8827", 1, "585949014", utc("2023-11-12 19:59:00"), ""),
        ("878", "ZYW7631", 1, "545576586", utc("2023-11-13 07:02:00"), ""),
        ("A982", "ZYW8890", 2, "0534534534", utc("2023-11-13 10:00:00"), "User not available"),
        ("A073", "ZYW7631", 2, "0545576586", utc("2023-11-13 12:00:00"), "User declined to accept package"),
        ("A883", "ZYW8827", 3, "0585949014", utc("2023-11-13 09:34:56"), "DELIVERED"),
        ("A073", "ZYW7631", 3, "0545576586", utc("2023-11-14 12:34:56"), "DELIVERED"),
        ("A982", "ZYW8890", 4, "971534534534", utc("2023-11-14 08:00:00"), ""),
    ]


def reference() -> set[tuple[str, str, str, datetime]]:
    """The drifted files as Python's own csv and strptime read them: reference, card, phone and moment of every report."""
    found = set()
    for name, layout in LAYOUTS.items():
        with open(FILES / "cards-drifted" / name, newline="", encoding="utf-8") as file:
            for number, card, phone, at, *_ in list(csv.reader(file))[1:]:
                moment = datetime.strptime(at, FORMATS[layout])
                zone = UTC if at.endswith("Z") else DUBAI
                found.add((number, card, phone.strip().strip('"'), moment.replace(tzinfo=zone)))
    return found


@stored
def test_drifted_files_are_taken_whole_and_say_what_python_reads_in_them(partner) -> None:
    runs = partner("cards-drifted")
    assert [told(run) for run in runs] == [(20, 20, 0, 0), (20, 20, 0, 0), (20, 20, 0, 0), (19, 19, 0, 0)]
    assert set(CardEvent.objects.values_list("reference", "card_id", "phone", "at")) == reference()


@stored
def test_importing_again_adds_nothing(partner) -> None:
    partner()
    before = list(CardEvent.objects.order_by("id").values())
    assert [told(run) for run in partner()] == [(3, 0, 3, 0), (2, 0, 2, 0), (2, 0, 2, 0), (1, 0, 1, 0)]
    assert list(CardEvent.objects.order_by("id").values()) == before


@stored
def test_same_report_in_another_spelling_adds_nothing(load) -> None:
    heading = "ID,Card ID,User contact,Timestamp,Comment\n"
    first = load(heading + 'a1,zyw1,"""0585949014""",13-11-2023 14:00,Not in\n', "cards", layout="exceptions")
    assert (first.created, CardEvent.objects.get().card_id) == (1, "ZYW1")
    again = "\n".join(
        (
            " A1 , ZYW1 ,+971 (58) 594-9014,2023-11-13T10:00:00Z, not in ",
            "a1,Zyw1,00971585949014,13/11/2023 2:00 PM,Not in",
            "a1,zyw1,585949014.0,2023-11-13 14:00:00+04:00,Not in",
            'a1,"=""ZYW1""","=""0585949014""",13-11-2023 14:00,Not in',
            "a1,zyw1,\u202a+971 58 594 9014\u202c,13.11.2023 14:00:00,Not in",
        )
    )
    second = load(f"{heading}{again}\n", "cards", layout="exceptions")
    assert (second.created, second.unchanged + second.superseded, second.rejected) == (0, 5, 0)
    assert CardEvent.objects.count() == 1


@stored
@pytest.mark.parametrize(
    "line",
    [
        "a2,zyw1,0585949014,13-11-2023 14:00,Not in",
        "a1,zyw2,0585949014,13-11-2023 14:00,Not in",
        "a1,zyw1,0585949015,13-11-2023 14:00,Not in",
        "a1,zyw1,,13-11-2023 14:00,Not in",
        "a1,zyw1,0585949014,13-11-2023 14:01,Not in",
        "a1,zyw1,0585949014,13-11-2023 14:00,Refused",
    ],
)
def test_report_that_says_anything_else_is_another_event(load, line: str) -> None:
    run = load(
        f"ID,Card ID,User contact,Timestamp,Comment\na1,zyw1,0585949014,13-11-2023 14:00,Not in\n{line}\n",
        "cards",
        layout="exceptions",
    )
    assert told(run) == (2, 2, 0, 0)


@stored
def test_same_headings_are_another_stage_in_another_layout(load) -> None:
    content = "ID,Card ID,User contact,Timestamp,Comment\na1,zyw1,0585949014,13-11-2023 14:00,x\n"
    for layout in ("exceptions", "delivered"):
        load(content, "cards", layout=layout)
    assert list(CardEvent.objects.order_by("stage").values_list("stage", flat=True)) == [Stage.EXCEPTION, Stage.DELIVERED]


@stored
@pytest.mark.parametrize("kind", ["cards-partner", "cards-drifted"])
def test_status_is_the_same_whatever_the_order_of_files(partner, kind: str) -> None:
    names = list(LAYOUTS)
    expected: dict[str, tuple[object, ...]] = {}
    for seed in range(6):
        random.Random(seed).shuffle(names)
        partner(kind, names)
        for card in CardEvent.objects.values_list("card_id", flat=True).distinct():
            (found,) = lookup.find(card).cards
            says = (found.latest.stage, found.latest.at, found.latest.reference, found.attempts, found.failed)
            assert expected.setdefault(card, says) == says
        CardEvent.objects.all().delete()
    if kind == "cards-partner":
        assert {card: says[0] for card, says in expected.items()} == {"ZYW8827": 3, "ZYW7631": 3, "ZYW8890": 4}
    else:
        # ZYW8890: returned at noon of the 14th, seen again, delivered, not delivered until the 22nd, picked up on the 23rd.
        assert (expected["ZYW8890"][0], expected["ZYW8908"][0]) == (Stage.PICKED_UP, Stage.RETURNED)
        assert expected["ZYW8890"][3:] == (8, 7)


@stored
def test_line_that_cannot_be_taken_is_a_reject_with_a_sentence(load) -> None:
    lines = [
        "1,ZYW1,585949014,12/31/9x",
        "2,ZYW1,585949014,31-02-2024 09:30",
        "3,ZYW1,585949014,12/31/2024 09:30",
        "4,ZYW1,585949014,",
        "5,,585949014,31-12-2024 09:30",
        "6,ZYW1,ask the bank,31-12-2024 09:30",
        "7,ZYW1,0585949014 / 0501234567,31-12-2024 09:30",
        "8,ZYW1,9.71586E+11,31-12-2024 09:30",
        "9,ZYW1,585949014,31-12-2024 13:30 PM",
        "10,ZYW1,585949014,31-12-2024 24:00",
        '11,"ZYW\n1",585949014,31-12-2024 09:30',
        "12,ZYW1,585949014,31-12-24 09:30",
        "13,ZYW1,0585949014 0501234567,31-12-2024 09:30",
        "14,\u200b,585949014,31-12-2024 09:30",
        f"15,{'Z' * 51},585949014,31-12-2024 09:30",
        "16,0017,,31-12-2024",
        "17,ZYW1,'585949014.5',31-12-2024 09:30",
        "18,ZYW1,31-12-2024,31-12-2024 09:30",
        "19,ZYW1,2024-12-31,31-12-2024 09:30",
    ]
    run = load("ID,Card ID,User Mobile,Timestamp\n" + "\n".join(lines) + "\n", "cards", layout="pickup")
    assert told(run) == (19, 1, 0, 18)
    assert reasons(run) == [
        "Line 2: “12/31/9x” is not a date like 31-12-2024 09:30.",
        "Line 3: “31-02-2024 09:30” is not a date like 31-12-2024 09:30.",
        "Line 4: “12/31/2024 09:30” is not a date like 31-12-2024 09:30.",
        "Line 5: The timestamp is empty.",
        "Line 6: The card ID is empty.",
        "Line 7: “ask the bank” is not a phone number.",
        "Line 8: “0585949014 / 0501234567” is not a phone number.",
        "Line 9: “9.71586E+11” is not a phone number.",
        "Line 10: “31-12-2024 13:30 PM” is not a date like 31-12-2024 09:30.",
        "Line 11: “31-12-2024 24:00” is not a date like 31-12-2024 09:30.",
        "Line 12: “ZYW·1” is not a card ID: it holds a line end or another mark that cannot be shown.",
        "Line 14: “31-12-24 09:30” is not a date like 31-12-2024 09:30.",
        "Line 15: “0585949014 0501234567” is not a phone number.",
        "Line 16: The card ID is empty.",
        f"Line 17: The card ID is 51 characters long, 50 are allowed: “{'Z' * 40}…”.",
        "Line 19: “'585949014.5'” is a number with a fraction, not a phone number.",
        "Line 20: “31-12-2024” is a date, not a phone number.",
        "Line 21: “2024-12-31” is a date, not a phone number.",
    ]
    event = CardEvent.objects.get()
    assert (event.card_id, event.phone, event.at) == ("0017", "", utc("2024-12-30 20:00:00"))


@stored
def test_workbook_with_cells_of_numbers_and_times_says_the_same_as_text(load, partner) -> None:
    partner(names=["pickup.csv"])
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["ID", "Card ID", "User Mobile", "Timestamp"])
    moment = book.add_format({"num_format": "dd-mm-yyyy hh:mm"})
    rows = [
        (332, "ZYW8827", 585949014, datetime(2023, 11, 12, 23, 59)),
        (465, "ZYW8890", 534534534.0, datetime(2023, 11, 12, 3, 45)),
        (878, "ZYW7631", 545576586, datetime(2023, 11, 13, 11, 2)),
        (879, "0017", "0545576586", datetime(2024, 2, 29)),
    ]
    for number, (reference, card, phone, at) in enumerate(rows, 1):
        sheet.write_row(number, 0, [reference, card, phone])
        sheet.write_datetime(number, 3, at, moment)
    book.close()
    run = load(target.getvalue(), "cards", "pickup.xlsx", layout="pickup")
    assert (told(run), reasons(run)) == ((4, 1, 3, 0), [])
    event = CardEvent.objects.latest("id")
    assert (event.card_id, event.phone, event.at) == ("0017", "0545576586", utc("2024-02-28 20:00:00"))


@stored
def test_undo_takes_the_reports_of_one_file_out_of_the_timelines(partner) -> None:
    *_, returned = partner()
    assert lookup.find("zyw8890").cards[0].latest.stage == Stage.RETURNED
    control.undo(returned, None)
    runner.run(returned.pk)
    assert lookup.find("zyw8890").cards[0].latest.stage == Stage.EXCEPTION
    assert CardEvent.objects.count() == 7


# --- moments ---------------------------------------------------------------------------------------------------------

TIMES = [
    ("12-11-2023 11:59 PM", "2023-11-12T19:59:00+00:00"),
    ("12-11-2023 23:59", "2023-11-12T19:59:00+00:00"),
    ("2023-11-13T09:34:56Z", "2023-11-13T09:34:56+00:00"),
    ("14-11-2023 12:00PM", "2023-11-14T08:00:00+00:00"),
    ("15-11-2023 12:00AM", "2023-11-14T20:00:00+00:00"),
    ("15-11-2023 12:30 am", "2023-11-14T20:30:00+00:00"),
    ("12-11-2023 3:45 AM", "2023-11-11T23:45:00+00:00"),
    ("01-02-2024 00:00", "2024-01-31T20:00:00+00:00"),
    ("29-02-2024 12:00", "2024-02-29T08:00:00+00:00"),
    ("1-1-2024 0:00", "2023-12-31T20:00:00+00:00"),
    ("2023-11-13T09:34:56+05:30", "2023-11-13T04:04:56+00:00"),
    ("2023-11-13T09:34:56-0800", "2023-11-13T17:34:56+00:00"),
    ("2023-11-13 09:34:56.25", "2023-11-13T05:34:56.250000+00:00"),
    ("13-11-2023 09:34 +00:00", "2023-11-13T09:34:00+00:00"),
    ("  12-11-2023   23:59 ", "2023-11-12T19:59:00+00:00"),
]


@pytest.mark.parametrize(("text", "value"), TIMES)
def test_moment_is_read_with_the_day_first_in_the_zone_of_the_partner(text: str, value: str) -> None:
    assert Moment("timestamp", "LOADIFY_CARDS_ZONE")(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("28-10-2023 12:00", "2023-10-28T10:00:00+00:00"),
        ("29-10-2023 12:00", "2023-10-29T11:00:00+00:00"),
        ("29-10-2023 02:30", "2023-10-29T00:30:00+00:00"),  # twice that night: the earlier
        ("26-03-2023 02:30", "2023-03-26T01:30:00+00:00"),  # never that night: as if the clock had not been put forward
        ("26-03-2023 12:00Z", "2023-03-26T12:00:00+00:00"),
    ],
)
def test_moment_follows_the_clock_changes_of_the_zone(settings, text: str, value: str) -> None:
    settings.LOADIFY_CARDS_ZONE = "Europe/Berlin"
    assert Moment("timestamp", "LOADIFY_CARDS_ZONE")(text) == value


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(["%d-%m-%Y %I:%M %p", "%d-%m-%Y %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%d-%m-%Y %I:%M%p"]),
)
def test_moment_in_any_of_the_four_formats_is_the_one_that_was_written(moment: datetime, form: str) -> None:
    zone = UTC if form.endswith("Z") else DUBAI
    whole = moment.replace(microsecond=0, second=moment.second if zone is UTC else 0, tzinfo=zone)
    read = Moment("timestamp", "LOADIFY_CARDS_ZONE")(whole.strftime(form))
    assert datetime.fromisoformat(str(read)) == whole
