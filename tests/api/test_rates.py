"""Who calls too often is told when to come again."""

import pytest
from django.test import Client

from accounts.models import User
from api import rates
from api.models import Calls
from tests.api.conftest import Program, problem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def minute(monkeypatch: pytest.MonkeyPatch, settings) -> list[float]:
    """The time, which stands still at the twentieth second of a minute."""
    now = [1_000_000 * 60 + 20.0]
    monkeypatch.setattr(rates.time, "time", lambda: now[0])
    settings.LOADIFY_API_RATE = 20
    return now


def test_person_may_call_so_often_in_aminute(anna: User, call: Program, minute: list[float]) -> None:
    assert [call("GET", "/datasets").status_code for _ in range(20)] == [200] * 20
    refused = call("GET", "/datasets")
    assert problem(refused, 429)["detail"] == "Too many calls; try again in 40 seconds."
    assert refused["Retry-After"] == "40"
    other = Program(User.objects.create_user("ben@example.com"))
    assert other("GET", "/datasets").status_code == 200
    minute[0] += 40
    assert call("GET", "/datasets").status_code == 200


def test_tokens_are_not_guessed_at_leisure(anna: User) -> None:
    guess = {"Authorization": "Bearer lft_0123456789ab_guess"}
    answers = [Client().get("/api/v1/datasets", headers=guess).status_code for _ in range(4)]
    assert answers == [401, 401, 429, 429]
    assert Program(anna)("GET", "/datasets").status_code == 200


def test_counts_ofminutes_that_are_over_are_forgotten(call: Program, minute: list[float]) -> None:
    call("GET", "/datasets")
    minute[0] += 60 * 10
    call("GET", "/datasets")
    assert list(Calls.objects.values_list("minute", "number")) == [(1_000_010, 1)]


def test_no_limit_counts_nothing(call: Program, settings) -> None:
    settings.LOADIFY_API_RATE = 0
    call("GET", "/datasets")
    assert not Calls.objects.exists()
