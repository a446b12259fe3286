"""What keeps browsers from harm: headers on every kind of answer, cookies, and Django's own check for production."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from accounts.models import Role, User

ROOT = Path(__file__).resolve().parent.parent.parent

PRODUCTION = {
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "LOADIFY_WEBHOOK_KEYS": "another-long-random-text",
    "DATABASE_URL": "sqlite://:memory:",
    "BROKER_URL": "memory://",
    "LOADIFY_HTTPS": "1",
    "ALLOWED_HOSTS": "loadify.example.com",
}


def test_djangos_check_for_production_finds_nothing():
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=kept | PRODUCTION,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/",
        "/imports/",
        "/admin/",
        "/admin/products/product/",
        "/api/docs",
        "/api/v1/openapi.json",
        "/api/v1/datasets",
        "/api/v1/nothing",
        "/no/such/page",
        "/files/forged",
        "/imports/sample/products.csv",
        "/healthz",
        "/static/app.css",
        "/static/ninja/swagger-ui-bundle.js",
    ],
)
def test_every_kind_of_answer_tells_the_browser_what_it_may_not_do(db, path):
    client = Client()
    client.force_login(User.objects.create_user("chief@example.com", role=Role.ADMIN))
    answer = client.get(path)
    answer.close()
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    if not path.startswith("/static/"):
        policy = answer["Content-Security-Policy"]
        assert "default-src 'self'" in policy or "sandbox" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer["X-Frame-Options"] == "DENY"
    if answer.status_code == 200 and path.endswith(".csv"):
        assert answer["Content-Disposition"].startswith("attachment")


def test_cookies_are_for_this_site_alone(db):
    User.objects.create_user("ada@example.com", "a-pass-word-1")
    client = Client()
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"login": "ada@example.com", "password": "a-pass-word-1"})
    session, csrf = client.cookies["sessionid"], client.cookies["csrftoken"]
    assert (session["httponly"], session["samesite"], csrf["samesite"]) == (True, "Lax", "Lax")


def test_with_https_cookies_stay_on_it_and_browsers_come_back_by_it():
    asked = """
import django
from django.test import Client
django.setup()
from django.conf import settings
answer = Client().get("/healthz", headers={"host": "loadify.example.com"}, secure=True)
print(answer["Strict-Transport-Security"], settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE)
print(Client().get("/accounts/login/", headers={"host": "loadify.example.com"})["Location"])
"""
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "loadify.settings"} | PRODUCTION,
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = ["max-age=31536000; includeSubDomains; preload True True", "https://loadify.example.com/accounts/login/"]
    assert done.stdout.splitlines() == told, done.stderr
