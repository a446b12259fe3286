"""The samples of every dataset and layout: what is in them, and that they land as they should."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from python_calamine import CalamineWorkbook

from accounts.models import User
from cards.models import CardEvent, Stage
from contacts.datasets import email_of, phone_of
from importer import datasets, downloads, recognition
from importer.made_up import scattered
from importer.values import fold
from tests.importer.conftest import Load

ROWS = 400
#: Every file that can be made: dataset, layout, file name.
KINDS = [
    (dataset.name, layout, f"{layout or dataset.name}.csv")
    for dataset in datasets.all()
    for layout in ([layout.name for layout in dataset.foreign_layouts] or [""])
]
ids = [f"{dataset}-{layout}" if layout else dataset for dataset, layout, _ in KINDS]


def make(path: Path, dataset: str, rows: int = ROWS, **options: object) -> bytes:
    call_command("make_sample", dataset, rows, path, stdout=io.StringIO(), **options)
    return path.read_bytes()


def records(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))[1:]


def expected(dataset: str, rows: list[list[str]]) -> dict[str, int]:
    """How many lines end in which bucket, by the rules of the dataset in other words."""
    if dataset == "contacts":
        counts = {"created": 0, "held": 0, "rejected": 0}
        seen: set[str] = set()
        for _, phone, email in rows:
            own = {phone_of(phone), email_of(email)} - {None}
            bucket = "rejected" if not phone else "held" if own & seen else "created"
            counts[bucket] += 1
            seen |= own if phone else set()
        return counts
    keys = {
        "products": lambda row: fold(row[1]),
        "people": lambda row: row[1].strip().lower(),
        "students": lambda row: (row[0].lower(), row[4]),
        "cards": tuple,
    }
    distinct = len(set(map(keys[dataset], rows)))
    return {"created": distinct, "superseded": len(rows) - distinct}


@pytest.mark.parametrize(("dataset", "layout", "name"), KINDS, ids=ids)
def test_sample_lands_as_it_should(dataset: str, layout: str, name: str, tmp_path: Path, load: Load, settings) -> None:
    settings.LOADIFY_PHONE_REGION = "AM"
    content = make(tmp_path / name, dataset, layout=layout)
    rows = records(content)
    run = load(content, dataset, name, layout=layout)
    wanted = dict.fromkeys(("created", "updated", "unchanged", "superseded", "held", "rejected"), 0)
    wanted |= expected(dataset, rows)
    assert (run.state, run.lines) == ("done", ROWS)
    assert {bucket: getattr(run, bucket) for bucket in wanted} == wanted


@pytest.mark.parametrize(("dataset", "layout", "name"), KINDS, ids=ids)
def test_same_seed_makes_the_same_file(dataset: str, layout: str, name: str, tmp_path: Path) -> None:
    made = [make(tmp_path / f"{at}.csv", dataset, 50, layout=layout, seed=seed) for at, seed in enumerate((7, 7, 8))]
    assert made[0] == made[1] != made[2]
    assert len(records(made[0])) == 50


@pytest.mark.parametrize(("dataset", "layout", "name"), KINDS, ids=ids)
def test_sample_that_the_page_offers_can_be_imported(dataset: str, layout: str, name: str, load: Load) -> None:
    client = Client()
    client.force_login(User.objects.create_user("anna@example.com", role="editor"))
    address = f"/imports/sample/{dataset}.csv" + (f"?layout={layout}" if layout else "")
    assert f'href="{address}"' in client.get("/imports/new/").text
    answer = client.get(address)
    called = f"{dataset}-{layout}-sample.csv" if layout else f"{dataset}-sample.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{called}"'
    content = b"".join(answer.streaming_content)
    heading = next(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    (kind,) = recognition.that_fit(recognition.all_kinds(), heading, called)
    assert (kind.dataset.name, kind.layout_name) == (dataset, layout)
    run = load(content, dataset, called, layout=layout)
    assert (run.state, run.lines) == ("done", downloads.SAMPLE)
    assert run.created + run.superseded + run.held + run.rejected == downloads.SAMPLE


@pytest.mark.parametrize("address", ["cards.csv", "cards.csv?layout=lost", "people.csv?layout=pickup", "boats.csv"])
def test_sample_that_there_is_not_is_not_found(address: str, db: None) -> None:
    client = Client()
    client.force_login(User.objects.create_user("anna@example.com", role="editor"))
    assert client.get(f"/imports/sample/{address}").status_code == 404


def test_workbook_has_the_rows_of_the_csv_and_is_the_same_again(tmp_path: Path, load: Load) -> None:
    text = records(make(tmp_path / "a.csv", "people"))
    workbook = make(tmp_path / "a.xlsx", "people")
    assert workbook == make(tmp_path / "b.XLSX", "people")
    sheet = CalamineWorkbook.from_path(str(tmp_path / "a.xlsx")).get_sheet_by_index(0).to_python()
    assert sheet == [["name", "email"], *text]
    run = load(workbook, "people", "a.xlsx")
    assert (run.state, run.created) == ("done", expected("people", text)["created"])


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Say with --layout .*: pickup, exceptions, delivered, returned"):
        make(tmp_path / "a.csv", "cards")
    with pytest.raises(CommandError, match="Card reports have no layout called “lost”"):
        make(tmp_path / "a.csv", "cards", layout="lost")
    with pytest.raises(CommandError, match="A sheet has room for 1,048,575 records; write a CSV file for 2,000,000"):
        make(tmp_path / "a.xlsx", "people", 2_000_000)
    assert not list(tmp_path.iterdir())


def test_contacts_are_spelled_in_many_ways(tmp_path: Path) -> None:
    rows = records(make(tmp_path / "a.csv", "contacts", 2_000))
    phones = [phone for _, phone, _ in rows]
    for begin in ("+374", "0", "(0", "(+374)", "00374", "374", "+971", "+7", "+49"):
        assert sum(phone.startswith(begin) for phone in phones) > 20, begin
    assert sum(phone.endswith(".0") for phone in phones) > 50
    assert 20 <= phones.count("") <= 60
    assert 80 <= [email for _, _, email in rows].count("") <= 240
    assert all(phone_of(phone) for phone in phones if phone)


def test_people_come_again_in_other_spellings(tmp_path: Path) -> None:
    emails = [email for _, email in records(make(tmp_path / "a.csv", "people", 2_000))]
    assert any(email != email.strip() for email in emails) and any(email.isupper() for email in emails)
    assert 20 <= len(emails) - len({email.strip().lower() for email in emails}) <= 90


def test_four_card_files_tell_of_the_same_cards(tmp_path: Path, load: Load, settings) -> None:
    settings.LOADIFY_CARDS_ZONE = "Asia/Dubai"
    for layout in ("returned", "delivered", "exceptions", "pickup"):
        assert load(make(tmp_path / f"{layout}.csv", "cards", layout=layout), "cards", layout=layout).state == "done"
    cards: dict[str, list[CardEvent]] = {}
    for event in CardEvent.objects.order_by("at"):
        cards.setdefault(event.card_id, []).append(event)
    whole = [events for events in cards.values() if events[0].stage == Stage.PICKED_UP]
    assert len(whole) == ROWS
    for events in whole:
        stages = [event.stage for event in events]
        assert stages == sorted(stages) and stages.count(Stage.PICKED_UP) == 1
        assert stages.count(Stage.DELIVERED) + stages.count(Stage.RETURNED) <= 1
        assert len({event.phone_end for event in events}) == 1
    ends = {events[-1].stage for events in whole}
    assert ends == {Stage.PICKED_UP, Stage.EXCEPTION, Stage.DELIVERED, Stage.RETURNED}
    assert {sum(event.stage == Stage.EXCEPTION for event in events) for events in whole} == {0, 1, 2, 3}


def test_moments_of_cards_are_the_same_by_the_partner_s_clock_and_by_utc(tmp_path: Path) -> None:
    dubai = timezone(timedelta(hours=4))
    picked = {row[1]: datetime.strptime(row[3], "%d-%m-%Y %I:%M %p") for row in _rows(tmp_path, "pickup")}
    ended = {row[1]: datetime.strptime(row[3], "%Y-%m-%dT%H:%M:%SZ") for row in _rows(tmp_path, "delivered")}
    both = picked.keys() & ended.keys()
    assert len(both) > 200
    waits = [ended[card].replace(tzinfo=UTC) - picked[card].replace(tzinfo=dubai) for card in both]
    # Nobody delivers a card in less than 18 hours.
    assert min(waits) >= timedelta(hours=18)
    assert min(waits) < timedelta(hours=21)


def _rows(folder: Path, layout: str) -> Iterator[list[str]]:
    yield from records(make(folder / f"{layout}.csv", "cards", layout=layout))


@pytest.mark.parametrize("count", [1, 2, 10, 97, 1_000])
def test_scattered_numbers_come_once_each(count: int) -> None:
    place = scattered(count, Random(3))
    assert sorted(map(place, range(count))) == list(range(count))
    assert count < 10 or list(map(place, range(count))) != list(range(count))
