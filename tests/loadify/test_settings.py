import os
import runpy
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Reads the settings with only the given environment."""

    def read(**environment: str) -> dict[str, Any]:
        monkeypatch.setattr(os, "environ", {"LOADIFY_DATA_DIR": str(tmp_path), **environment})
        return runpy.run_path(str(ROOT / "loadify" / "settings.py"))

    return read


@pytest.fixture
def settings_of(read: Any) -> Any:
    def settings_of(**environment: str) -> dict[str, Any]:
        needed = {
            "SECRET_KEY": "k" * 50,
            "LOADIFY_WEBHOOK_KEYS": "w" * 50,
            "DATABASE_URL": "postgres://u:p@db.example:5433/shop",
        }
        return read(**needed | environment)

    return settings_of


def test_missing_secret_key_names_itself(read: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set"):
        read(DATABASE_URL="postgres://u:p@db.example/shop")


def test_missing_webhook_key_names_itself(read: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="LOADIFY_WEBHOOK_KEYS is not set"):
        read(SECRET_KEY="k" * 50, DATABASE_URL="postgres://u:p@db.example/shop")


def test_missing_keys_are_forgiven_while_debugging(read: Any) -> None:
    found = read(DATABASE_URL="sqlite://:memory:", DEBUG="1")
    assert (found["SECRET_KEY"], found["LOADIFY_WEBHOOK_KEYS"]) == ("only-for-debugging", ["only-for-debugging"])


def test_missing_database_names_itself(read: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL is not set and no embedded database runs here"):
        read(SECRET_KEY="k" * 50, LOADIFY_WEBHOOK_KEYS="w" * 50)


def test_keys_of_the_data_directory_are_read(read: Any, tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("kept\n")
    (tmp_path / "webhook-key").write_text("kept-too\n")
    found = read(DATABASE_URL="sqlite://:memory:")
    assert (found["SECRET_KEY"], found["LOADIFY_WEBHOOK_KEYS"]) == ("kept", ["kept-too"])


def test_database_url_is_taken_apart(settings_of: Any) -> None:
    database = settings_of()["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "shop")


@pytest.mark.parametrize(
    ("environment", "setting", "value"),
    [
        ({}, "DEBUG", False),
        ({"DEBUG": "yes"}, "DEBUG", True),
        ({"DEBUG": ""}, "DEBUG", False),
        ({"SECRET_KEY": "other"}, "SECRET_KEY", "other"),
        ({}, "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"]),
        ({"ALLOWED_HOSTS": "a.example, b.example"}, "ALLOWED_HOSTS", ["a.example", "b.example"]),
        ({"CSRF_TRUSTED_ORIGINS": "https://a.example"}, "CSRF_TRUSTED_ORIGINS", ["https://a.example"]),
        ({}, "BROKER_URL", "memory://"),
        ({"BROKER_URL": "amqp://guest@mq.example//"}, "CELERY_BROKER_URL", "amqp://guest@mq.example//"),
        ({"LOADIFY_WORKERS": "7"}, "LOADIFY_WORKERS", 7),
        ({"LOADIFY_LEASE": "3"}, "LOADIFY_LEASE", 3),
        ({"LOADIFY_MAX_FILE_SIZE": "1000"}, "LOADIFY_MAX_FILE_SIZE", 1000),
        ({"LOADIFY_UPLOAD_HOURS": "2"}, "LOADIFY_UPLOAD_HOURS", 2),
        ({"LOADIFY_SIGN_UP": "1"}, "LOADIFY_SIGN_UP", True),
        ({"LOADIFY_SIGN_UP": "1"}, "ACCOUNT_EMAIL_VERIFICATION", "none"),
        ({"LOADIFY_SIGN_UP": "1", "EMAIL_HOST": "mail.example"}, "ACCOUNT_EMAIL_VERIFICATION", "mandatory"),
        ({"EMAIL_HOST": "mail.example"}, "ACCOUNT_EMAIL_VERIFICATION", "none"),
        ({"LOADIFY_WEBHOOK_KEYS": "new, old"}, "LOADIFY_WEBHOOK_KEYS", ["new", "old"]),
        ({"LOADIFY_WEBHOOK_ALLOW_PRIVATE": "1"}, "LOADIFY_WEBHOOK_ALLOW_PRIVATE", True),
        ({"LOADIFY_HTTPS": "1"}, "SESSION_COOKIE_SECURE", True),
        ({"LOADIFY_HTTPS": "1"}, "SECURE_HSTS_SECONDS", 31_536_000),
        ({}, "SESSION_COOKIE_SECURE", False),
        ({"TIME_ZONE": "Europe/Vienna"}, "TIME_ZONE", "Europe/Vienna"),
        ({"LOADIFY_METRICS_TOKEN": " t "}, "LOADIFY_METRICS_TOKEN", "t"),
        ({"SENTRY_DSN": "https://key@sentry.example/7"}, "SENTRY_DSN", "https://key@sentry.example/7"),
    ],
)
def test_setting_follows_its_environment_name(settings_of: Any, environment: dict[str, str], setting: str, value: Any) -> None:
    assert settings_of(**environment)[setting] == value


def test_log_level_follows_the_environment(settings_of: Any) -> None:
    assert settings_of(LOG_LEVEL="WARNING")["LOGGING"]["root"]["level"] == "WARNING"


@pytest.mark.parametrize(("environment", "form"), [({}, "line"), ({"LOADIFY_LOG_FORMAT": "JSON"}, "json")])
def test_form_of_logs_follows_the_environment(settings_of: Any, environment: dict[str, str], form: str) -> None:
    assert settings_of(**environment)["LOGGING"]["handlers"]["stderr"]["formatter"] == form


def test_data_dir_follows_the_environment(settings_of: Any, tmp_path: Path) -> None:
    found = settings_of(LOADIFY_DATA_DIR=str(tmp_path / "elsewhere"))
    assert found["DATA_DIR"] == tmp_path / "elsewhere"
    assert found["STORAGES"]["default"]["OPTIONS"]["location"] == tmp_path / "elsewhere" / "files"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"DEBUG": "maybe"}, "DEBUG is “maybe”; write 1 or 0."),
        ({"LOADIFY_LOG_FORMAT": "xml"}, "LOADIFY_LOG_FORMAT is “xml”; write line or json."),
        ({"LOADIFY_LEASE": "soon"}, "LOADIFY_LEASE is “soon”; write a whole number."),
    ],
)
def test_senseless_value_is_refused_with_its_name(settings_of: Any, environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        settings_of(**environment)
