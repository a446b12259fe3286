"""Which dataset and which layout a file has: by its headings first, by its name where they do not tell."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from importer import datasets, recognition

FILES = Path(__file__).parents[1] / "files"
REPORT = ["ID ", "Card ID", "User contact", "Timestamp", "Comment"]


def kinds(headings: list[str], name: str) -> list[str]:
    return [kind.title for kind in recognition.that_fit(recognition.all_kinds(), headings, name)]


def heading(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("partner", ["cards-partner", "cards-drifted"])
@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("pickup.csv", "Card reports (Picked up)"),
        ("delivery-exceptions.csv", "Card reports (Delivery exceptions)"),
        ("delivered.csv", "Card reports (Delivered)"),
        ("returned.csv", "Card reports (Returned)"),
    ],
)
def test_files_of_partners_are_told_apart(partner, name, title):
    assert kinds(heading(FILES / partner / name), name) == [title]


def test_headings_and_a_name_that_contradict_each_other_leave_both():
    pickup, returned = heading(FILES / "cards-partner/pickup.csv"), heading(FILES / "cards-partner/returned.csv")
    assert kinds(pickup, "returned.csv") == ["Card reports (Picked up)", "Card reports (Returned)"]
    assert kinds(returned, "delivered.csv") == ["Card reports (Returned)", "Card reports (Delivered)"]
    assert kinds(returned, "13 Nov.csv") == ["Card reports (Returned)"]


def test_name_of_a_layout_says_nothing_of_another_dataset():
    assert kinds(["sku", "name", "description"], "delivered.csv") == ["Products"]


@pytest.mark.parametrize("name", ["report.csv", "delivered-exceptions.csv", "cards.csv"])
def test_same_headings_and_a_name_that_does_not_tell_leave_both(name):
    assert kinds(REPORT, name) == ["Card reports (Delivery exceptions)", "Card reports (Delivered)"]


@pytest.mark.parametrize("name", ["DELIVERED 13 Nov.CSV", "cards-delivered.csv", "partner_delivered_report.xlsx"])
def test_name_decides_whatever_stands_around_it(name):
    assert kinds(REPORT, name) == ["Card reports (Delivered)"]


@pytest.mark.parametrize("name", ["undelivered.csv", "Not Delivered 13 Nov.csv", "cards_non-delivered.csv", "NOTDELIVERED.CSV"])
def test_what_was_not_delivered_is_no_delivery(name):
    assert kinds(REPORT, name) == ["Card reports (Delivery exceptions)"]


@pytest.mark.parametrize(
    ("headings", "titles"),
    [
        (["name", "email"], ["People"]),
        (["Name", "Phone Number", "Email Address"], ["Contacts"]),
        (["Name", "Phone Number", "Email Address", "City"], ["Contacts"]),
        (["line", "reason", "Name", "Email"], ["People"]),
        (["sku", "name", "description"], ["Products"]),
        (["name", "address", "discipline", "cgpa", "date_recorded"], ["Student answers"]),
        (["name", "email", "e-mail"], []),
        (["Artikel", "Text"], []),
        ([], []),
    ],
)
def test_fewest_headings_left_over_decide_between_datasets(headings, titles):
    assert kinds(headings, "file.csv") == titles


def test_layouts_of_one_dataset_are_found_with_headings_left_over():
    cards = datasets.get("cards")
    found = recognition.layouts_that_fit(cards, [*REPORT, "City"], "x.csv")
    assert [layout.name for layout in found] == ["exceptions", "delivered"]
    assert [layout.name for layout in recognition.layouts_named(cards, "returned.csv")] == ["returned"]
    assert recognition.layouts_named(cards, "pickup-returned.csv") == []
    assert recognition.layouts_named(datasets.get("products"), "products.csv") == []


def test_another_dataset_is_named_only_when_it_fits_better():
    people, contacts = datasets.get("people"), datasets.get("contacts")
    headings = ["name", "phone", "email"]
    assert [kind.title for kind in recognition.perfect_elsewhere(people, headings, "x.csv")] == ["Contacts"]
    assert recognition.perfect_elsewhere(contacts, headings, "x.csv") == []
    assert recognition.perfect_elsewhere(people, [*headings, "city"], "x.csv") == []
    assert recognition.perfect_elsewhere(replace(people, name="guests"), ["name", "email"], "x.csv") == []
    found = recognition.perfect_elsewhere(people, REPORT, "delivered.csv")
    assert [(kind.dataset.name, kind.layout_name) for kind in found] == [("cards", "delivered")]
