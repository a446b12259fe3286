"""The page of admins: its pictures are of the rows, it renews itself, and it says what is wrong first."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role, User
from importer.models import Export, Import
from loadify import checks, health, operations, tasks
from loadify.health import Readiness
from webhooks import endpoints
from webhooks.models import Tally

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client, settings, tmp_path, monkeypatch):
    backend = {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    # What other tests asked for is forgotten.
    monkeypatch.setattr(health, "readiness", Readiness(checks.READY))
    client.force_login(User.objects.create_user("chief@example.com", role=Role.ADMIN))
    return client


def text_of(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_empty_site_has_a_page_without_pictures(admin):
    tasks.pulse()
    page = admin.get("/operations/")
    said = text_of(page)
    assert page.status_code == 200
    assert "No import was at work in the last hour." in said and "Nothing was sent in the last 24 hours." in said
    assert "Longest in the queue –" in said and "Timetable: ok" in said
    assert 'class="notice error"' not in page.text and " style=" not in page.text


def test_page_shows_what_the_rows_say(admin):
    now = timezone.now()
    for state in ("queued", "staging", "comparing", "review", "done", "done", "failed", "undone"):
        Import.objects.create(dataset="products", state=state, started_at=None if state == "queued" else now)
    Import.objects.filter(state="queued").update(queued_at=now - timedelta(seconds=150))
    Import.objects.filter(state="staging").update(samples=[[60, 60_000], [120, 120_000]])
    Export.objects.create(dataset="products", state="writing")
    endpoint, _ = endpoints.add("https://192.0.2.1/", "", [], None)
    Tally.objects.create(endpoint=endpoint, hour=now.replace(minute=0, second=0, microsecond=0), delivered=41, failed=1)
    page = admin.get("/operations/")
    said = text_of(page)
    assert "1 in the queue 2 at work 1 waiting for somebody 2 done 1 failed 1 cancelled or undone" in said
    assert "Longest in the queue 2 min 30 s" in said
    assert "1,000 rows/s in the last minute, at most 1,000 rows/s in a minute" in said
    assert "0 in the queue 1 at work 0 paused" in said
    assert "41 delivered 1 failed try" in said
    # Two eighths of the bar, and two minutes of the picture.
    assert '<rect class="part-works" x="125.0" y="0" width="250.0"' in page.text
    assert page.text.count('width="8" height="100.0"') == 2


def test_htmx_gets_the_part_and_asks_again(admin):
    page = admin.get("/operations/").text
    assert 'hx-get="/operations/"' in page and 'hx-trigger="every 5s"' in page and 'http-equiv="refresh"' in page
    part = admin.get("/operations/", headers={"HX-Request": "true"})
    assert "<html" not in part.text and "hx-get" not in part.text
    assert part.text.count('<section class="panel') == 6
    assert "HX-Request" in part["Vary"]


def test_what_is_wrong_comes_first(admin, settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    said = text_of(admin.get("/operations/"))
    assert "Broker. The broker does not answer." in said and "Broker: trouble" in said and "Storage: ok" in said
    assert "Timetable. Nothing goes on by itself: beat or its worker does not run." in said


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
def test_page_is_for_admins_alone(client, role):
    client.force_login(User.objects.create_user("ed@example.com", role=role))
    answer = client.get("/operations/")
    assert answer.status_code == 403
    assert "/operations/" not in client.get("/imports/").text


def test_menu_of_admins_leads_to_the_page(admin):
    assert '<a href="/operations/">Operations</a>' in admin.get("/imports/").text


def test_every_state_has_a_place_in_the_bars():
    for states, groups in ((operations.State, operations.IMPORTS), (operations.ExportState, operations.EXPORTS)):
        placed = [state for _, _, members in groups for state in members]
        assert sorted(placed) == sorted(states)


def test_columns_are_as_high_as_the_busiest_minute():
    drawn = operations.columns([0, 10, 1000, 500])
    assert [(column.x, column.y, column.height) for column in drawn] == [(10, 98.0, 2.0), (20, 0.0, 100.0), (30, 50.0, 50.0)]
    assert operations.columns([0, 0]) == []
