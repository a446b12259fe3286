"""The page and the command that erase a person: in two steps, for staff, without the value in any address or log."""

import io
import re

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Role, User
from contacts.models import Person
from importer import control, erasure
from importer.models import Erasure

PEOPLE = "name,email\nAnn,ann@example.com\nBen,ben@example.com\n"


@pytest.fixture
def staff(client, transactional_db):
    staff = User.objects.create_user("staff@example.com", name="Sue", role="admin")
    client.force_login(staff)
    return staff


def people() -> list[str]:
    return sorted(Person.objects.values_list("email", flat=True))


def said(answer) -> str:
    """The page without the blanks that only lay it out."""
    return re.sub(r" ?([<>]) ?", r"\1", " ".join(answer.content.decode().split()))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_only_staff_may_erase(client, load, role):
    load(PEOPLE, "people")
    asked = {"text": "ann@example.com", "confirm": "yes"}
    for answer in (client.get("/erase/"), client.post("/erase/", asked)):
        assert (answer.status_code, answer["Location"].startswith("/accounts/login/")) == (302, True)
    client.force_login(User.objects.create_user("somebody@example.com", role=role))
    for answer in (client.get("/erase/"), client.post("/erase/", asked)):
        assert answer.status_code == 403
    assert "Erase personal data" not in said(client.get("/imports/"))
    assert people() == ["ann@example.com", "ben@example.com"]


def test_a_person_is_looked_at_first_and_erased_by_a_second_step(client, load, staff):
    run = load(PEOPLE, "people", name="people.csv")
    assert "Erase personal data" in said(client.get("/imports/"))
    answer = client.post("/erase/", {"text": "ANN@example.com"})
    text = said(answer)
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)
    assert "<dt>People</dt><dd>1</dd>" in text
    assert "<dt>Files, each as a whole</dt><dd>1</dd>" in text
    assert "people.csv" in text
    assert people() == ["ann@example.com", "ben@example.com"]
    answer = client.post("/erase/", {"text": "ANN@example.com", "confirm": "yes"}, follow=True)
    assert answer.redirect_chain == [("/erase/", 302)]
    text = said(answer)
    assert "Erased. Changes of people: 1; Files: 1; People: 1." in text
    assert "by Sue, found by email" in text
    assert "ann@example.com" not in text.lower()
    assert people() == ["ben@example.com"]
    assert Erasure.objects.get().person == staff
    text = said(client.post("/erase/", {"text": "ann@example.com"}))
    assert "There is nothing." in text
    assert "Erased before, on" in text
    assert "because it held data of a person whose data was erased" in said(client.get(f"/imports/{run.public_id}/"))


@pytest.mark.parametrize("step", [{}, {"confirm": "yes"}])
def test_what_names_nobody_is_refused(client, staff, step):
    answer = client.post("/erase/", {"text": "nobody at all", **step})
    assert (answer.status_code, "“nobody at all” is nothing that a person is known by here" in said(answer)) == (422, True)
    answer = client.post("/erase/", {"text": " ", **step})
    assert (answer.status_code, "Enter an e-mail address or a phone number." in said(answer)) == (422, True)


def test_an_import_in_the_way_is_named_and_nothing_removed(client, submit, load, staff):
    load(PEOPLE, "people")
    waiting = submit(PEOPLE, "people")
    text = said(client.post("/erase/", {"text": "ann@example.com"}))
    assert (f"/imports/{waiting.public_id}/" in text, "Erase this person" in text) == (True, False)
    answer = client.post("/erase/", {"text": "ann@example.com", "confirm": "yes"})
    assert (answer.status_code, "Nothing was removed. An import of people" in said(answer)) == (409, True)
    assert f"/imports/{waiting.public_id}/" in said(answer)
    assert people() == ["ann@example.com", "ben@example.com"]
    control.cancel(waiting, None, roll_back=False)
    assert client.post("/erase/", {"text": "ann@example.com", "confirm": "yes"}).status_code == 302


def test_more_files_than_a_page_may_search_are_for_the_command(client, load, staff, monkeypatch):
    load(PEOPLE, "people")
    monkeypatch.setattr(erasure, "PAGE_BYTES", 10)
    for step in ({}, {"confirm": "yes"}):
        answer = client.post("/erase/", {"text": "ann@example.com", **step})
        assert (answer.status_code, "manage.py erase_person" in said(answer)) == (409, True)
    assert people() == ["ann@example.com", "ben@example.com"]


def test_the_log_is_paged(client, staff, monkeypatch):
    Erasure.objects.bulk_create(Erasure(kind=f"kind{number:02}", digest="0" * 64) for number in range(25))
    first = said(client.get("/erase/"))
    assert ("kind24" in first, "kind05" in first, "kind04" in first) == (True, True, False)
    assert 'rel="next"' in first


def test_the_command_looks_and_erases(load, monkeypatch):
    load(PEOPLE, "people", name="people.csv")
    out = io.StringIO()
    call_command("erase_person", "ann@example.com", look=True, stdout=out)
    assert out.getvalue().splitlines()[:2] == ["Changes of people: 1", "People: 1"]
    assert "File: people.csv of" in out.getvalue()
    assert people() == ["ann@example.com", "ben@example.com"]
    monkeypatch.setattr("sys.stdin", io.StringIO("ann@example.com\n"))
    out = io.StringIO()
    call_command("erase_person", "-", stdout=out)
    assert out.getvalue().splitlines() == ["Changes of people: 1", "Files: 1", "People: 1"]
    assert people() == ["ben@example.com"]
    out = io.StringIO()
    call_command("erase_person", "ann@example.com", look=True, stdout=out)
    assert out.getvalue().startswith("There is nothing of this person.\nIt was erased before, on ")
    with pytest.raises(CommandError, match="is nothing that a person is known by here"):
        call_command("erase_person", "nobody")
