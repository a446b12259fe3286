"""The pages of what the site holds: every dataset, the rows of one, and one row with its story."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from cards.models import CardEvent
from contacts.models import Contact, Person
from importer import browse, datasets
from pages import paging
from students.models import StudentAnswer
from tests.importer.conftest import Load

STUDENTS = "name,address,discipline,cgpa,date_recorded\n"


@pytest.fixture
def anna(transactional_db: None) -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", name="Anna", role="editor")


@pytest.fixture
def client(anna: User) -> Client:
    client = Client()
    client.force_login(anna)
    return client


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def page(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return text_of(answer.content.decode())


def answer(name: str, day: str, **more: object) -> StudentAnswer:
    values = {"discipline": "Civil", "cgpa": Decimal(7), "answer_key": f"{name.lower()} {day}"} | more
    return StudentAnswer.objects.create(name=name, date_recorded=day, **values)


def person(email: str, name: str = "") -> Person:
    return Person.objects.create(email=email, name=name)


def names(client: Client, path: str) -> list[str]:
    """What stands in front of each row."""
    html = client.get(path).content.decode()
    return [text_of(cell) for cell in re.findall(r'<th scope="row".*?</th>', html, re.DOTALL)]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table of more than two rows counts as large."""
    monkeypatch.setattr(paging, "COUNTED", 2)


# --- every dataset -------------------------------------------------------------------------------------------------


def test_hub_shows_every_dataset_with_its_rows_and_last_import(client: Client, load: Load) -> None:
    run = load(f"{STUDENTS}Nina,1 Road,Civil,7,2020-05-10\nOmar,2 Road,Civil,8,2020-05-11\n", "students")
    said = page(client, "/data/")
    for dataset in datasets.all():
        assert dataset.title in said
    assert "Student answers 2 rows Last import" in said and "by the command line" in said
    assert "No rows yet Nothing was imported so far." in said
    html = client.get("/data/").content.decode()
    assert f"/imports/{run.public_id}/" in html
    assert "/imports/new/?dataset=students" in html and "/data/students/" in html
    assert 'href="/held/"' in html and "file.csv" not in html


def test_hub_names_the_file_only_to_those_who_may_see_it(client: Client, anna: User, load: Load) -> None:
    load(f"{STUDENTS}Nina,1 Road,Civil,7,2020-05-10\n", "students", "secret-name.csv")
    assert "secret-name.csv" not in page(client, "/data/")
    User.objects.filter(pk=anna.pk).update(role="admin", is_staff=True)
    assert "secret-name.csv" in page(client, "/data/")


def test_page_of_a_dataset_that_this_site_does_not_have_is_left_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    object.__setattr__(datasets.get("students"), "pages", (("no-such-page", "Nowhere"), ("imports", "Somewhere")))
    try:
        said = page(client, "/data/")
    finally:
        object.__setattr__(datasets.get("students"), "pages", ())
    assert "Somewhere" in said and "Nowhere" not in said


@pytest.mark.parametrize("path", ["/data/", "/data/students/", "/data/students/1/"])
def test_data_is_for_those_who_are_signed_in(path: str, db: None) -> None:
    reply = Client().get(path)
    assert (reply.status_code, reply["Location"].split("?")[0]) == (302, "/accounts/login/")


# --- rows ----------------------------------------------------------------------------------------------------------


def test_rows_come_newest_first_with_every_column(client: Client) -> None:
    answer("Nina", "2020-05-10")
    answer("Omar", "2020-05-12", address="2 Road", cgpa=Decimal("8.25"))
    answer("Pia", "2020-05-11")
    assert names(client, "/data/students/") == ["Omar", "Pia", "Nina"]
    said = page(client, "/data/students/")
    assert "3 rows Name Address Discipline CGPA Date recorded Omar 2 Road Civil 8.25 12 May 2020 Pia –" in said


def test_choices_are_shown_in_words_and_moments_to_the_minute(client: Client) -> None:
    at = datetime(2023, 11, 13, 9, 34, 56, tzinfo=UTC)
    CardEvent.objects.create(card_id="ZYW1", stage=3, phone="0585", at=at, event_key="zyw1 x", reference="A1")
    assert "Card ID ID Stage Phone Reported Comment ZYW1 A1 Delivered 0585 13 Nov 2023, 09:34" in page(client, "/data/cards/")


