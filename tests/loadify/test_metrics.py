"""/metrics: who may see it, that its figures are those of the rows, and that docs/health.md names each of them."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import Role, User
from importer.models import Export, Held, Import
from loadify import metrics, tasks
from webhooks import endpoints
from webhooks.models import Delivery, Endpoint, Event, Tally

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(settings) -> dict[str, str]:
    settings.LOADIFY_METRICS_TOKEN = "of-the-collector"
    return {"Authorization": "Bearer of-the-collector"}


def samples(text: str) -> dict[str, float]:
    """{name, with the value of its label: value}."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in found}


@pytest.fixture
def ask(token):
    def ask() -> dict[str, float]:
        answer = Client().get("/metrics", headers=token)
        assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
        return samples(answer.text)

    return ask


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic of-the-collector"])
def test_metrics_are_not_for_who_has_no_token(token, given):
    answer = Client().get("/metrics", headers={"Authorization": given} if given else {})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "loadify_" not in answer.text


def test_blank_setting_opens_metrics_to_nobody(settings):
    settings.LOADIFY_METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.EDITOR, 403), (Role.VIEWER, 403)])
def test_metrics_are_for_admins_who_are_signed_in(client, role, status):
    client.force_login(User.objects.create_user("ada@example.com", role=role))
    assert client.get("/metrics").status_code == status


def test_imports_and_exports_are_counted_by_state_and_ended_ones_for_a_day(ask):
    for state in ("queued", "queued", "done", "review"):
        Import.objects.create(dataset="products", state=state)
    Export.objects.create(dataset="products", state="failed")
    old = timezone.now() - timedelta(days=2)
    for state in ("done", "paused"):
        run = Import.objects.create(dataset="products", state=state)
        # Public ids tell when they were made.
        made = int(old.timestamp() * 1000) << 80 | run.public_id.int & (1 << 80) - 1
        Import.objects.filter(pk=run.pk).update(public_id=f"{made:032x}")
    found = ask()
    assert {name: found[f"loadify_imports {name}"] for name in ("queued", "done", "review", "paused", "failed")} == {
        "queued": 2,
        "done": 1,
        "review": 1,
        "paused": 1,
        "failed": 0,
    }
    assert (found["loadify_exports failed"], found["loadify_exports done"]) == (1, 0)


def test_lag_of_the_queue_is_the_age_of_what_has_never_begun(ask):
    assert ask()["loadify_queue_lag_seconds"] == 0
    now = timezone.now()
    Import.objects.create(dataset="products", state="queued", queued_at=now - timedelta(hours=5), started_at=now)
    Import.objects.create(dataset="products", state="queued", queued_at=now - timedelta(seconds=90))
    Import.objects.create(dataset="products", state="waiting", queued_at=now - timedelta(seconds=300), started_at=now)
    Export.objects.create(dataset="products", state="queued", queued_at=now - timedelta(seconds=30))
    found = ask()
    assert found["loadify_queue_lag_seconds"] == pytest.approx(90, abs=5)
    assert found["loadify_waiting_lag_seconds"] == pytest.approx(300, abs=5)
    assert found["loadify_export_queue_lag_seconds"] == pytest.approx(30, abs=5)


def test_speed_and_steps_are_those_of_imports_at_work(ask):
    found = ask()
    assert (found["loadify_rows_per_second"], "loadify_chunk_seconds" in found) == (0, False)
    # 100 rows a second for two minutes, up to now; its last steps took 1, 1, 1, 1 and 3 seconds.
    at_work = [[at, at * 100] for at in (100, 112, 113, 114, 115, 116, 119)]
    Import.objects.create(dataset="products", state="staging", samples=at_work)
    # 60 rows a second, and it ended half a minute ago.
    ended = timezone.now() - timedelta(seconds=30)
    Import.objects.create(dataset="cards", state="done", samples=[[60, 3600]], finished_at=ended)
    found = ask()
    assert found["loadify_rows_per_second"] == pytest.approx(100 + 30, rel=0.05)
    assert (found["loadify_chunk_seconds"], found["loadify_chunk_seconds_longest"]) == (1, 3)


def test_held_rows_and_rows_of_a_queue_are_counted(ask):
    run = Import.objects.create(dataset="contacts", state="consuming", published=100, created=30, rejected=10)
    now = timezone.now()
    for line, due in enumerate((-40, 60)):
        Held.objects.create(run=run, line=line, dataset="contacts", values={}, due_at=now + timedelta(seconds=due))
    found = ask()
    assert (found["loadify_queue_rows"], found["loadify_held_rows"], found["loadify_held_rows_late"]) == (60, 2, 1)
    assert found["loadify_held_lag_seconds"] == pytest.approx(40, abs=5)


def test_deliveries_are_those_that_could_go_out(ask):
    now = timezone.now()
    made = [endpoints.add(f"https://192.0.2.{last}/", "", [], None)[0] for last in (1, 2, 3)]
    Endpoint.objects.filter(pk=made[1].pk).update(rests_until=now + timedelta(hours=1))
    Endpoint.objects.filter(pk=made[2].pk).update(active=False)
    for endpoint, late in ((0, 20), (0, 10), (0, -60), (1, 500), (2, 900)):
        event = Event.objects.create(type="product.updated", body=b"{}")
        due = now - timedelta(seconds=late)
        Delivery.objects.create(endpoint=made[endpoint], event=event, next_at=due)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    for back, delivered, failed in ((0, 5, 1), (1, 7, 0), (2, 900, 900)):
        Tally.objects.create(endpoint=made[0], hour=this_hour - timedelta(hours=back), delivered=delivered, failed=failed)
    found = ask()
    assert found["loadify_deliveries_due"] == 5
    assert found["loadify_delivery_lag_seconds"] == pytest.approx(20, abs=5)
    assert (found["loadify_delivery_tries delivered"], found["loadify_delivery_tries failed"]) == (12, 1)
    assert [found[f"loadify_webhooks {state}"] for state in ("on", "resting", "off")] == [1, 1, 1]


def test_timetable_connections_and_disk_are_told(ask):
    assert "loadify_timetable_age_seconds" not in ask()
    tasks.pulse()
    found = ask()
    assert found["loadify_timetable_age_seconds"] < 5
    with connection.cursor() as cursor:
        cursor.execute("SHOW application_name")
        [name] = cursor.fetchone()
    assert found[f"loadify_database_connections {name}"] >= 1
    assert 0 < found["loadify_disk_free_bytes"] < found["loadify_disk_size_bytes"]


def test_a_scrape_is_a_few_queries_however_much_there_is(ask):
    Import.objects.bulk_create(Import(dataset="products", state="staging", samples=[[1, 1], [2, 2]]) for _ in range(50))
    with CaptureQueriesContext(connection) as asked:
        ask()
    assert len(asked) <= 16


def test_docs_name_each_metric_and_no_other(ask):
    Import.objects.create(dataset="products", state="staging", samples=[[1, 1], [2, 2]])
    page = (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(loadify_\w+)", page, re.MULTILINE))
    told = {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    assert named == told
