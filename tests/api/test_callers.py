"""Programs with tokens: what they may do, and how soon a token that was taken back stops working."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import AuditEntry, Right, Role, Token, User
from tests.api.conftest import problem

pytestmark = pytest.mark.django_db


def get(key: str, path: str = "/api/v1/datasets", method: str = "get"):
    send = getattr(Client(enforce_csrf_checks=True, raise_request_exception=False), method)
    return send(path, headers={"Authorization": f"Bearer {key}"})


def test_token_is_kept_as_a_hash_and_works_without_a_csrf_token(anna: User) -> None:
    token, key = tokens.make(anna, "shop", [Right.READ, Right.EDIT])
    assert key.startswith("lft_") and key not in "".join(map(str, Token.objects.values_list("prefix", "digest", "name")))
    assert get(key).status_code == 200
    sent = Client(enforce_csrf_checks=True).post(
        "/api/v1/products",
        '{"sku": "a", "name": "b"}',
        content_type="application/json",
        headers={"Authorization": f"bearer {key}"},
    )
    assert sent.status_code == 201
    token.refresh_from_db()
    assert token.last_used_at is not None and token.last_used_from == "127.0.0.1"
    assert [entry.detail for entry in AuditEntry.objects.filter(kind="token_used")] == [str(token)]


def test_scope_narrows_what_the_role_allows_and_never_widens_it(anna: User) -> None:
    _, key = tokens.make(anna, "reader", [Right.READ])
    assert problem(get(key, "/api/v1/webhooks"), 403)["detail"] == "The token has no scope “admin”; make one that has it."
    anna.role = Role.VIEWER
    anna.save()
    _, wide = tokens.make(anna, "wide", list(Right))
    assert problem(get(wide, "/api/v1/webhooks"), 403)["detail"] == "Your role is viewer; only an admin may do this."


@pytest.mark.parametrize("end", ["revoked", "expired", "owner is out", "other secret", "other prefix", "nonsense", ""])
def test_token_that_is_not_good_is_401(anna: User, end: str) -> None:
    token, key = tokens.make(anna, "shop", [Right.READ])
    if end == "revoked":
        tokens.revoke(token, anna)
    elif end == "expired":
        Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif end == "owner is out":
        User.objects.update(is_active=False)
    sent = {"other secret": key[:-1] + "!", "other prefix": "lft_000000000000" + key[16:], "nonsense": "a.b.c", "": ""}.get(
        end, key
    )
    answer = get(sent)
    problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_bad_token_beside_a_good_session_is_401(anna: User) -> None:
    client = Client()
    client.force_login(anna)
    problem(client.get("/api/v1/datasets", headers={"Authorization": "Bearer lft_no"}), 401)


def test_use_is_written_down_once_for_an_address_and_hour(anna: User) -> None:
    token, key = tokens.make(anna, "shop", [Right.READ])
    for _ in range(3):
        get(key)
    assert AuditEntry.objects.filter(kind="token_used").count() == 1
    Token.objects.update(last_used_from="10.0.0.1")
    get(key)
    assert AuditEntry.objects.filter(kind="token_used").count() == 2