def test_pages_follow_each_other_by_keyset(client: Client) -> None:
    for number in range(30):
        answer(f"N{number:02}", "2020-05-10")
    assert names(client, "/data/students/") == [f"N{number:02}" for number in range(29, 4, -1)]
    found = re.search(r'rel="next"\s+href="(\?page=[^"]+)"', client.get("/data/students/").content.decode())
    assert found
    assert names(client, f"/data/students/{found[1]}") == [f"N{number:02}" for number in range(4, -1, -1)]


def test_days_narrow_down_and_both_are_included(client: Client) -> None:
    for day in (9, 10, 11, 12):
        answer(f"N{day}", f"2020-05-{day:02}")
    assert names(client, "/data/students/?from=2020-05-10&to=2020-05-11") == ["N11", "N10"]
    assert names(client, "/data/students/?from=2020-05-12") == ["N12"]
    assert names(client, "/data/students/?to=2020-05-09") == ["N9"]
    assert "2 rows" in page(client, "/data/students/?from=2020-05-10&to=2020-05-11")


def test_days_of_moments_are_those_of_the_site_s_time_zone(client: Client, settings) -> None:
    settings.TIME_ZONE = "Asia/Dubai"
    for hour in (19, 20):
        at = datetime(2023, 11, 13, hour, tzinfo=UTC)
        CardEvent.objects.create(card_id=f"AT{hour}", stage=1, at=at, event_key=f"at{hour}")
    assert names(client, "/data/cards/?to=2023-11-13") == ["AT19"]
    assert names(client, "/data/cards/?from=2023-11-14&to=2023-11-14") == ["AT20"]


@pytest.mark.parametrize("zone", ["Asia/Dubai", "America/New_York"])
def test_the_first_and_the_last_day_of_the_calendar_are_no_limit(client: Client, settings, zone: str) -> None:
    settings.TIME_ZONE = zone
    CardEvent.objects.create(card_id="NOW", stage=1, at=datetime(2024, 5, 1, tzinfo=UTC), event_key="now")
    answer("N", "9999-12-31")
    assert names(client, "/data/cards/?from=0001-01-01&to=9999-12-31") == ["NOW"]
    assert names(client, "/data/students/?from=0001-01-01&to=9999-12-31") == ["N"]


def test_wrong_days_are_told(client: Client) -> None:
    assert "Write the day like 2024-12-31." in page(client, "/data/students/?from=12/31/9x", 422)
    assert "The last day is before the first one." in page(client, "/data/students/?from=2020-05-10&to=2020-05-09", 422)


def test_small_tables_are_searched_for_any_piece_of_a_text(client: Client) -> None:
    person("khunter@example.com", "Kathy Hunter")
    person("pramos@example.com", "Patrick Ramos")
    assert names(client, "/data/people/?q=HUNT") == ["khunter@example.com"]
    assert names(client, "/data/people/?q=rick") == ["pramos@example.com"]
    assert names(client, "/data/people/?q=nobody") == []
    assert "Nothing found No row is like that. Show all rows" in page(client, "/data/people/?q=nobody")


def test_phone_is_found_in_any_spelling(client: Client, settings) -> None:
    settings.LOADIFY_PHONE_REGION = "AM"
    Contact.objects.create(name="Davit", phone="+37455123456")
    assert names(client, "/data/contacts/?q=055 12-34-56") == ["+37455123456"]


def test_large_tables_are_searched_by_beginnings_and_whole_values(client: Client, large: None) -> None:
    for number in range(4):
        person(f"Anna{number}@example.com", "Kathy")
    person("zoe@example.com")
    assert names(client, "/data/people/?q=ANNA") == [f"Anna{number}@example.com" for number in range(4)]
    assert names(client, "/data/people/?q= ZOE@example.com") == ["zoe@example.com"]
    assert names(client, "/data/people/?q=kathy") == []
    assert "looked through by the beginning of e-mail" in page(client, "/data/people/?q=kathy")
    assert "More than 2 rows with “anna” in front" in page(client, "/data/people/?q=anna")


def test_large_tables_find_contacts_by_whole_phone_and_beginning_of_the_e_mail(client: Client, large: None, settings) -> None:
    settings.LOADIFY_PHONE_REGION = "AM"
    for number in range(4):
        Contact.objects.create(name="x", phone=f"+3745512345{number}", email=f"kevin{number}@example.com")
    assert names(client, "/data/contacts/?q=055 123452") == ["+37455123452"]
    assert names(client, "/data/contacts/?q=%2B374551234") == [f"+3745512345{number}" for number in range(4)]
    assert names(client, "/data/contacts/?q=Kevin3") == ["+37455123453"]
    assert names(client, "/data/contacts/?q=KEVIN2@example.com") == ["+37455123452"]


