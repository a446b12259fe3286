"""What is kept of a token and of its use. What programs may do with one is in test_access.py."""

import pytest
from django.test import Client

from accounts import tokens
from accounts.models import AuditEntry, Right, Token, User

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


def test_use_is_written_down_once_for_an_address_and_hour(anna: User) -> None:
    token, key = tokens.make(anna, "shop", [Right.READ])
    for _ in range(3):
        get(key)
    assert AuditEntry.objects.filter(kind="token_used").count() == 1
    Token.objects.update(last_used_from="10.0.0.1")
    get(key)
    assert AuditEntry.objects.filter(kind="token_used").count() == 2
