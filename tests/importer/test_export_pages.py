"""Pages of exports: who sees what, what the form refuses, what the buttons do, and the download."""

import re
from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from importer import export_control, exports
from importer.models import Export
from importer.states import ExportState
from products.models import Product


@pytest.fixture
def ada(submit, client):
    ada = User.objects.create_user("ada@example.com", name="Ada", role="editor")
    client.force_login(ada)
    return ada


@pytest.fixture
def bob(ada):
    return User.objects.create_user("bob@example.com", name="Bob", role="editor")


def made(owner, **chosen) -> Export:
    Product.objects.get_or_create(sku="a", defaults={"name": "=1"})
    return export_control.request_export("products", owner, **chosen)


def done(owner, **chosen) -> Export:
    export = made(owner, **chosen)
    exports.run(export.pk)
    export.refresh_from_db()
    return export


def buttons(page) -> set[str]:
    control = re.search(r'<section id="control".*?</section>', page.text, re.DOTALL)
    return set(re.findall(r'(?:action|href)="/exports/[0-9a-f-]{36}/(\w+)/?"', control[0]))


def test_form_starts_an_export_of_the_person(client, ada):
    fields = {"dataset": "products", "since": "2024-01-31", "until": "2024-02-29", "format": "xlsx", "raw": "on"}
    answer = client.post("/exports/new/", fields)
    export = Export.objects.get()
    assert answer.headers["Location"] == f"/exports/{export.public_id}/"
    assert (export.owner, export.dataset, export.format, export.escape) == (ada, "products", "xlsx", False)
    assert (export.since, export.until, export.state) == (date(2024, 1, 31), date(2024, 2, 29), ExportState.QUEUED)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"until": "2024-01-30"}, "The last day, 2024-01-30, is before the first, 2024-01-31."),
        ({"since": "yesterday"}, "Enter a valid date."),
        ({"dataset": "nothing"}, "Select a valid choice."),
        ({"format": "pdf"}, "Select a valid choice."),
    ],
)
def test_form_refuses_with_a_sentence(client, ada, change, sentence):
    answer = client.post("/exports/new/", {"dataset": "products", "since": "2024-01-31", "format": "csv"} | change)
    assert (answer.status_code, sentence in answer.text) == (422, True)
    assert not Export.objects.exists()


def test_form_tells_how_many_rows_that_are(client, ada):
    made(ada)
    part = {"HX-Request": "true"}
    assert client.get("/exports/new/?dataset=products&format=csv", headers=part).text.strip() == "1 row."
    late = client.get("/exports/new/?dataset=products&format=csv&since=2999-01-01", headers=part)
    assert late.text.strip() == "0 rows."
    assert client.get("/exports/new/?dataset=products&since=x", headers=part).text.strip() == ""
    assert 'value="students" selected' in client.get("/exports/new/?dataset=students").text


def test_people_see_their_own_exports_and_staff_all(client, ada, bob):
    mine, others = done(ada), done(bob)
    page = client.get("/exports/")
    assert f"/exports/{mine.public_id}/" in page.text and f"/exports/{others.public_id}/" not in page.text
    for rest in ("", "file", "control/"):
        assert client.get(f"/exports/{others.public_id}/{rest}").status_code == 403
    for verb in ("pause", "resume", "cancel"):
        assert client.post(f"/exports/{others.public_id}/{verb}/").status_code == 403
    User.objects.filter(pk=ada.pk).update(role="admin", is_staff=True)
    page = client.get("/exports/")
    assert f"/exports/{mine.public_id}/" in page.text and f"/exports/{others.public_id}/" in page.text
    answer = client.get(f"/exports/{others.public_id}/file")
    assert answer["Location"].startswith("/files/") and client.get(answer["Location"]).status_code == 200
    client.logout()
    assert client.get(f"/exports/{mine.public_id}/file")["Location"].startswith("/accounts/login/")


def test_finished_file_is_downloaded_under_a_name_that_says_what_it_is(client, ada):
    answer = client.get(f"/exports/{done(ada, since=date(2024, 1, 1), until=date(2999, 1, 1)).public_id}/file", follow=True)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="products-2024-01-01-2999-01-01.csv"'
    content = answer.getvalue()
    assert content.decode() == "\ufeffsku,name,description,active\r\na,'=1,,true\r\n"
    assert answer.headers["Content-Length"] == str(len(content))
    # No cache keeps what is deleted here, by its days or with a person.
    assert "no-store" in answer.headers["Cache-Control"]
    workbook = client.get(f"/exports/{done(ada, format=Export.Format.XLSX).public_id}/file", follow=True)
    assert workbook.headers["Content-Disposition"] == 'attachment; filename="products-all.xlsx"'
    assert workbook.getvalue().startswith(b"PK")


def test_link_to_a_file_works_without_a_session_as_long_as_its_maker_may_have_the_file(client, ada):
    export = done(ada)
    link = client.get(f"/exports/{export.public_id}/file")["Location"]
    answer = Client().get(link)
    assert answer.getvalue().startswith(b"\xef\xbb\xbfsku")
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    Export.objects.update(owner=User.objects.create_user("cy@example.com"))
    assert Client().get(link).status_code == 403
    Export.objects.update(owner=ada, path="")
    answer = Client().get(link)
    assert (answer.status_code, "This export has no file, or not any more." in answer.text) == (410, True)


def test_file_whose_days_are_over_is_said_to_be_deleted(client, ada):
    export = done(ada)
    Export.objects.update(expires_at=timezone.now() - timedelta(days=1))
    exports.expire()
    told = client.get(f"/exports/{export.public_id}/").text
    assert "The file has been deleted: its days were over, or a person in it was erased." in told
    assert "The file was deleted." in client.get("/exports/").text
    assert client.get(f"/exports/{export.public_id}/file").status_code == 404


def test_buttons_fit_the_state_and_are_posts(client, ada):
    export = made(ada)
    address = f"/exports/{export.public_id}/"
    assert buttons(client.get(address)) == {"pause", "cancel"}
    assert client.get(f"{address}pause/").status_code == 405
    assert client.post(f"{address}pause/").headers["Location"] == address
    assert buttons(client.get(address)) == {"resume", "cancel"}
    part = client.post(f"{address}resume/", headers={"HX-Request": "true"})
    assert (part.status_code, buttons(part)) == (200, {"pause", "cancel"})
    exports.run(export.pk)
    assert buttons(client.get(address)) == {"file"}
    late = client.post(f"{address}pause/", headers={"HX-Request": "true"})
    assert (late.status_code, "There is nothing to pause: the export is done." in late.text) == (409, True)


def test_progress_says_when_the_buttons_are_to_be_others(client, ada):
    export = exports.claim(made(ada).pk)
    Export.objects.update(rows_total=1_000, rows_done=250)
    part = client.get(f"/exports/{export.public_id}/?seen=writing-", headers={"HX-Request": "true"})
    assert "HX-Trigger" not in part.headers
    assert "<h1>" not in part.text and "25 %" in part.text and "250 of 1,000" in part.text
    export_control.pause(export)
    part = client.get(f"/exports/{export.public_id}/?seen=writing-", headers={"HX-Request": "true"})
    assert (part.headers["HX-Trigger"], "Pausing" in part.text) == ("state-changed", True)
    assert 'hx-trigger="every 1s"' in part.text


def test_list_asks_a_fixed_number_of_queries(client, ada, django_assert_max_num_queries):
    for _ in range(12):
        made(ada)
    with django_assert_max_num_queries(8):
        assert client.get("/exports/").text.count('data-state="queued"') == 12
