"""Live events through a real Daphne: who may watch, what comes first, what hostile clients get, what viewers cost."""

import re
import uuid

import pytest
import requests
from django.db import connection

from accounts.models import User
from importer.models import DatasetLock, Import, Reject, StoredFile
from importer.states import State
from loadify.processes import wait_until
from tests.importer.live_web import Viewer, Web, cookie_of, step


@pytest.fixture(scope="module")
def web(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), Web() as web:
        yield web


@pytest.fixture
def cookie(transactional_db):
    return cookie_of(User.objects.create_user("ada@example.com", name="Ada", role="editor"))


@pytest.fixture
def run(transactional_db):
    return Import.objects.create(dataset="products", state=State.STAGING, version=3, attempt=1)


def test_only_those_signed_in_may_watch_and_only_what_there_is(web, run, cookie):
    with web.watch(run, "") as nobody, web.watch(Import(), cookie) as lost, web.watch(run, cookie) as ada:
        assert nobody.status() == 403
        assert lost.status() == 404
        assert ada.status() == 200


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_a_stream_is_only_ever_read(web, run, cookie, method):
    with web.watch(run, cookie, method=method) as viewer:
        assert viewer.status() == 405


def test_a_somebody_who_was_shut_out_may_not_watch(web, run, cookie):
    User.objects.update(is_active=False)
    with web.watch(run, cookie) as viewer:
        assert viewer.status() == 403


def test_the_present_state_comes_first_and_then_each_step(web, run, cookie):
    with web.watch(run, cookie) as viewer:
        first = viewer.snapshot()
        assert (first["version"], first["state"], first["final"]) == (3, "staging", False)
        assert first["id"] == f"import-{run.public_id}:3"
        assert "Reading" in first["html"]
        for lines in (1000, 2000):
            step(run, lines=lines, step_done=lines, step_total=4000)
            news = viewer.snapshot_of(run.version)
            assert f"{lines:,}" in news["html"]


def test_the_browser_is_told_to_come_again_after_a_second(web, run, cookie):
    with web.watch(run, cookie) as viewer:
        viewer.snapshot()
    with web.watch(run, cookie) as viewer:
        viewer._read_until("stream-open", 10)
        assert viewer.text.split("\r\n\r\n", 1)[1].startswith("retry: 1000\n\n:")


def test_nothing_is_sent_while_nothing_moves(web, run, cookie):
    with web.watch(run, cookie) as viewer:
        viewer.snapshot()
        # The relay's first round may repeat it.
        assert viewer.silent(1.5) or viewer.silent(1.5)


def test_a_finished_import_says_so_at_once(web, run, cookie):
    step(run, state=State.DONE, lines=7, created=7)
    with web.watch(run, cookie) as viewer:
        news = viewer.snapshot()
        assert news["final"] is True
        assert "7 created = 7 lines read." in " ".join(news["html"].split())


def test_who_comes_back_gets_what_was_missed(web, run, cookie):
    with web.watch(run, cookie) as viewer:
        seen = viewer.snapshot()["id"]
    step(run, state=State.APPLYING)
    with web.watch(run, cookie, headers={"Last-Event-ID": seen}) as viewer:
        assert viewer.snapshot()["state"] == "applying"
    with web.watch(run, cookie, headers={"Last-Event-ID": f"import-{run.public_id}:4"}) as viewer:
        assert viewer.snapshot()["state"] == "applying"


@pytest.mark.parametrize(
    "claim",
    ["chan:abc", "import-{id}:abc", "import-{id}:999999999", "error", ":", "a,b", "", "%00:1", "é:1", "x" * 5000],
)
def test_what_a_client_claims_to_have_seen_does_not_matter(web, run, cookie, claim):
    header = {"Last-Event-ID": claim.format(id=run.public_id)}
    with web.watch(run, cookie, headers=header) as viewer:
        assert viewer.snapshot()["version"] == 3


@pytest.mark.parametrize(
    "query",
    ["lastEventId=chan:abc", "es-meta=x.y.z", "recover=true", "link=next", "%65s-meta=x", "channel=import-{other}"],
)
def test_what_the_query_says_does_not_matter(web, run, cookie, query):
    other = Import.objects.create(dataset="products", version=77)
    path = f"/imports/{run.public_id}/events?{query.format(other=other.public_id)}"
    with Viewer(web.port, path, cookie) as viewer:
        assert viewer.snapshot()["version"] == 3


def test_a_root_path_of_the_clients_making_is_no_way_around(web, run, cookie):
    headers = {"Daphne-Root-Path": "/x", "Last-Event-ID": "chan:abc"}
    with Viewer(web.port, f"/x/imports/{run.public_id}/events", cookie, headers=headers) as viewer:
        assert viewer.snapshot()["version"] == 3