def test_cards_are_found_by_the_beginning_of_the_card_in_any_case(client: Client, large: None) -> None:
    for number in range(4):
        at = datetime(2023, 11, 13, tzinfo=UTC) + timedelta(days=number)
        CardEvent.objects.create(card_id=f"ZYW{number}", stage=1, at=at, event_key=f"zyw{number} x")
    assert names(client, "/data/cards/?q=zYw2") == ["ZYW2"]


def test_search_of_a_large_table_asks_by_indexes_alone(client: Client, large: None) -> None:
    Person.objects.bulk_create(Person(email=f"p{n}@example.com", email_key=f"p{n}@example.com") for n in range(3_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_person")
    with CaptureQueriesContext(connection) as queries:
        found = browse.find(datasets.get("people"), {"q": "p29"}, "")
    assert [row.email for row in found.page.rows[:2]] == ["p2900@example.com", "p2901@example.com"]
    asked = [query["sql"] for query in queries if '"contacts_person"' in query["sql"] and "count(" not in query["sql"].lower()]
    # Counting stops after some thousand rows, whatever the way.
    assert len(asked) == 2
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan" not in plan, plan


def test_products_have_a_list_of_their_own(client: Client) -> None:
    reply = client.get("/data/products/")
    assert (reply.status_code, reply["Location"]) == (302, "/products/")


def test_rows_of_an_empty_dataset_lead_to_the_import(client: Client) -> None:
    said = page(client, "/data/people/")
    assert "No rows yet" in said and "Import a file" in said


@pytest.mark.parametrize(
    "path", ["/data/sweets/", "/data/sweets/1/", "/data/students/77/", "/data/students/x/", f"/data/students/{2**63}/"]
)
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    page(client, path, 404)


def test_list_takes_as_many_queries_for_many_rows_as_for_one(client: Client) -> None:
    answer("N", "2020-05-10")
    with CaptureQueriesContext(connection) as one:
        client.get("/data/students/")
    for number in range(20):
        answer(f"N{number}", "2020-05-10")
    with CaptureQueriesContext(connection) as many:
        client.get("/data/students/")
    assert len(many) == len(one)


def test_part_is_the_list_alone(client: Client) -> None:
    answer("Nina", "2020-05-10")
    html = client.get("/data/students/", headers={"HX-Request": "true"}).content.decode()
    assert html.strip().startswith("<section") and "Nina" in html


# --- one row -------------------------------------------------------------------------------------------------------


def test_row_tells_which_import_and_line_made_and_changed_it(client: Client, load: Load) -> None:
    first = load(f"{STUDENTS}Omar,1 Road,Civil,8,2020-05-11\nNina,1 Road,Civil,7,2020-05-10\n", "students")
    second = load(f"{STUDENTS}Nina,9 Street,Civil,7.5,2020-05-10\n", "students")
    assert (first.created, second.updated) == (2, 1)
    pk = StudentAnswer.objects.get(name="Nina").pk
    said = page(client, f"/data/students/{pk}/")
    assert "Name Nina Address 9 Street Discipline Civil CGPA 7.50 Date recorded 10 May 2020" in said
    assert "Import changed it, line 2" in said and "Import created it, line 3" in said
    assert "Address before: 1 Road → after: 9 Street CGPA before: 7.00 → after: 7.50" in said
    html = client.get(f"/data/students/{pk}/").content.decode()
    assert html.index(str(second.public_id)) < html.index(str(first.public_id))


def test_row_without_a_story_says_so(client: Client) -> None:
    row = answer("Nina", "2020-05-10")
    assert "Nothing is known of its past." in page(client, f"/data/students/{row.pk}/")


def test_headings_are_titles_or_names_with_blanks() -> None:
    students = datasets.get("students")
    assert [heading for _, heading in browse.shown(students)] == ["Name", "Address", "Discipline", "CGPA", "Date recorded"]
    assert browse.shown(datasets.get("people"))[-1] == ("created_at", "Stored")
    assert browse.cell(students, "date_recorded", "Day", "2020-05-10").value == date(2020, 5, 10)
