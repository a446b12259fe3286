"""The page of a review: who may see it, what it shows, and what its buttons do."""

from subprocess import CalledProcessError
from threading import Thread

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from importer import control, review_views, runner
from importer.loaders import work_tables
from importer.models import Import
from products.models import Product
from tests.importer.conftest import Load, query
from tests.importer.workers import wait_for
from tests.site import Site

HEADING = "sku,name,description,active\n"
NEW = HEADING + "a-1,Oak,Flat,true\nB-2,Elm 2,Square,true\nC-3,New,,true\nc-3,Newer,,true\n,Nothing,,true\n"


@pytest.fixture
def staff(transactional_db: None, client: Client) -> Client:
    client.force_login(User.objects.create_user(email="staff@example.org", password=None, role="admin"))
    return client


@pytest.fixture
def waiting(submit: Load, load: Load) -> Import:
    """An import that would update a-1 and B-2 and create c-3."""
    load(HEADING + "A-1,Oak,Round,true\nB-2,Elm,Square,true\nD-4,Ash,Old,true\n")
    run = submit(NEW)
    Import.objects.filter(pk=run.pk).update(mode=Import.Mode.REVIEW)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == "review"
    return run


def address(run: Import) -> str:
    return reverse("import-review", args=[run.public_id])


def press(client: Client, run: Import, button: str, **ticked: object) -> str:
    """Press a button of the page as it is now; returns where that leads."""
    response = client.post(address(run), {"do": button, "seen": Import.objects.get(pk=run.pk).version, **ticked})
    assert response.status_code == 302
    return response["Location"]


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_review_page_shows_numbers_that_add_up_and_rows_field_by_field(staff, waiting):
    shown = text(staff, address(waiting))

    assert "1 would be created + 2 would be updated + 0 unchanged + 1 superseded + 1 rejected = 5 lines read." in shown
    assert "Make inactive the products that the file does not have: 1 </label>" in shown
    assert '<span class="hidden-text">before: </span>Round</del>' in shown
    assert '<span class="hidden-text">after: </span>Flat</ins>' in shown
    assert '<span class="hidden-text">after: </span>Elm 2</ins>' in shown


def test_review_page_finds_rows_by_piece_of_sku_and_by_column(staff, waiting):
    assert "Elm 2" not in text(staff, address(waiting) + "?rows=updated&q=A-")
    assert "Flat" in text(staff, address(waiting) + "?rows=updated&q=A-")
    assert "Flat" not in text(staff, address(waiting) + "?rows=updated&column=name")
    assert "Elm 2" in text(staff, address(waiting) + "?rows=updated&column=name")
    for none in ("%25", "%00", "a%00"):
        assert "No rows here for what you search." in text(staff, address(waiting) + f"?rows=updated&q={none}")
    assert "Newer" in text(staff, address(waiting) + "?rows=created")
    doubles = text(staff, address(waiting) + "?rows=doubles")
    assert "2 lines, of which line 5 wins" in doubles
    assert "line 4: <code>C-3</code>" in doubles


def test_review_page_says_how_many_lines_of_a_key_it_leaves_away(staff, submit):
    run = submit(HEADING + "".join(f"{'aA'[i % 2]},Oak {i},,true\n" for i in range(24)))
    Import.objects.filter(pk=run.pk).update(mode=Import.Mode.REVIEW)
    runner.run(run.pk)

    doubles = text(staff, address(run) + "?rows=doubles")

    assert "24 lines, of which line 25 wins" in doubles
    assert "line 6: <code>a</code></li> <li>and 4 before them</li>" in doubles
    assert "line 5" not in doubles


def test_review_page_pages_there_and_back(staff, submit, load):
    load(HEADING + "".join(f"a-{i:03},Oak,Old,true\n" for i in range(60)))
    run = submit(HEADING + "".join(f"a-{i:03},Oak,New,true\n" for i in range(60)))
    Import.objects.filter(pk=run.pk).update(mode=Import.Mode.REVIEW)
    runner.run(run.pk)

    assert "a-024" in text(staff, address(run))
    second = text(staff, address(run) + "?page=after-25")
    assert "a-024" not in second
    assert "a-025" in second
    assert "page=before-26" in second
    assert "page=after-50" in second
    back = text(staff, address(run) + "?page=before-26")
    assert "a-000" in back
    assert "a-025" not in back
    assert "a-000" in text(staff, address(run) + "?page=nonsense")


