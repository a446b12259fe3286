"""Contacts over the API, and rows that wait for their moment."""

from datetime import UTC, datetime

import pytest

from accounts.models import Role, User
from contacts.models import Contact
from importer.models import Held, Import
from importer.options import Options
from tests.api.conftest import Program, problem
from tests.importer.conftest import load, submit

__all__ = ["load", "submit"]
FILE = "Name,Phone Number,Email Address\nAnn,011223344,\nBen,011223344,ben@y.am\nCleo,011223344,\n"


@pytest.fixture
def ann(db: None) -> Contact:
    at = datetime(2024, 5, 10, 12, tzinfo=UTC)
    return Contact.objects.create(name="Ann", phone="+37411223344", email="ann@x.am", created_at=at)


def test_contact_is_shown_and_found(call: Program, ann: Contact) -> None:
    Contact.objects.create(name="Ben", phone="+37411999999", created_at=datetime(2024, 5, 12, tzinfo=UTC))
    assert call("GET", "/contacts?to=2024-05-11").json() == {
        "items": [
            {
                "id": ann.pk,
                "name": "Ann",
                "phone": "+37411223344",
                "email": "ann@x.am",
                "created_at": "2024-05-10T12:00:00Z",
            }
        ],
        "next": None,
        "previous": None,
    }

    def found(query: str) -> list[str]:
        return [item["name"] for item in call("GET", f"/contacts?{query}").json()["items"]]

    assert (found(""), found("q=011%2022%2033%2044"), found("q=ANN@x.am")) == (["Ben", "Ann"], ["Ann"], ["Ann"])
    assert (found("from=2024-05-11"), found("from=2024-05-09"), found("from=2024-05-10&to=2024-05-12")) == (
        ["Ben"],
        ["Ben", "Ann"],
        ["Ben", "Ann"],
    )


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("q=a%00b", {"parameter": "q", "detail": "A NUL cannot be part of a text."}),
        ("from=2024-13-01", {"parameter": "from", "detail": "There is no day 2024-13-01."}),
        ("to=", {"parameter": "to", "detail": "Write the day like 2024-12-31."}),
        ("from=1700000000", {"parameter": "from", "detail": "Write the day like 2024-12-31."}),
    ],
)
def test_parameter_that_cannot_be_taken_is_422(call: Program, query: str, error: dict[str, str]) -> None:
    assert problem(call("GET", f"/contacts?{query}"), 422)["errors"] == [error]


@pytest.fixture
def olga(transactional_db: None) -> User:
    return User.objects.create_user("olga@example.com", role=Role.EDITOR)


@pytest.fixture
def run(olga: User, load) -> Import:
    run: Import = load(FILE, "contacts", options=Options(unasked=True))
    Import.objects.filter(pk=run.pk).update(owner=olga)
    return run


def test_rows_that_wait_are_for_the_owner_of_their_import_and_admins(run: Import, olga: User, anna: User) -> None:
    mine = Program(olga)("GET", "/held").json()
    ben, cleo = mine["items"]
    assert ben["values"] == {"name": "Ben", "phone": "+37411223344", "email": "ben@y.am"}
    assert (ben["import"], ben["line"], ben["dataset"], ben["held_by"]) == (str(run.public_id), 3, "contacts", ["phone"])
    assert ben["due_at"] < cleo["due_at"]
    assert Program(anna)("GET", f"/held?import={run.public_id}").json() == mine
    other = Program(User.objects.create_user("other@example.com", role=Role.EDITOR))
    assert other("GET", "/held").json()["items"] == []
    assert problem(other("POST", f"/held/{ben['id']}/release"), 403)["detail"].startswith("Only the person who started")
    assert [item["line"] for item in Program(olga)("GET", "/held?q=ben%40").json()["items"]] == [3]
    assert Program(olga)("GET", "/held?import=0198a1b2-1111-7222-8333-444455556666").json()["items"] == []
    problem(Program(olga)("GET", "/held?import=x"), 422)


def test_row_that_waits_is_stored_at_once_or_never(run: Import, olga: User) -> None:
    call = Program(olga)
    ben, cleo = (item["id"] for item in call("GET", "/held").json()["items"])
    stored = call("POST", f"/held/{ben}/release").json()
    assert stored == {"id": ben, "state": "stored", "row": Contact.objects.get(name="Ben").pk}
    assert call("POST", f"/held/{cleo}/discard").json() == {"id": cleo, "state": "discarded", "row": None}
    again = problem(call("POST", f"/held/{cleo}/release"), 409)
    assert again["detail"] == "This row does not wait any more: it was discarded meanwhile."
    problem(call("POST", f"/held/{2**63}/release"), 404)
    User.objects.update(role=Role.VIEWER)
    problem(call("POST", f"/held/{ben}/discard"), 403)
    assert Held.objects.count() == 2
