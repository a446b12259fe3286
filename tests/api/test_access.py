"""Who may call: by session or bearer token, by role and by scope."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import Right, Role, User
from products.models import Product
from tests.api.conftest import Program, problem

pytestmark = pytest.mark.django_db
MUG = {"sku": "MUG-1", "name": "Mug"}


def person(role: Role) -> User:
    return User.objects.create_user(f"{role}@example.com", role=role)


def program(user: User, *scopes: Right, **more: object) -> Program:
    return Program(key=tokens.make(user, "test", scopes, **more)[1])


def test_token_acts_for_its_owner_without_a_cookie_or_csrf_token(anna: User) -> None:
    made = program(anna, Right.READ, Right.EDIT)("POST", "/products", MUG)
    assert made.status_code == 201
    assert Product.objects.get().sku == "MUG-1"
    assert not made.cookies


def test_token_goes_no_further_than_its_scopes(anna: User) -> None:
    call = program(anna, Right.READ)
    assert call("GET", "/products").status_code == 200
    refused = problem(call("POST", "/products", MUG), 403)["detail"]
    assert refused == "The token has no scope “edit”; make one that has it."
    assert problem(program(anna, Right.EDIT)("GET", "/products"), 403)["detail"].startswith("The token has no scope “read”")
    assert problem(program(anna, Right.EDIT)("DELETE", "/products?confirm=delete"), 403)


def test_token_goes_no_further_than_its_owner() -> None:
    call = program(person(Role.VIEWER), *Right)
    assert problem(call("POST", "/products", MUG), 403)["detail"] == ("Your role is viewer; only an editor may change records.")
    assert problem(call("GET", "/webhooks"), 403)["detail"] == "Your role is viewer; only an admin may do this."


@pytest.mark.parametrize("by_session", [True, False])
def test_roles_decide_alike_for_sessions_and_tokens(by_session: bool) -> None:
    asked = [("GET", "/products"), ("POST", "/products"), ("DELETE", "/products?confirm=delete"), ("GET", "/webhooks")]
    found = {}
    for role in Role:
        user = person(role)
        call = Program(user) if by_session else program(user, *Right)
        found[role.value] = [call(method, path, MUG if method == "POST" else None).status_code for method, path in asked]
        Product.objects.all().delete()
    assert found == {"viewer": [200, 403, 403, 403], "editor": [200, 201, 403, 403], "admin": [200, 201, 200, 200]}


def test_token_that_is_not_good_any_more_is_401(anna: User) -> None:
    expired = program(anna, Right.READ, expires_at=timezone.now() - timedelta(seconds=1))
    problem(expired("GET", "/products"), 401)
    token, key = tokens.make(anna, "test", [Right.READ])
    call = Program(key=key)
    assert call("GET", "/products").status_code == 200
    tokens.revoke(token, anna)
    problem(call("GET", "/products"), 401)


def test_token_of_somebody_who_is_kept_out_is_401(anna: User) -> None:
    call = program(anna, Right.READ)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    problem(call("GET", "/products"), 401)


@pytest.mark.parametrize("key", ["lft_000000000000_x", "lft_", "lft_\x00", "nonsense", "a.b.c", "ö" * 5000])
def test_made_up_token_is_401_also_beside_a_good_session(anna: User, key: str) -> None:
    client = Client()
    client.force_login(anna)
    assert client.get("/api/v1/products").status_code == 200
    answer = client.get("/api/v1/products", headers={"Authorization": f"Bearer {key}"})
    assert problem(answer, 401)["detail"] == "The token is not good, or not any more; make a new one, or sign in again."
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="Loadify", error="invalid_token"')


def test_header_without_a_bearer_token_leaves_the_session_to_decide(anna: User) -> None:
    client = Client()
    client.force_login(anna)
    assert client.get("/api/v1/products", headers={"Authorization": "Basic YTpi"}).status_code == 200
    problem(Client().get("/api/v1/products", headers={"Authorization": "Basic YTpi"}), 401)
    problem(client.get("/api/v1/products", headers={"Authorization": "Bearer "}), 401)