def test_approving_imports_the_rows_and_then_the_page_leads_to_the_import(staff, waiting):
    press(staff, waiting, "approve")
    runner.run(waiting.pk)

    assert Product.objects.get(sku_key="a-1").description == "Flat"
    response = staff.get(address(waiting))
    assert (response.status_code, response["Location"]) == (302, reverse("import", args=[waiting.public_id]))


def test_choosing_compares_again_without_the_column(staff, waiting):
    press(staff, waiting, "choose", left_out=["description"], deactivate_missing="1")
    runner.run(waiting.pk)

    waiting.refresh_from_db()
    assert waiting.state == "review"
    assert (waiting.review["counts"]["to_update"], waiting.review["counts"]["missing"]) == (2, 1)
    shown = text(staff, address(waiting))
    assert 'aria-label="Leave out description" checked' in shown
    assert "Of the products that the file does not have, 1 would become inactive." in shown
    assert "Flat" not in shown
    off = text(staff, address(waiting) + "?rows=missing&q=d-")
    assert "<code>D-4</code>" in off
    assert '<span class="hidden-text">after: </span>false</ins>' in off
    assert "No rows here for what you search." in text(staff, address(waiting) + "?rows=missing&q=a-")
    press(staff, waiting, "approve", deactivate_missing="1", left_out=["description"])
    runner.run(waiting.pk)
    shown = text(staff, reverse("import", args=[waiting.public_id]))
    assert "= 5 lines read. Of the products that the file does not have, 1 became inactive." in shown
    question = text(staff, reverse("import-undo", args=[waiting.public_id]))
    assert "It created 1 and updated 2 rows, and made 1 inactive that the file does not have." in question
    assert "Undo 4 rows" in question


def test_cancelling_asks_first_and_writes_nothing(staff, waiting):
    cancel = reverse("import-cancel", args=[waiting.public_id])
    assert f'href="{cancel}"' in text(staff, address(waiting))
    question = text(staff, cancel)
    assert "Nothing has been written so far" in question and f'href="{address(waiting)}"' in question
    staff.post(cancel, {"written": "roll-back"})

    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    assert Product.objects.get(sku_key="a-1").description == "Round"


@pytest.mark.parametrize("data", [{"do": "choose", "left_out": ["sku"]}, {"do": "choose", "left_out": ["id"]}, {"do": "x"}, {}])
def test_what_the_form_does_not_know_is_refused(staff, waiting, data):
    response = staff.post(address(waiting), {"seen": waiting.version} | data)

    assert response.status_code == 422
    assert "Choose from the columns of this file" in response.content.decode()
    waiting.refresh_from_db()
    assert waiting.state == "review"


def test_approving_with_other_ticks_than_the_numbers_were_counted_with_compares_again(staff, waiting):
    press(staff, waiting, "approve", left_out=["description"])
    runner.run(waiting.pk)

    waiting.refresh_from_db()
    assert waiting.state == "review"
    assert Product.objects.get(sku_key="a-1").description == "Round"
    assert "the import is compared again before anything is written" in text(staff, address(waiting))
    press(staff, waiting, "approve", left_out=["description"])
    runner.run(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == "done"
    assert list(Product.objects.order_by("sku_key").values_list("sku", "name", "description")) == [
        ("a-1", "Oak", "Round"),
        ("B-2", "Elm 2", "Square"),
        ("c-3", "Newer", ""),
        ("D-4", "Ash", "Old"),
    ]


@pytest.mark.parametrize("button", ["approve", "choose"])
def test_what_was_decided_on_a_review_that_was_made_anew_is_refused(staff, waiting, button):
    stale = waiting.version
    press(staff, waiting, "choose", deactivate_missing="1")
    runner.run(waiting.pk)

    response = staff.post(address(waiting), {"do": button, "seen": stale, "deactivate_missing": "1"}, follow=True)

    assert response.redirect_chain == [(address(waiting), 302)]
    assert "The review was made anew after you opened this page, so nothing was decided." in response.content.decode()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.review["counts"]["missing"]) == ("review", 1)


