"""Signing in: by password and second factor, throttled, and without telling who has an account."""

import json
import re
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import AuditEntry, User
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_tries_yet(db: None) -> None:
    cache.clear()


def sign_in(client: Client, email: str = "eva@example.com", password: str = PASSWORD):
    return client.post("/accounts/login/", {"login": email, "password": password})


def code_of(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def test_sign_ins_and_failures_are_written_down(eva: User, client: Client) -> None:
    assert sign_in(client, "EVA@example.com")["Location"] == "/"
    client.post("/accounts/logout/")
    sign_in(client, password="wrong")
    sign_in(client, "nobody@example.com")
    assert list(AuditEntry.objects.order_by("id").values_list("kind", "email", "person__email", "address")) == [
        ("signed_in", "eva@example.com", "eva@example.com", "127.0.0.1"),
        ("signed_out", "eva@example.com", "eva@example.com", "127.0.0.1"),
        ("sign_in_failed", "eva@example.com", "eva@example.com", "127.0.0.1"),
        ("sign_in_failed", "nobody@example.com", None, "127.0.0.1"),
    ]


def test_answer_does_not_tell_who_has_an_account(eva: User, client: Client, settings) -> None:
    wrong, nobody = sign_in(client, password="wrong").text, sign_in(client, "nobody@example.com").text
    plain = re.compile(r'value="[^"]*"|X-CSRFToken[^}]*')
    assert plain.sub("", wrong) == plain.sub("", nobody)
    settings.EMAIL_HOST = "mail"
    answers = [
        client.post("/accounts/password/reset/", {"email": email}) for email in ("eva@example.com", "nobody@example.com")
    ]
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {(302, "/accounts/password/reset/done/")}
    known, unknown = mail.outbox
    assert "at http://testserver." in known.body and "at http://testserver." in unknown.body
    assert known.to == ["eva@example.com"] and "/accounts/password/reset/key/" in known.body
    assert "no account" in unknown.body and "signup" not in unknown.body
    settings.LOADIFY_SIGN_UP = True
    client.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert "/accounts/signup/" in mail.outbox[-1].body


def test_tries_are_throttled_and_a_right_password_does_not_help(eva: User, client: Client) -> None:
    for _ in range(5):
        sign_in(client, password="wrong")
    refused = sign_in(client)
    assert refused.status_code == 200 and "Too many" in refused.text
    assert "_auth_user_id" not in client.session


def test_reset_page_says_when_the_site_sends_no_mail(client: Client, settings) -> None:
    assert "sends no e-mail" in client.get("/accounts/password/reset/").text
    settings.EMAIL_HOST = "mail"
    assert "Send the link" in client.get("/accounts/password/reset/").text


@pytest.mark.django_db(transaction=True)
def test_second_factor_is_turned_on_asked_for_and_stored_sealed(eva: User, client: Client) -> None:
    sign_in(client)
    where = client.get("/accounts/2fa/totp/activate/")["Location"]
    assert "Confirm" in client.get(where).text
    page = client.post(where, {"password": PASSWORD}, follow=True)
    assert page.status_code == 200, page
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
    assert secret
    done = client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret[1])}, follow=True)
    assert done.status_code == 200
    stored = Authenticator.objects.get(user=eva, type="totp")
    assert secret[1] not in str(stored.data)
    codes = client.get("/accounts/2fa/recovery-codes/").text
    assert client.get("/accounts/2fa/").text.count("On: signing in asks") == 1
    client.post("/accounts/logout/")

    asked = sign_in(client)
    assert urlsplit(asked["Location"]).path == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    assert client.post(asked["Location"], {"code": "000000"}).status_code == 200
    [recovery] = re.findall(r"\b[0-9a-f]{8}\b", codes)[:1]
    assert client.post(asked["Location"], {"code": recovery})["Location"] == "/"
    kinds = AuditEntry.objects.order_by("id").values_list("kind", flat=True)
    assert list(kinds).count("second_factor") == 2 and list(kinds)[-1] == "signed_in"


