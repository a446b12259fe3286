import time

import pytest
import requests

from tests.webhooks.plays import PLAYS, answer
from tests.webhooks.receiver import Receiver, ReceiverProcess
from webhooks.signing import new_secret, sign


def test_receiver_remembers_requests_and_answers_as_told() -> None:
    with Receiver() as receiver, requests.Session() as session:
        receiver.plays["/told"] = answer(202, b"thanks", {"X-Seen": "yes"})
        first = session.post(f"{receiver.url}/told", data=b"one", headers={"X-Name": "v"})
        second = session.post(f"{receiver.url}/418?a=b", data=b"two")
        assert (first.status_code, first.content, first.headers["X-Seen"], second.status_code) == (202, b"thanks", "yes", 418)
        one, two = receiver.wait_for(2)
        assert (one.path, one.body, one.headers["x-name"], one.nth) == ("/told", b"one", "v", 1)
        assert (two.path, two.body, two.connection, two.nth) == ("/418?a=b", b"two", one.connection, 2)
        assert one.at <= two.at <= time.monotonic()


def test_receiver_verifies_signatures() -> None:
    secret, other = new_secret(), new_secret()
    with Receiver(secret=secret) as receiver:
        receiver.secrets["/other"] = other
        for path, key in (("/", secret), ("/other", other), ("/", other)):
            requests.post(receiver.url + path, data=b"{}", headers=sign([key], "msg_1", int(time.time()), b"{}"))
        assert [request.verified for request in receiver.requests] == [True, True, False]
        assert requests.post(receiver.url, data=b"{}").status_code == 401


def answered_soon(url: str) -> bool:
    began = time.monotonic()
    try:
        with requests.post(url, data=b"{}", timeout=0.2, stream=True) as answer:
            return all(time.monotonic() - began < 0.2 for _ in answer.iter_content(65_536))
    except requests.RequestException:
        return False


@pytest.mark.parametrize("name", sorted(set(PLAYS) - {"slow"}))
def test_receiver_plays_the_sick(name: str) -> None:
    with Receiver() as receiver:
        assert not answered_soon(f"{receiver.url}/{name}")


def test_receiver_in_a_process_tells_what_it_saw() -> None:
    with ReceiverProcess("--secret", secret := new_secret()) as receiver:
        requests.post(f"{receiver.url}/a", data=b"{}", headers=sign([secret], "msg_1", int(time.time()), b"{}"))
        (seen,) = receiver.seen()
        assert (seen["path"], seen["id"], seen["verified"], seen["size"]) == ("/a", "msg_1", True, 2)
        assert receiver.seen(1) == []
