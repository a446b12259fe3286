"""How often somebody may call."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.db.utils import InternalError
from django.test.utils import CaptureQueriesContext

from accounts import tokens
from accounts.models import Right, User
from api import rates
from api.models import Calls
from tests.api.conftest import Program, problem

pytestmark = pytest.mark.django_db
#: 20 seconds into a minute.
NOON = 28_000_000 * 60 + 20
Clock = Callable[[int], None]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, settings) -> Clock:
    settings.LOADIFY_API_RATE = 3

    def at(second: int) -> None:
        monkeypatch.setattr(rates, "time", lambda: NOON + second + 0.9)

    at(0)
    return at


def test_call_beyond_the_rate_is_429_until_the_next_minute(call: Program, clock: Clock) -> None:
    left = [call("GET", "/datasets").headers["RateLimit"] for _ in range(3)]
    assert left == ['"minute";r=2;t=40', '"minute";r=1;t=40', '"minute";r=0;t=40']
    refused = call("GET", "/datasets")
    assert problem(refused, 429)["detail"] == "More than 3 calls in this minute; go on in 40 seconds."
    assert refused.headers["Retry-After"] == "40"
    clock(39)
    assert call("GET", "/datasets").headers["Retry-After"] == "1"
    clock(40)
    answer = call("GET", "/datasets")
    assert (answer.status_code, answer.headers["RateLimit"]) == (200, '"minute";r=2;t=60')
    assert answer.headers["RateLimit-Policy"] == '"minute";q=3;w=60'


def test_person_and_their_programs_count_together_and_others_by_themselves(call: Program, anna: User) -> None:
    token = Program(key=tokens.make(anna, "a", [Right.READ])[1])
    assert [who("GET", "/datasets").status_code for who in (call, token, call, token)] == [200, 200, 200, 429]
    other = Program(User.objects.create_user("bert@example.com"))
    assert other("GET", "/datasets").status_code == 200


def test_refused_calls_count_too(call: Program, anna: User) -> None:
    token = Program(key=tokens.make(anna, "a", [Right.READ])[1])
    found = [token("POST", "/products", {}).status_code, call("PUT", "/datasets").status_code]
    found.append(call("DELETE", "/products/1", X_CSRFToken="x").status_code)
    found += [call("GET", "/nothing").status_code, call("GET", "/products/1").status_code]
    assert found + [call("GET", "/datasets").status_code] == [403, 405, 403, 404, 404, 429]


def test_those_who_do_not_say_who_they_are_are_counted_by_address(anna: User, settings) -> None:
    settings.LOADIFY_PROXIES, settings.LOADIFY_API_RATE = 1, 30
    nobody, wrong = Program(None), Program(key="lft_wrong")
    here = {"X_Forwarded_For": "192.0.2.7"}
    assert [who("GET", "/datasets", **here).status_code for who in (nobody, wrong, nobody)] == [401, 401, 401]
    for who in (nobody, wrong):
        refused = who("GET", "/datasets", **here)
        assert problem(refused, 429) and refused.headers["Retry-After"] == "40"
    assert nobody("GET", "/datasets", X_Forwarded_For="192.0.2.8").status_code == 401
    # Whoever says who they are is let in, also from there.
    good = Program(key=tokens.make(anna, "a", [Right.READ])[1])
    assert good("GET", "/datasets", **here).status_code == 200


def test_no_rate_lets_everybody_call_and_counts_nothing(call: Program, settings) -> None:
    settings.LOADIFY_API_RATE = 0
    assert "RateLimit" not in call("GET", "/datasets").headers
    assert Calls.objects.count() == 0


def test_counting_is_one_statement_but_for_the_first_of_a_minute(anna: User, clock: Clock) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            rates.count_person(anna)
        return len(found)

    assert [queries(), queries()] == [2, 1]
    clock(60 * rates.KEPT)
    Calls.objects.create(caller="somewhere", minute=NOON // 60 - 1, number=5)
    assert [queries(), queries()] == [2, 1]
    # What is older than an hour is swept.
    assert sorted(Calls.objects.values_list("minute", "number")) == [(NOON // 60, 2), (NOON // 60 + rates.KEPT, 2)]


def test_counting_by_update_is_the_same(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """For databases that do not answer what they have written."""
    monkeypatch.setattr(rates, "_ANSWERING", ())
    assert [rates.count_person(anna).left for _ in range(3)] == [2, 1, 0]
    with pytest.raises(rates.TooMany):
        rates.count_person(anna)


def test_database_that_cannot_be_written_lets_readers_read(call: Program, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def refuse(caller: str, minute: int) -> int:
        raise InternalError("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(rates, "_one_more", refuse)
    assert call("GET", "/datasets").status_code == 200
    assert "Calls cannot be counted (InternalError)." in caplog.text


@pytest.mark.django_db(transaction=True)
def test_calls_at_once_are_all_counted(anna: User, settings) -> None:
    settings.LOADIFY_API_RATE = 1000

    def count(_: int) -> int:
        try:
            rate = rates.count_person(anna)
            assert rate
            return rate.used
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(count, range(40))) == list(range(1, 41))
