"""Datasets over the API: which there are, and their records."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from cards.models import CardEvent
from contacts.models import Contact, Person
from importer import datasets
from students.models import StudentAnswer
from tests.api.conftest import Program, problem


def student(name: str, day: str) -> StudentAnswer:
    return StudentAnswer.objects.create(
        name=name, discipline="Civil", cgpa=Decimal("7.5"), date_recorded=day, answer_key=f"{name.lower()} {day}"
    )


def test_datasets_are_listed_with_their_columns(call: Program) -> None:
    listed = {one["name"]: one for one in call("GET", "/datasets").json()}
    assert set(listed) == {dataset.name for dataset in datasets.all()}
    assert listed["cards"]["layouts"] == ["pickup", "exceptions", "delivered", "returned", "export"]
    students = listed["students"]
    assert (students["title"], students["date_field"], students["layouts"]) == ("Student answers", "date_recorded", [])
    assert students["columns"][3:] == [
        {"name": "cgpa", "title": "CGPA", "required": True},
        {"name": "date_recorded", "title": "Date recorded", "required": True},
    ]


def test_records_have_an_id_and_the_columns_of_the_dataset(call: Program) -> None:
    row = student("Nina", "2020-05-10")
    assert call("GET", "/datasets/students/records").json() == {
        "items": [
            {
                "id": row.pk,
                "name": "Nina",
                "address": "",
                "discipline": "Civil",
                "cgpa": "7.50",
                "date_recorded": "2020-05-10",
            }
        ],
        "next": None,
        "previous": None,
    }


def test_moments_are_iso_8601_with_an_offset(call: Program) -> None:
    at = datetime(2023, 11, 13, 9, 34, 56, tzinfo=UTC)
    CardEvent.objects.create(card_id="ZYW1", stage=3, phone="0585", at=at, event_key="zyw1 x")
    (item,) = call("GET", "/datasets/cards/records").json()["items"]
    assert (item["at"], item["stage"], item["card_id"]) == ("2023-11-13T09:34:56Z", 3, "ZYW1")


def test_records_are_narrowed_by_days_and_text(call: Program) -> None:
    for day in (9, 10, 11, 12):
        student(f"N{day}", f"2020-05-{day:02}")

    def found(query: str) -> list[str]:
        return [item["name"] for item in call("GET", f"/datasets/students/records?{query}").json()["items"]]

    assert found("") == ["N12", "N11", "N10", "N9"]
    assert found("from=2020-05-10&to=2020-05-11") == ["N11", "N10"]
    assert found("q=n1&to=2020-05-11") == ["N11", "N10"]


def test_phone_is_found_in_any_spelling(call: Program, settings) -> None:
    settings.LOADIFY_PHONE_REGION = "AM"
    Contact.objects.create(name="Davit", phone="+37455123456", email="davit@example.com")
    assert call("GET", "/datasets/contacts/records?q=055%20123456").json()["items"][0]["email"] == "davit@example.com"


def test_cursors_lead_through_all_records(call: Program) -> None:
    for number in range(60):
        Person.objects.create(email=f"p{number:02}@example.com")
    seen, sizes, cursor = [], [], ""
    while True:
        page = call("GET", f"/datasets/people/records?cursor={cursor}").json()
        seen += [item["email"] for item in page["items"]]
        sizes.append(len(page["items"]))
        if page["next"] is None:
            break
        cursor = page["next"]
    assert sizes == [25, 25, 10]
    assert seen == [f"p{number:02}@example.com" for number in range(59, -1, -1)]
    assert page["previous"]


def test_unknown_dataset_is_not_found_and_says_which_there_are(call: Program) -> None:
    found = problem(call("GET", "/datasets/sweets/records"), 404)
    assert found["detail"].startswith("There is no dataset called “sweets”; there are: cards, contacts, ")


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("from=12/31/9x", {"parameter": "from", "detail": "Write the day like 2024-12-31."}),
        ("from=2020-05-10&to=2020-05-09", {"parameter": "to", "detail": "The last day is before the first one."}),
    ],
)
def test_wrong_days_are_refused(call: Program, query: str, error: dict[str, str]) -> None:
    assert problem(call("GET", f"/datasets/students/records?{query}"), 422)["errors"] == [error]


@pytest.mark.parametrize("path", ["/datasets", "/datasets/students/records"])
def test_datasets_are_for_those_who_are_signed_in(path: str, db: None) -> None:
    problem(Program(None)("GET", path), 401)
