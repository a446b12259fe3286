"""Idempotency-Key: a POST that comes twice is done once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role, User
from api.models import Answer
from importer.models import Import
from products import edits
from products.models import Product
from tests.api.conftest import GOOD, Shop, problem

pytestmark = pytest.mark.django_db

NEW = {"sku": "K-1", "name": "Once"}


def test_post_with_a_key_happens_once(shop: Shop) -> None:
    new = {"sku": "K-1", "name": "Once"}
    first = shop.post("/products", new, Idempotency_Key="abc")
    again = shop.post("/products", new, Idempotency_Key="abc")
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert (again.content, again["Location"], again["ETag"]) == (first.content, first["Location"], first["ETag"])
    assert Product.objects.count() == 1
    assert (
        "another request" in problem(shop.post("/products", {"sku": "K-2", "name": "x"}, Idempotency_Key="abc"), 422)["detail"]
    )
    problem(shop.post("/products", new, Idempotency_Key=""), 400)
    problem(shop.post("/products", new, Idempotency_Key="a b"), 400)
    problem(shop.post("/products", new, Idempotency_Key="a" * 256), 400)


def test_answer_is_given_again_to_the_same_role_only_and_counts_as_a_call(shop: Shop, settings) -> None:
    settings.LOADIFY_API_RATE = 2
    answers = [shop.post("/products", NEW, Idempotency_Key="abc") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    settings.LOADIFY_API_RATE = 0
    User.objects.update(role=Role.VIEWER)
    problem(shop.post("/products", NEW, Idempotency_Key="abc"), 422)
    assert shop.post("/products", NEW, Idempotency_Key="def").status_code == 403


def test_key_is_of_one_person_and_its_answer_is_sealed(shop: Shop) -> None:
    shop.post("/products", {"sku": "K-1", "name": "Once"}, Idempotency_Key="abc")
    assert b"K-1" not in bytes(Answer.objects.get().body)
    other = Shop(User.objects.create_user("other@example.com", role=Role.EDITOR))
    problem(other.post("/products", {"sku": "K-1", "name": "Once"}, Idempotency_Key="abc"), 409)


def test_form_with_a_key_is_stored_once(shop: Shop) -> None:
    shop.headers["Idempotency-Key"] = "form"
    first, again = shop.send(GOOD, dataset="products"), shop.send(GOOD, dataset="products")
    assert first.json()["id"] == again.json()["id"]
    assert Import.objects.count() == 1
    problem(shop.send(GOOD + b"A-3,x,y\n", dataset="products"), 422)


def test_request_that_comes_while_the_first_is_at_work_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    create, met = edits.create, []

    def slow(*given):
        met.append(shop.post("/products", NEW, Idempotency_Key="abc"))
        return create(*given)

    monkeypatch.setattr(edits, "create", slow)
    assert shop.post("/products", NEW, Idempotency_Key="abc").status_code == 201
    assert "still" in problem(met[0], 409)["detail"]
    assert met[0]["Retry-After"] == "1"


def test_request_that_was_lost_or_is_long_ago_may_be_begun_again(shop: Shop) -> None:
    shop.post("/products", NEW, Idempotency_Key="abc")
    Product.objects.all().delete()
    Answer.objects.update(status=None, at=timezone.now() - timedelta(minutes=6))
    assert shop.post("/products", NEW, Idempotency_Key="abc").status_code == 201
    Product.objects.all().delete()
    Answer.objects.update(at=timezone.now() - timedelta(hours=25))
    assert "Idempotent-Replayed" not in shop.post("/products", NEW, Idempotency_Key="abc")


def test_what_went_wrong_on_our_side_is_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(edits, "create", lambda *given: 1 / 0)
        problem(shop.post("/products", NEW, Idempotency_Key="abc"), 500)
    assert shop.post("/products", NEW, Idempotency_Key="abc").status_code == 201


def test_secret_of_a_webhook_is_told_again_and_not_kept_in_the_clear(shop: Shop) -> None:
    shop = Shop(User.objects.create_user("admin@example.com", role=Role.ADMIN))
    first = shop.post("/webhooks", {"url": "http://127.0.0.1:8009/hook"}, Idempotency_Key="abc")
    again = shop.post("/webhooks", {"url": "http://127.0.0.1:8009/hook"}, Idempotency_Key="abc")
    assert again.json()["secret"] == first.json()["secret"]
    assert first.json()["secret"].encode() not in bytes(Answer.objects.get().body)
