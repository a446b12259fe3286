"""The buttons of an import: who may press them, by POST alone, twice, and what the page says in each state."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from importer import control, runner
from importer.models import Change, Import
from importer.states import State
from products import edits
from products.models import Product

ROWS = "sku,name,description\na,One,\nb,Two,\n"


@pytest.fixture
def ada(transactional_db):
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


@pytest.fixture
def bob(transactional_db):
    return User.objects.create_user("bob@example.com", name="Bob", role="editor")


def stand_in_the_middle(run: Import) -> None:
    """As if it had been paused while it was writing."""
    run.refresh_from_db()
    Import.objects.update(state=State.PAUSED, checkpoint=run.checkpoint | {"phase": State.APPLYING}, paused_at=timezone.now())


@pytest.fixture
def run(submit, ada):
    run = submit(ROWS)
    Import.objects.filter(pk=run.pk).update(owner=ada)
    run.refresh_from_db()
    return run


def address(run: Import, rest: str = "") -> str:
    return f"/imports/{run.public_id}/{rest}"


def text(response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def buttons(client, run: Import) -> set[str]:
    page = client.get(address(run)).content.decode()
    control = re.search(r'<section id="control".*?</section>', page, re.DOTALL)
    return set(re.findall(rf'(?:action|href)="{address(run)}(\w+)/"', control[0])) if control else set()


def state(run: Import) -> State:
    run.refresh_from_db()
    return State(run.state)


def test_pause_and_resume_by_the_owner_pressed_twice(client, run, ada):
    client.force_login(ada)
    assert buttons(client, run) == {"pause", "cancel"}
    for _ in range(2):
        answer = client.post(address(run, "pause/"))
        assert (answer.status_code, answer["Location"]) == (302, address(run))
    assert state(run) == State.PAUSED
    assert run.decided_by == ada
    assert buttons(client, run) == {"resume", "cancel"}
    for _ in range(2):
        client.post(address(run, "resume/"))
    assert state(run) == State.QUEUED


@pytest.mark.parametrize("verb", ["pause", "resume", "retry", "cancel", "undo"])
def test_buttons_are_for_the_owner_and_staff_and_change_nothing_by_get(client, run, ada, bob, verb):
    client.force_login(bob)
    assert buttons(client, run) == set()
    assert client.post(address(run, f"{verb}/")).status_code == 403
    assert client.get(address(run, "control/")).status_code == 403
    client.force_login(ada)
    assert client.get(address(run, f"{verb}/")).status_code == (200 if verb in ("cancel", "undo") else 405)
    assert state(run) == State.QUEUED
    assert client.post(address(Import(), f"{verb}/")).status_code == 404


def test_staff_may_steer_the_import_of_somebody_else(client, run):
    client.force_login(User.objects.create_user("staff@example.com", role="admin"))
    client.post(address(run, "pause/"))
    assert state(run) == State.PAUSED


def test_the_paused_page_counts_down_to_the_cancelling(client, run, ada, settings):
    settings.LOADIFY_PAUSE_LIMIT = 90
    paused = timezone.now() - timedelta(seconds=30)
    Import.objects.update(state=State.PAUSED, paused_at=paused)
    client.force_login(ada)
    page = client.get(address(run)).content.decode()
    seconds = re.search(r'data-countdown="([\d.]+)">([\d:]+)<', page)
    assert 55 < float(seconds[1]) <= 60
    assert seconds[2] in ("1:00", "0:59", "0:58", "0:57", "0:56")
    assert f"{paused + timedelta(seconds=90):%H:%M:%S}" in page


def test_what_was_refused_is_said(client, run, ada):
    Import.objects.update(state=State.DONE)
    client.force_login(ada)
    answer = client.post(address(run, "pause/"), follow=True)
    assert "There is nothing to pause: the import is done." in text(answer)
    part = client.post(address(run, "pause/"), headers={"HX-Request": "true"})
    assert part.status_code == 409
    assert part.content.decode().strip().startswith('<section id="control"')
    assert "There is nothing to pause" in text(part)


def test_htmx_gets_the_buttons_of_the_new_state(client, run, ada):
    client.force_login(ada)
    part = client.post(address(run, "pause/"), headers={"HX-Request": "true"})
    assert (part.status_code, text(part)) == (200, "Resume Cancel… Last steered by Ada.")
    again = client.get(address(run, "control/"), headers={"HX-Request": "true"})
    assert text(again) == text(part)
    assert client.get(address(run, "control/"))["Location"] == address(run)


def test_cancel_before_anything_was_written_asks_no_question_about_rows(client, run, ada):
    client.force_login(ada)
    asked = client.get(address(run, "cancel/"))
    assert "Nothing has been written so far" in text(asked)
    assert re.findall(r'value="(keep|roll-back)"', asked.content.decode()) == ["roll-back"]
    client.post(address(run, "cancel/"), {"written": "roll-back"})
    assert state(run) == State.CANCELLED
    assert "Cancelled before anything was written." in text(client.get(address(run)))


def test_cancel_asks_whether_rows_stay_and_does_as_it_is_told(client, run, ada):
    runner.run(run.pk)
    stand_in_the_middle(run)
    client.force_login(ada)
    asked = client.get(address(run, "cancel/"))
    assert "It has written 2 rows so far." in text(asked)
    assert re.findall(r'value="(keep|roll-back)"', asked.content.decode()) == ["roll-back", "keep"]
    client.post(address(run, "cancel/"), {"written": "keep"})
    assert (state(run), run.roll_back, Product.objects.count()) == (State.CANCELLED, False, 2)
    assert "Cancelled; the 2 rows written before stayed." in text(client.get(address(run)))
    assert buttons(client, run) == {"undo"}


def test_cancel_and_roll_back_takes_the_rows_away(client, run, ada):
    runner.run(run.pk)
    stand_in_the_middle(run)
    client.force_login(ada)
    client.post(address(run, "cancel/"), {"written": "roll-back"})
    assert "Taking back what the import wrote." in text(client.get(address(run)))
    runner.run(run.pk)
    assert (state(run), Product.objects.count()) == (State.UNDONE, 0)


def test_undo_says_how_many_rows_and_lists_what_it_left_alone(client, run, ada, bob):
    runner.run(run.pk)
    client.force_login(ada)
    assert buttons(client, run) == {"undo"}
    asked = text(client.get(address(run, "undo/")))
    assert "It created 2 and updated 0 rows." in asked
    assert "Undo 2 rows" in asked
    edits.change(Product.objects.get(sku="b").pk, {"name": "Zwei"}, bob)
    for _ in range(2):
        client.post(address(run, "undo/"))
    runner.run(run.pk)
    assert state(run) == State.UNDONE
    page = text(client.get(address(run)))
    assert "Undone: 0 rows restored, 1 removed, 1 kept because changed since." in page
    assert Change.objects.filter(run=run).count() == 1
    kept = client.get(address(run, "kept/"))
    assert re.search(r"3 b created it changed \d", text(kept))
    client.force_login(bob)
    assert client.get(address(run, "kept/")).status_code == 403


def test_undo_of_an_import_that_wrote_nothing_is_not_offered(client, load, ada):
    run = load("sku,name\na,One\n")
    Import.objects.update(owner=ada)
    client.force_login(ada)
    assert buttons(client, run) == {"retry"}
    assert "There is nothing to undo now" in text(client.get(address(run, "undo/")))
    assert "There is nothing to undo" in text(client.post(address(run, "undo/"), follow=True))


def test_retry_of_a_failed_import_goes_on(client, run, ada):
    Import.objects.update(state=State.FAILED, error="The database has no room.")
    client.force_login(ada)
    assert buttons(client, run) == {"retry"}
    client.post(address(run, "retry/"))
    assert (state(run), run.error) == (State.QUEUED, "")
    runner.run(run.pk)
    assert (state(run), run.created) == (State.DONE, 2)


def test_a_review_leads_to_its_page_and_may_be_cancelled(client, run, ada):
    Import.objects.update(state=State.REVIEW)
    client.force_login(ada)
    assert "cancel" in buttons(client, run)
    assert "pause" not in buttons(client, run)
    assert "Nothing has been written yet." in text(client.get(address(run)))


def test_a_worker_that_was_asked_to_stop_is_pausing(client, run, ada):
    Import.objects.update(state=State.APPLYING)
    control.pause(run, ada)
    client.force_login(ada)
    assert "Pausing" in text(client.get(address(run)))
    assert buttons(client, run) == {"resume", "cancel"}
    control.cancel(run, ada, roll_back=True)
    assert "Cancelling" in text(client.get(address(run)))
    assert buttons(client, run) == set()


def test_how_a_hopeless_import_ended_tells_others_nothing_of_its_cells(client, load, ada, bob):
    run = load("sku,name,description,active\n" + "a,One,,my “secret” ”\n" * 1000)
    Import.objects.update(owner=ada)
    client.force_login(bob)
    page = text(client.get(address(run)))
    assert "None of the first 1,000 lines can be taken, so nothing was written. Line 2: “…” in active is neither" in page
    assert "secret" not in page
    client.force_login(ada)
    assert "secret" in text(client.get(address(run)))


def test_a_paused_undo_of_a_failed_import_counts_down_too(client, load, ada):
    run = load(ROWS)
    Import.objects.update(owner=ada, state=State.FAILED, error="The disk was full.")
    control.undo(run, ada)
    control.pause(run, ada)
    client.force_login(ada)
    page = client.get(address(run))
    assert "The disk was full." in text(page)
    assert "Without that the undo ends here by itself at" in text(page)
    assert "data-countdown" in page.content.decode()
    control.cancel(run, ada, roll_back=False)
    assert "The undo was stopped: 0 rows restored" in text(client.get(address(run)))