def test_signing_up_is_closed_unless_the_setting_opens_it(client: Client, settings) -> None:
    new = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    client.post("/accounts/signup/", new)
    assert not User.objects.exists()
    settings.LOADIFY_SIGN_UP, settings.LOADIFY_SIGN_UP_ROLE = True, "editor"
    assert client.post("/accounts/signup/", new).status_code == 302
    assert User.objects.get().role == "editor"


def test_token_is_made_shown_once_and_revoked(eva: User, client: Client) -> None:
    client.force_login(eva)
    assert "No tokens yet" in client.get("/profile/").text
    assert client.post("/profile/tokens/new/", {"name": "shop", "scopes": ["admin"]}).status_code == 422
    made = client.post("/profile/tokens/new/", {"name": "shop", "scopes": ["read", "import"], "days": "30"})
    key = re.search(r"lft_[0-9a-f]{12}_[\w-]{43}", made.text)
    assert key and "no-store" in made["Cache-Control"]
    assert key[0] not in client.get("/profile/").text
    headers = {"Authorization": f"Bearer {key[0]}"}
    assert Client().get("/api/v1/datasets", headers=headers).status_code == 200
    token = eva.tokens.get()
    assert "last used" in client.get("/profile/").text
    other = Client()
    other.force_login(User.objects.create_user("other@example.com", role="admin"))
    assert other.post(f"/profile/tokens/{token.pk}/revoke/").status_code == 404
    client.post(f"/profile/tokens/{token.pk}/revoke/")
    assert Client().get("/api/v1/datasets", headers=headers).status_code == 401


class Program:
    """A program that signs in through allauth's API."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)

    def __call__(self, method: str, path: str, body: object = None, **headers: str):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = "" if body is None else json.dumps(body)
        return self.client.generic(method, f"/_allauth/app/v1{path}", data, "application/json", headers=sent)


def test_program_signs_in_refreshes_and_is_out_at_once_after_signing_out(eva: User) -> None:
    call = Program()
    answer = call("POST", "/auth/login", {"email": "eva@example.com", "password": PASSWORD})
    assert answer.status_code == 200, answer.content
    meta = answer.json()["meta"]

    def asks(token: str) -> int:
        return (
            Client(enforce_csrf_checks=True).get("/api/v1/datasets", headers={"Authorization": f"Bearer {token}"}).status_code
        )

    assert asks(meta["access_token"]) == 200
    assert asks(meta["refresh_token"]) == 401
    fresh = call("POST", "/tokens/refresh", {"refresh_token": meta["refresh_token"]}).json()["data"]
    assert asks(fresh["access_token"]) == 200
    assert call("POST", "/tokens/refresh", {"refresh_token": meta["refresh_token"]}).status_code == 400
    out = call("DELETE", "/auth/session", X_Session_Token=meta["session_token"])
    assert out.status_code == 401
    assert asks(fresh["access_token"]) == 401
    assert call("POST", "/tokens/refresh", {"refresh_token": fresh["refresh_token"]}).status_code == 400
    assert AuditEntry.objects.filter(kind="signed_in", detail="for a program").count() == 1


def test_program_is_told_in_json_and_throttled(eva: User) -> None:
    call = Program()
    assert call("GET", "/auth/session").status_code == 401
    tries = [call("POST", "/auth/login", {"email": "eva@example.com", "password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in tries[:5]] == [400] * 5
    assert tries[5].status_code in (400, 429)
    assert call("POST", "/auth/login", {"email": "eva@example.com", "password": PASSWORD}).status_code in (400, 429)
    assert call("POST", "/auth/signup", {"email": "new@example.com", "password": PASSWORD}).status_code == 403


def test_person_who_is_kept_out_takes_the_programs_along(eva: User) -> None:
    token = Program()("POST", "/auth/login", {"email": eva.email, "password": PASSWORD}).json()["meta"]["access_token"]
    User.objects.filter(pk=eva.pk).update(is_active=False)
    assert Client().get("/api/v1/datasets", headers={"Authorization": f"Bearer {token}"}).status_code == 401