def test_two_people_watch_two_imports(web, run, cookie):
    other = Import.objects.create(dataset="products", state=State.STAGING)
    bob = cookie_of(User.objects.create_user("bob@example.com", role="editor"))
    with web.watch(run, cookie) as one, web.watch(other, bob) as two, web.watch(run, bob) as third:
        assert [viewer.snapshot()["version"] for viewer in (one, two, third)] == [3, 0, 3]
        step(other, lines=4242)
        assert "4,242" in two.snapshot_of(other.version)["html"]
        step(run, lines=5353)
        assert "5,353" in one.snapshot_of(run.version)["html"]
        assert "5,353" in third.snapshot_of(run.version)["html"]
        step(other, lines=6464)
        assert "6,464" in two.snapshot_of(other.version)["html"]
        assert "4,242" not in one.seen + third.seen
        assert "5,353" not in two.seen


def test_the_wire_carries_nothing_of_the_rows(web, run, cookie):
    file = StoredFile.objects.create(name="secret-partner.csv", size=1)
    Reject.objects.create(run=run, line=2, cells=["secret-cell"], reason="Line 2: secret-reason.")
    step(run, file=file, lines=2, rejected=1)
    with web.watch(run, cookie) as viewer:
        news = viewer.snapshot()
        assert news["rejected"] == 1
        assert "secret" not in news["html"]


def test_a_waiting_import_hears_that_somebody_else_has_the_dataset_now(web, run, cookie):
    step(run, state=State.WAITING)
    ada, bob = User.objects.get(), User.objects.create_user("bob@example.com", name="Bob", role="editor")
    first = Import.objects.create(dataset="products", owner=ada, state=State.APPLYING)
    second = Import.objects.create(dataset="products", owner=bob, state=State.APPLYING)
    lock = DatasetLock.objects.create(dataset="products", run=first)
    with web.watch(run, cookie) as viewer:
        assert "of Ada" in viewer.snapshot()["html"]
        viewer.silent(1)
        lock.run = second
        lock.save()
        assert "of Bob" in viewer.snapshot(3)["html"]


def test_the_relay_outlives_its_database_connection(web, run, cookie):
    with web.watch(run, cookie) as viewer:
        viewer.snapshot()
        viewer.silent(1)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        step(run, lines=777)
        assert "777" in viewer.snapshot(5)["html"]
        # The threads that serve who comes next had connections, too.
        for _ in range(6):
            with web.watch(run, cookie) as late:
                assert late.status() == 200
                assert "777" in late.snapshot()["html"]


def connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_hundred_viewers_cost_few_threads_and_connections(web, run, cookie):
    with web.watch(run, cookie) as first:
        first.snapshot()
    threads = web.threads()
    viewers = [web.watch(run, cookie) for _ in range(100)]
    try:
        assert all(viewer.snapshot(20)["version"] == 3 for viewer in viewers)
        step(run, lines=31_337)
        assert all("31,337" in viewer.snapshot_of(run.version)["html"] for viewer in viewers)
        # Three threads for all viewers, one for the relay, and at most a connection each.
        assert connections() <= 4
        assert web.threads() <= threads + 4
    finally:
        for viewer in viewers:
            viewer.socket.close()
    with web.watch(run, cookie) as viewer:
        assert viewer.snapshot()["version"] == run.version


def test_an_unknown_address_is_no_stream(web, cookie, run):
    with Viewer(web.port, f"/imports/{uuid.uuid4()}/events/", cookie) as viewer:
        assert viewer.status() == 404


def test_metrics_of_the_process_count_viewers_and_rounds_of_the_relay(web, run, cookie):
    chief = cookie_of(User.objects.create_user("chief@example.com", role="admin"))

    def told(name: str) -> float:
        answer = requests.get(f"{web.url}/metrics", cookies={"sessionid": chief}, timeout=60)
        return float(re.findall(rf"^{name} (\S+)$", answer.text, re.MULTILINE)[0])

    assert wait_until(lambda: told("loadify_sse_viewers") == 0, 30)
    with web.watch(run, cookie) as first, web.watch(run, cookie) as second:
        assert first.snapshot()["version"] == second.snapshot()["version"] == 3
        assert told("loadify_sse_viewers") == 2
        rounds = told("loadify_relay_tick_seconds_count")
        assert wait_until(lambda: told("loadify_relay_tick_seconds_count") > rounds, 10)
        assert told("loadify_relay_tick_seconds_sum") > 0
    assert wait_until(lambda: told("loadify_sse_viewers") == 0, 30)
    assert told("loadify_requests_in_flight") == 1
