"""The pages of imports: who sees what, parts for htmx, and pages that cost the same for one import and for many."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from importer.models import Heartbeat, Import, Reject, StoredFile
from importer.states import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    return {
        "ada": User.objects.create_user("ada@example.com", name="Ada", role="editor"),
        "bob": User.objects.create_user("bob@example.com", name="Bob", role="editor"),
        "staff": User.objects.create_user("staff@example.com", role="admin"),
    }


@pytest.fixture
def run(people):
    file = StoredFile.objects.create(owner=people["ada"], name="spring.csv", size=118_489_088)
    run = Import.objects.create(
        owner=people["ada"], file=file, dataset="products", state=State.STAGING, lines=1000, rejected=30, attempt=1
    )
    Reject.objects.bulk_create(
        Reject(run=run, line=line, cells=[f"SKU-{line}", "", "<b>"], reason=f"Line {line}: The name is empty.")
        for line in range(2, 32)
    )
    return run


def address(run: Import, rest: str = "") -> str:
    return f"/imports/{run.public_id}/{rest}"


def text(response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


@pytest.mark.parametrize("path", ["", "rejects/"])
def test_nobody_sees_anything_without_signing_in(client, run, path):
    response = client.get(address(run, path))
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("who", ["ada", "staff"])
def test_the_owner_and_staff_see_the_file_and_the_latest_rejects(client, people, run, who):
    client.force_login(people[who])
    page = client.get(address(run))
    shown = text(page)
    assert "spring.csv" in shown
    assert "118 MB" in shown
    assert "Line 31 The name is empty. SKU-31 ∅ &lt;b&gt; Line 30" in shown
    assert "SKU-21" not in shown
    assert "The latest 10 of 30." in shown


def test_others_see_the_counts_and_nothing_of_the_rows(client, people, run):
    client.force_login(people["bob"])
    page = client.get(address(run))
    assert "30 rejected + 970 still to come = 1,000 lines read." in text(page)
    assert "started by Ada" in text(page)
    for secret in (b"spring.csv", b"SKU-", b"The name is empty", b"118 MB"):
        assert secret not in page.content
        assert secret not in client.get("/imports/").content
    assert client.get(address(run, "rejects/")).status_code == 403
    assert client.get(address(run, "rejects/"), headers={"HX-Request": "true"}).status_code == 403


def test_rejects_are_paged_by_line(client, people, run):
    client.force_login(people["ada"])
    first = client.get(address(run, "rejects/"))
    assert re.findall(r"SKU-(\d+)", first.content.decode()) == [str(line) for line in range(2, 27)]
    after = re.search(r'rel="next"\s+href="([^"]*)"', first.content.decode())
    second = client.get(address(run, "rejects/") + after[1])
    assert re.findall(r"SKU-(\d+)", second.content.decode()) == [str(line) for line in range(27, 32)]
    assert b'rel="next"' not in second.content
    assert "SKU-2 " in text(client.get(address(run, "rejects/?page=nonsense")))


def test_rejects_do_not_say_that_others_went_on_when_there_are_no_others(client, people, run):
    Import.objects.update(lines=30, state=State.FAILED)
    client.force_login(people["ada"])
    page = text(client.get(address(run, "rejects/")))
    assert "None of the 30 lines could be taken." in page
    assert "all others went on" not in page


def test_an_import_that_no_worker_takes_up_says_so(client, people, run):
    long_ago = timezone.now() - timedelta(minutes=3)
    Import.objects.update(state=State.QUEUED, attempt=0, queued_at=long_ago)
    client.force_login(people["ada"])
    assert "No worker has taken it up for about 3 min" in text(client.get(address(run)))
    assert "tell the people who run this site" in text(client.get(address(run)))
    assert "no worker for about 3 min" in text(client.get("/imports/"))
    # Who resumes an import waits anew.
    Import.objects.update(attempt=1)
    assert "No worker" not in text(client.get(address(run)))


def test_an_import_whose_worker_is_gone_says_so(client, people, run):
    now = timezone.now()
    beat = Heartbeat.objects.create(run=run, attempt=1, worker="a", beat_at=now, lease_until=now + timedelta(seconds=15))
    client.force_login(people["staff"])
    assert "has not been heard of" not in text(client.get(address(run)))
    beat.beat_at, beat.lease_until = now - timedelta(minutes=2), now - timedelta(minutes=1)
    beat.save()
    page = text(client.get(address(run)))
    assert "Its worker has not been heard of for about 2 min" in page
    assert "see whether a worker runs" in page


def test_a_file_that_failed_can_be_looked_at_again_by_its_owner(client, people, run):
    Import.objects.update(state=State.FAILED)
    look = f'href="/imports/prepare/{run.file.public_id}/?dataset=products"'
    client.force_login(people["ada"])
    assert look in client.get(address(run)).content.decode()
    client.force_login(people["staff"])
    assert look not in client.get(address(run)).content.decode()


def test_htmx_gets_the_latest_rejects_alone(client, people, run):
    client.force_login(people["ada"])
    part = client.get(address(run, "rejects/"), headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert re.findall(r"SKU-(\d+)", part.content.decode()) == [str(line) for line in range(31, 21, -1)]
    assert "HX-Request" in part["Vary"]


def test_the_page_needs_no_script(client, people, run):
    client.force_login(people["bob"])
    running = client.get(address(run)).content.decode()
    assert re.search(r'<noscript>\s*<meta http-equiv="refresh" content="3">\s*</noscript>', running)
    assert 'data-final="false"' in running
    Import.objects.update(state=State.DONE, rejected=0, created=1000, finished_at=timezone.now())
    done = client.get(address(run)).content.decode()
    assert "<noscript>" not in done
    assert 'data-final="true"' in done


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_page_without_inline_script_or_style(client, people, run, state):
    client.force_login(people["ada"])
    Import.objects.update(state=state, samples=[[1, 10], [2, 30], [3, 90]], error="It broke." if state == "failed" else "")
    page = client.get(address(run)).content.decode()
    assert str(state.label) in page
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", page)
    assert ("It broke." in page) == (state == State.FAILED)


def test_the_history_is_empty_at_first_and_then_newest_first(client, people):
    client.force_login(people["ada"])
    assert "Nothing has been imported yet" in text(client.get("/imports/"))
    runs = [Import.objects.create(owner=people["ada"], dataset=f"d{number:02}") for number in range(27)]
    # Ids made within one millisecond are in no order; what counts is that each stands there once.
    names = re.compile(r">(d\d\d)<")
    first = client.get("/imports/").content.decode()
    older = re.search(r'rel="next" href="([^"]*)"', first)
    second = client.get("/imports/" + older[1]).content.decode()
    assert len(names.findall(first)) == 25
    assert sorted(names.findall(first) + names.findall(second)) == [run.dataset for run in runs]
    assert "There are no older imports." in text(client.get(f"/imports/?before={'0' * 32}"))
    assert client.get("/imports/?before=nonsense").status_code == 200


def test_the_history_moves_by_itself_only_while_something_moves(client, people, run):
    client.force_login(people["ada"])
    assert b'hx-trigger="every 3s"' in client.get("/imports/").content
    part = client.get("/imports/", headers={"HX-Request": "true"}).content
    assert part.strip().startswith(b'<div id="imports"')
    Import.objects.update(state=State.CANCELLED)
    assert b"hx-trigger" not in client.get("/imports/").content


def queries(client, path: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


def test_the_history_costs_the_same_for_one_import_and_for_many(client, people, run):
    client.force_login(people["ada"])
    Import.objects.update(state=State.WAITING)
    one = queries(client, "/imports/")
    for _ in range(20):
        Import.objects.create(owner=people["bob"], file=run.file, dataset="products", state=State.WAITING)
    assert queries(client, "/imports/") == one


def test_an_unknown_import_is_404(client, people):
    client.force_login(people["ada"])
    assert client.get(address(Import())).status_code == 404
    assert client.get(address(Import(), "rejects/")).status_code == 404


def listed(client, query: str) -> list[str]:
    return sorted(re.findall(r">\s*(d\d)\s*<", client.get(f"/imports/?{query}").content.decode()))


def test_the_history_is_narrowed_by_state_and_to_ones_own(client, people):
    for number, (owner, state) in enumerate(
        [("ada", "review"), ("bob", "paused"), ("ada", "staging"), ("bob", "waiting"), ("ada", "done"), ("bob", "failed")]
    ):
        Import.objects.create(owner=people[owner], dataset=f"d{number}", state=state)
    client.force_login(people["ada"])
    assert listed(client, "state=needs") == ["d0"]
    assert listed(client, "state=running") == ["d2", "d3"]
    assert listed(client, "state=ended") == ["d4", "d5"]
    assert listed(client, "state=ended&mine=on") == ["d4"]
    assert listed(client, "state=nonsense&dataset=nonsense") == ["d0", "d1", "d2", "d3", "d4", "d5"]
    assert listed(client, "dataset=products") == []
    assert "No import is like that." in text(client.get("/imports/?dataset=products"))
    assert client.get("/imports/?state=needs").content.count(b"needs you</span>") == 1
    client.force_login(people["staff"])
    assert listed(client, "state=needs") == ["d0", "d1"]


def test_the_pages_of_a_narrowed_history_stay_narrowed(client, people):
    client.force_login(people["ada"])
    for _ in range(26):
        Import.objects.create(owner=people["ada"], dataset="d1", state=State.DONE)
        Import.objects.create(owner=people["bob"], dataset="d2", state=State.DONE)
    first = client.get("/imports/?mine=on&state=ended").content.decode()
    older = re.search(r'rel="next" href="([^"]*)"', first)[1].replace("&amp;", "&")
    assert older.startswith("?state=ended&mine=1&before=")
    assert listed(client, older[1:]) == ["d1"]
    assert 'href="/imports/?state=ended&amp;mine=1">Newest' in client.get(f"/imports/{older}").content.decode()


def test_downloads_stand_in_the_history_for_those_who_may_have_them(client, people, run):
    links = [f'href="/imports/{run.public_id}/{path}"' for path in ("file", "rejects.csv")]
    client.force_login(people["ada"])
    assert all(link in client.get("/imports/").content.decode() for link in links)
    client.force_login(people["bob"])
    assert not any(link in client.get("/imports/").content.decode() for link in links)
