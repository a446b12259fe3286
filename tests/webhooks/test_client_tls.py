import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webhooks.certificates import Authority
from tests.webhooks.conftest import Resolver
from tests.webhooks.plays import drip
from tests.webhooks.receiver import Receiver
from webhooks import connections
from webhooks.client import Client


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trust(authority: Authority) -> ssl.SSLContext:
    """The clients of this module trust the authority, which the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority.path))
        return connections.trusting()


@pytest.fixture(autouse=True)
def names(resolver: Resolver) -> None:
    resolver.names = {name: ["127.0.0.1"] for name in ("hooks.example", "other.example", "third.example")}


@pytest.fixture
def receiver(authority: Authority) -> Iterator[Receiver]:
    """It is hooks.example, and notes by which names it was asked for."""
    asked: list[str] = []
    context = authority.server("hooks.example")
    context.sni_callback = lambda _, name, __: asked.append(name)
    with Receiver(tls=context) as receiver:
        receiver.names = asked  # type: ignore[attr-defined]
        yield receiver


def test_right_name_is_sent_and_verified(client: Client, receiver: Receiver) -> None:
    for _ in range(3):
        given = client.post(f"https://Hooks.Example:{receiver.port}/a", {}, b"{}")
        assert (given.status, given.error) == (200, "")
    assert receiver.names == ["hooks.example"]  # type: ignore[attr-defined]
    assert {request.headers["host"].lower() for request in receiver.requests} == {f"hooks.example:{receiver.port}"}
    assert receiver.opened == 1


def test_wrong_name_is_refused(client: Client, receiver: Receiver) -> None:
    given = client.post(f"https://other.example:{receiver.port}/", {}, b"{}")
    assert given.status is None
    assert given.error.startswith(f"The certificate of other.example:{receiver.port} is not valid: ")
    assert "other.example" in given.error and "hooks.example" in given.error
    assert receiver.requests == []


def test_connection_of_one_name_does_not_serve_another(client: Client, receiver: Receiver) -> None:
    assert client.post(f"https://hooks.example:{receiver.port}/", {}, b"{}").status == 200
    assert client.post(f"https://other.example:{receiver.port}/", {}, b"{}").status is None
    assert len(receiver.requests) == 1


def test_certificate_that_ran_out_is_refused(client: Client, authority: Authority) -> None:
    with Receiver(tls=authority.server("third.example", ended=True)) as receiver:
        given = client.post(f"https://third.example:{receiver.port}/", {}, b"{}")
        assert given.error == f"The certificate of third.example:{receiver.port} is not valid: certificate has expired."
        assert receiver.requests == []


def test_unknown_authority_is_refused(client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    with Receiver(tls=stranger.server("hooks.example")) as receiver:
        given = client.post(f"https://hooks.example:{receiver.port}/", {}, b"{}")
        assert "is not valid: unable to get local issuer certificate" in given.error
        assert receiver.requests == []


def test_receiver_without_tls_is_told_in_a_sentence(client: Client) -> None:
    with Receiver() as receiver:
        given = client.post(f"https://hooks.example:{receiver.port}/", {}, b"{}", 0.3)
        assert given.error == "Given up after 0.3 seconds, before TLS was agreed on."


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "Given up after 0.5 seconds, before an answer came."),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), "Given up after 0.5 seconds, before the answer ended."),
    ],
)
def test_deadline_holds_within_tls(client: Client, receiver: Receiver, play: object, error: str) -> None:
    receiver.plays["/drip"] = play  # type: ignore[assignment]
    given = client.post(f"https://hooks.example:{receiver.port}/drip", {}, b"{}", 0.5)
    assert given.error == error
    assert 0.5 <= given.seconds < 4


def test_kept_connection_that_was_closed_is_replaced_within_tls(client: Client, receiver: Receiver) -> None:
    for _ in range(2):
        assert client.post(f"https://hooks.example:{receiver.port}/", {}, b"{}").status == 200
        receiver.hang_up()
    assert receiver.opened == 2


def test_public_authorities_are_trusted_where_the_system_has_none(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert connections.trusting().cert_store_stats()["x509_ca"] > 50
