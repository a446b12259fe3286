"""The page of held rows: who sees which, and its buttons."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from contacts.models import Contact
from importer import runner
from importer.models import Held, Import
from importer.options import Options

HTMX = {"HX-Request": "true"}


@pytest.fixture
def people(transactional_db: None) -> dict[str, User]:
    return {
        "owner": User.objects.create_user("owner@example.com", name="Olga", role="editor"),
        "other": User.objects.create_user("other@example.com", role="editor"),
        "staff": User.objects.create_user("staff@example.com", role="admin"),
    }


@pytest.fixture
def run(people, load) -> Import:
    run = load(
        "Name,Phone Number,Email Address\nAnn,011223344,\nBen,011223344,ben@y.am\nCleo,011223344,\n",
        "contacts",
        options=Options(unasked=True),
    )
    Import.objects.filter(pk=run.pk).update(owner=people["owner"])
    return run


def client(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.parametrize(("who", "sees"), [("owner", True), ("staff", True), ("other", False)])
def test_rows_are_shown_to_their_owner_and_staff(people, run, who, sees):
    page = client(people[who]).get(reverse("held"))
    assert page.status_code == 200
    assert ("ben@y.am" in page.text) is sees
    assert ("<strong>2</strong> rows wait" in page.text) is sees
    assert ("2 rows of other people's imports wait." in page.text.replace("&#x27;", "'")) is not sees


def test_row_shows_when_it_is_stored_and_what_holds_it(people, run):
    page = client(people["owner"]).get(reverse("held"), {"import": run.public_id})
    assert "same phone just before" in page.text
    assert "same email just before" not in page.text
    assert "file.csv" in page.text


def test_part_is_only_the_list(people, run):
    part = client(people["owner"]).get(reverse("held"), headers=HTMX)
    assert "<html" not in part.text
    assert part.text.strip().startswith("<section")
    assert 'hx-get="/held/?page="' in part.text


def test_empty_page_says_what_would_be_there(people):
    page = client(people["owner"]).get(reverse("held"))
    assert "No row waits." in page.text


def test_address_that_names_no_import_shows_all(people, run):
    assert "ben@y.am" in client(people["owner"]).get(reverse("held"), {"import": "nonsense"}).text


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        ("ben", [3]),
        ("BEN@Y.am", [3]),
        ("11 22 33 44", [3, 4]),
        ("+374 (11) 22-33-44", [3, 4]),
        ("011223344", [3, 4]),
        ("011 22", [3, 4]),
        ("000", []),
        ("nobody", []),
        ("a\0b", []),
        ("%", []),
    ],
)
def test_rows_are_found_by_a_piece_of_text_or_any_spelling_of_a_phone(people, run, typed, lines):
    page = client(people["owner"]).get(reverse("held"), {"q": typed})
    assert [row.held.line for row in page.context["rows"]] == lines
    assert f'value="{typed.replace(chr(0), "")}"' in page.text
    if not lines:
        assert "waits. It may be stored by now, or have been discarded." in page.text


def test_search_finds_no_rows_of_other_people(people, run):
    page = client(people["other"]).get(reverse("held"), {"q": "ben"})
    assert "ben@y.am" not in page.text
    assert "waits among those that you may see." in page.text
    assert '<a href="/data/contacts/?q=ben">Look among the contacts</a>' in page.text


def test_what_is_asked_for_stays_when_a_row_is_decided_about(people, run):
    asked = f"import={run.public_id}&q=ben"
    page = client(people["owner"]).get(f"{reverse('held')}?{asked}", headers=HTMX)
    waiting = Held.objects.get(line=3)
    address = f"{reverse('held-discard', args=[waiting.pk])}?{asked}"
    assert f'action="{address}"'.replace("&", "&amp;") in page.text
    answer = client(people["owner"]).post(address)
    assert answer["Location"] == f"/held/?{asked}"


def test_owner_lets_a_row_through(people, run):
    waiting = Held.objects.get(line=3)
    answer = client(people["owner"]).post(reverse("held-release", args=[waiting.pk]))
    assert (answer.status_code, answer["Location"]) == (302, "/held/")
    assert Contact.objects.filter(name="Ben").exists()
    waiting.refresh_from_db()
    assert waiting.decided_by == people["owner"]


def test_list_comes_anew_after_a_button(people, run):
    waiting = Held.objects.get(line=3)
    address = f"{reverse('held-discard', args=[waiting.pk])}?import={run.public_id}"
    part = client(people["staff"]).post(address, headers=HTMX)
    assert part.status_code == 200
    assert "The row was discarded; it will never be stored." in part.text
    assert "ben@y.am" not in part.text
    assert f'hx-get="/held/?page=&amp;import={run.public_id}"' in part.text
    again = client(people["staff"]).post(address, headers=HTMX)
    assert again.status_code == 409
    assert "This row does not wait any more: it was discarded meanwhile." in again.text


@pytest.mark.parametrize("verb", ["release", "discard"])
def test_others_decide_nothing(people, run, verb):
    waiting = Held.objects.get(line=3)
    address = reverse(f"held-{verb}", args=[waiting.pk])
    assert client(people["other"]).post(address).status_code == 403
    assert Client().post(address)["Location"].startswith("/accounts/login/")
    assert client(people["owner"]).get(address).status_code == 405
    assert client(people["owner"]).post(reverse(f"held-{verb}", args=[waiting.pk + 99])).status_code == 404
    waiting.refresh_from_db()
    assert waiting.state == Held.State.WAITING


def test_import_tells_of_its_held_rows(people, run):
    page = client(people["owner"]).get(reverse("import", args=[run.public_id]))
    assert f"/held/?import={run.public_id}" in page.text
    undo = client(people["owner"]).get(reverse("import-undo", args=[run.public_id]))
    assert "Rows that are still held (2) are discarded." in undo.text


def test_review_offers_no_choices_that_only_updates_have(people, submit):
    run = submit("Name,Phone Number,Email Address\nAnn,011223344,\nBen,011223344,\n", "contacts", mode=Import.Mode.REVIEW)
    runner.run(run.pk)
    page = client(people["staff"]).get(reverse("import-review", args=[run.public_id]), {"rows": "doubles"})
    assert page.status_code == 200
    assert "Phone contains" in page.text
    assert "Created or held <small>2</small>" in page.text
    for absent in ("Leave out", "Updated", "More than once in the file"):
        assert absent not in page.text