def test_a_button_pressed_twice_says_nothing_the_second_time(staff, waiting):
    sent = {"seen": waiting.version, "left_out": ["name"]}

    for button in ("choose", "choose"):
        shown = staff.post(address(waiting), sent | {"do": button}, follow=True).content.decode()
        assert "does not wait for a review" not in shown
    assert "does not wait for a review" in staff.post(address(waiting), {"do": "approve"} | sent, follow=True).content.decode()


def test_a_review_that_is_cancelled_while_the_page_is_made_is_still_shown(staff, waiting, monkeypatch):
    loader_of = review_views.loader_of

    def cancel() -> None:
        control.cancel(Import.objects.get(pk=waiting.pk), None, roll_back=False)
        work_tables.drop(waiting.pk)
        connections.close_all()

    def meddle(run: Import) -> object:
        thread.start()
        wait_for(lambda: not thread.is_alive() or query("SELECT FROM pg_locks WHERE NOT granted"), 60)
        return loader_of(run)

    thread = Thread(target=cancel)
    monkeypatch.setattr(review_views, "loader_of", meddle)

    assert "Flat" in text(staff, address(waiting))
    thread.join(60)
    monkeypatch.undo()
    response = staff.get(address(waiting))
    assert (response.status_code, response["Location"]) == (302, reverse("import", args=[waiting.public_id]))


@pytest.mark.parametrize("data", [None, {"do": "x"}])
def test_a_review_cancelled_as_its_page_is_asked_for_leads_to_the_import(staff, waiting, monkeypatch, data):
    def may_see_rows(user: User, run: Import) -> bool:
        control.cancel(Import.objects.get(pk=run.pk), None, roll_back=False)
        work_tables.drop(run.pk)
        return True

    monkeypatch.setattr(review_views, "may_see_rows", may_see_rows)

    response = staff.get(address(waiting)) if data is None else staff.post(address(waiting), data)

    assert (response.status_code, response["Location"]) == (302, reverse("import", args=[waiting.public_id]))


def test_others_may_neither_see_nor_decide(client, waiting):
    client.force_login(User.objects.create_user(email="other@example.org", password=None, role="editor"))

    assert client.get(address(waiting)).status_code == 403
    assert client.post(address(waiting), {"do": "approve"}).status_code == 403
    waiting.refresh_from_db()
    assert waiting.state == "review"


@pytest.mark.browser
def test_review_in_a_browser(signed_in_page: Page, site: Site, tmp_path):
    long = "Solid oak from the north oiled by hand with drawers that close softly. Made to last for many years"
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(HEADING + "".join(f"review-{i:03},Oak {i},{long},true\n" for i in range(150)))
    second.write_text(
        HEADING
        + "".join(f"Review-{i:03},Oak {i},{'' if i < 30 else long.replace('oak', 'elm')},true\n" for i in range(150))
        + "review-new,New,,true\nREVIEW-NEW,Newer,,true\n,None,,true\n"
    )
    site.manage("import_file", "products", str(first))
    with pytest.raises(CalledProcessError):
        site.manage("import_file", "products", str(second))
    page = signed_in_page
    page.goto("/imports/")
    page.locator("a[href*='/imports/0']").first.click()
    page.goto(page.url + "review/")

    expect(page.get_by_role("heading", level=1)).to_contain_text("second.csv")
    expect(page.get_by_text("The column “description” would go blank in 30 of the 150 updated rows.")).to_be_visible()
    page.get_by_label("SKU contains").fill("REVIEW-04")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".review-row")).to_have_count(10)
    page.get_by_label("Leave out name").press("Enter")
    page.get_by_role("button", name="Review what it will change").click()
    page.get_by_label("Leave out description").check()
    page.get_by_role("button", name="Compare again").click()
    page.get_by_role("button", name="Review what it will change").click()
    expect(page.get_by_label("Leave out description")).to_be_checked()
    page.get_by_role("button", name="Import these rows").click()
    expect(page.locator("#live-head")).to_have_attribute("data-state", "done")
