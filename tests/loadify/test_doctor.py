"""manage.py doctor: a site that is well, and each thing that newcomers get wrong, with what to do about it."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection

from accounts.models import Role, User
from loadify import checks_services, checks_settings, checkup, tasks
from loadify.checks import Wrong
from loadify.processes import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def doctor(**environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    command = [sys.executable, "manage.py", "doctor"]
    return subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_doctor_finds_nothing_at_a_site_that_runs(site) -> None:
    # Beat gives its first life sign when it has run for ten seconds.
    assert wait_until(lambda: "Task loadify.pulse" in site.log("worker"), 60)
    command = [sys.executable, "manage.py", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=site.env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "All is well."), done.stdout
    assert "✗" not in done.stdout and done.stdout.count("✓") == len(checkup.BEFORE | checkup.BEHIND_THE_DATABASE)
    assert "✓ Workers: celery@" in done.stdout and "webhooks@" in done.stdout


def test_doctor_says_what_to_do_and_exits_with_1(tmp_path: Path) -> None:
    done = doctor(
        SECRET_KEY="short",
        LOADIFY_WEBHOOK_KEYS=GOOD,
        LOADIFY_DATA_DIR=str(tmp_path),
        DATABASE_URL="postgres://me:s3cret@127.0.0.1:1/shop",
        BROKER_URL="memory://",
        DEBUG="1",
    )
    assert done.returncode == 1
    assert "✗ Keys: SECRET_KEY is short or repeats itself (5 characters).\n  → Set one of at least 40" in done.stdout
    assert "✗ Debugging: DEBUG is on" in done.stdout
    assert "✗ Broker: There is no broker.\n  → Start bin/up" in done.stdout
    assert "✗ Database: The database does not answer.\n  → Start it, or mend DATABASE_URL." in done.stdout
    # What hangs on it is not asked.
    assert "Migrations" not in done.stdout and "s3cret" not in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "5 of these need you."


def test_doctor_who_cannot_read_the_settings_says_why(tmp_path: Path) -> None:
    done = doctor(LOADIFY_DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("✗ Settings: SECRET_KEY is not set. Set it to a long random text, or start bin/up")


@pytest.fixture
def data_dir(settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "check", "problem"),
    [
        ({"SECRET_KEY": "a" * 60}, "keys", "SECRET_KEY is short or repeats itself (60 characters)."),
        ({"LOADIFY_WEBHOOK_KEYS": [GOOD, "old"]}, "keys", "LOADIFY_WEBHOOK_KEYS is short or repeats itself (3 characters)."),
        ({"ALLOWED_HOSTS": ["*"]}, "address", "ALLOWED_HOSTS is *: links in e-mails can be made to lead elsewhere."),
        (
            {"LOADIFY_URL": "https://shop.example", "HTTPS": True},
            "address",
            "LOADIFY_URL leads to shop.example, which ALLOWED_HOSTS does not name.",
        ),
        ({"HTTPS": True}, "address", "LOADIFY_URL begins with http, and LOADIFY_HTTPS is 1."),
        (
            {"LOADIFY_FOLDER": "/no/such/folder"},
            "watched_folder",
            "LOADIFY_FOLDER is /no/such/folder, where this user cannot write.",
        ),
        ({"DATA_DIR": Path("/no/such/place")}, "data_directory", "There is no /no/such/place."),
    ],
)
def test_settings_that_do_not_fit_are_told(settings, changed, check, problem) -> None:
    settings.SECRET_KEY, settings.LOADIFY_WEBHOOK_KEYS, settings.HTTPS = GOOD, [GOOD], False
    settings.ALLOWED_HOSTS, settings.LOADIFY_URL = ["localhost", ".shop.test"], "http://www.shop.test:8000"
    assert getattr(checks_settings, check)() if check != "data_directory" else True
    for name, value in changed.items():
        setattr(settings, name, value)
    with pytest.raises(Wrong) as wrong:
        getattr(checks_settings, check)()
    assert wrong.value.problem == problem and wrong.value.remedy


def test_keys_that_others_can_read_are_told(data_dir: Path) -> None:
    (data_dir / "secret-key").write_text("k")
    (data_dir / "secret-key").chmod(0o600)
    assert checks_settings.data_directory().startswith(str(data_dir))
    (data_dir / "secret-key").chmod(0o644)
    with pytest.raises(Wrong) as wrong:
        checks_settings.data_directory()
    assert wrong.value.remedy == f"Run: chmod 600 {data_dir / 'secret-key'}"


def test_disk_without_room_is_told(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_settings, "ROOM", 1 << 62)
    with pytest.raises(Wrong, match=r"^Only \d+\.\d GB are free in"):
        checks_settings.data_directory()


def test_mail_server_that_is_away_is_told(settings) -> None:
    assert checks_settings.email().startswith("no mail server")
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with pytest.raises(Wrong, match=r"^The mail server 127\.0\.0\.1 refuses: "):
        checks_settings.email()


def test_package_of_another_version_is_told(settings, tmp_path: Path) -> None:
    pins = (ROOT / "requirements.txt").read_text()
    assert "celery==" in pins
    assert checks_settings.packages().endswith("as requirements.txt pins them")
    (tmp_path / "requirements.txt").write_text(pins.replace("celery==", "celery==1"))
    settings.BASE_DIR = tmp_path
    with pytest.raises(Wrong, match=r"^Packages have other versions than requirements\.txt names: celery\.$"):
        checks_settings.packages()


@pytest.mark.django_db
def test_extensions_that_may_not_be_made_are_told() -> None:
    assert checks_services.extensions() == "pg_trgm and btree_gist are there"
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION btree_gist CASCADE")
        assert checks_services.extensions() == "btree_gist will be made by manage.py migrate"
        cursor.execute("CREATE ROLE loadify_newcomer; SET LOCAL ROLE loadify_newcomer")
        with pytest.raises(Wrong) as wrong:
            checks_services.extensions()
        cursor.execute("RESET ROLE")
    assert wrong.value.problem == "Extensions are missing that this user may not create: btree_gist."
    assert wrong.value.remedy == "Let a superuser run in this database: CREATE EXTENSION btree_gist;"


@pytest.mark.django_db
def test_database_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks_services.database_version().startswith("PostgreSQL ")
    monkeypatch.setitem(checks_services.OLDEST, "postgresql", (99,))
    with pytest.raises(Wrong, match=r"^The database is PostgreSQL \d+"):
        checks_services.database_version()


@pytest.mark.django_db
@pytest.mark.parametrize("off", [-5, 5])
def test_clocks_that_differ_are_told(monkeypatch: pytest.MonkeyPatch, off: int) -> None:
    assert checks_services.clock().startswith("the same as the database's")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + off)
    with pytest.raises(Wrong, match=r"^The clocks of this machine and of the database are [45]\.\d s apart\.$"):
        checks_services.clock()


def test_queues_without_a_worker_are_named() -> None:
    # A broker of the tests, and nobody behind it.
    with pytest.raises(Wrong, match=r"^No worker listens to celery, punctual, retries, webhooks\.$"):
        checks_services.workers()


@pytest.mark.django_db
def test_timetable_that_stopped_is_told() -> None:
    with pytest.raises(Wrong, match=r"^The timetable has not run for a week\.$"):
        checks_services.timetable()
    tasks.pulse()
    assert checks_services.timetable() == "beat and a worker were at it 0 s ago"
    cache.set("loadify.pulse", time.time() - timedelta(minutes=5).total_seconds())
    with pytest.raises(Wrong, match=r"^The timetable ran 300 s ago for the last time\.$"):
        checks_services.timetable()


@pytest.mark.django_db
def test_site_without_an_admin_is_told() -> None:
    User.objects.create_user("gone@example.com", role=Role.ADMIN, is_active=False)
    with pytest.raises(Wrong) as wrong:
        checks_services.admin()
    assert wrong.value.remedy == "Run manage.py createsuperuser."
    User.objects.create_user("boss@example.com", role=Role.ADMIN)
    assert checks_services.admin() == "there is one who can sign in"
