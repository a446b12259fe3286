import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from tests.webhooks.conftest import Resolver
from tests.webhooks.plays import answer, delayed, drip, reset, then_close, then_reset
from tests.webhooks.receiver import Receiver
from webhooks import connections
from webhooks.client import BODY, HEADERS, Client

#: Seconds; far more than a busy machine needs, and less than what would not be cut takes.
SOON = 3


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def place(receiver: Receiver) -> str:
    return receiver.url.partition("://")[2]


def test_request_is_sent_as_given(client: Client, receiver: Receiver, settings: Settings) -> None:
    body = '{"name": "Grüße \x00"}'.encode() + b"\xff"
    given = client.post(f"{receiver.url}/hooks/1?b=2&a=%2F", {"webhook-id": "msg_1", "X-Own": "v"}, body)
    assert (given.status, given.error, given.body) == (200, "", "")
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/hooks/1?b=2&a=%2F", body)
    assert request.headers == {
        "host": place(receiver),
        "user-agent": f"Loadify/{settings.LOADIFY_VERSION} (webhooks)",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "webhook-id": "msg_1",
        "x-own": "v",
    }


def test_answer_is_told(client: Client, receiver: Receiver) -> None:
    receiver.plays["/"] = delayed(0.1, answer(429, "später \0".encode() + b"\xff", {"Retry-After": "120", "X-Odd": "a\0b"}))
    given = client.post(receiver.url, {}, b"{}")
    assert (given.status, given.body, given.error) == (429, "später \ufffd\ufffd", "")
    assert given.headers == {"Content-Length": "10", "Retry-After": "120", "X-Odd": "a\ufffdb"}
    assert 0.1 <= given.seconds < SOON


def test_connection_is_kept(client: Client, receiver: Receiver) -> None:
    receiver.plays["/body"] = answer(200, b"x" * BODY)
    for number in range(20):
        assert client.post(f"{receiver.url}/{'body' if number % 2 else number}", {}, b"{}").status == 200
    assert (receiver.opened, len(receiver.requests)) == (1, 20)


def test_redirect_is_an_answer(client: Client, receiver: Receiver) -> None:
    receiver.plays["/"] = answer(307, headers={"Location": "/elsewhere"})
    assert client.post(receiver.url + "/", {}, b"{}").status == 307
    assert [request.path for request in receiver.requests] == ["/"]


def test_proxies_netrc_and_cookies_play_no_part(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    receiver.plays["/"] = answer(headers={"Set-Cookie": "a=b; Path=/"})
    with Receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for _ in range(2):
            assert client.post(receiver.url + "/", {}, b"{}").status == 200
        assert proxy.opened == 0
    assert not {"authorization", "cookie"} & {name for request in receiver.requests for name in request.headers}


def test_longest_address_is_posted_to_though_requests_makes_it_longer(client: Client, receiver: Receiver) -> None:
    path = "/{" + "a" * (2000 - len(receiver.url) - 3) + '"'
    assert client.post(receiver.url + path, {}, b"{}").status == 200
    assert receiver.requests[0].path == path.replace("{", "%7B").replace('"', "%22")


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("play", "status", "awaited"),
    [
        ("hang", None, "an answer came"),
        (drip(b"", b"H"), None, "an answer came"),
        (drip(HEAD, b"X-A: b\r\n"), None, "an answer came"),
        (drip(HEAD + b"X-A: ", b"b"), None, "an answer came"),
        (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), None, "an answer came"),
        (drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), None, "an answer came"),
        (drip(HEAD + b"Content-Length: 9999\r\n\r\n", b"x"), 200, "the answer ended"),
        (drip(HEAD + b"\r\n", b"x"), 200, "the answer ended"),
        (drip(CHUNKED, b"1\r\nx\r\n"), 200, "the answer ended"),
        (drip(CHUNKED + b"5;", b"x"), 200, "the answer ended"),
        (drip(CHUNKED + b"0\r\n", b"X-A: b\r\n"), 200, "the answer ended"),
    ],
)
def test_deadline_is_one_for_all(client: Client, receiver: Receiver, play: Any, status: int | None, awaited: str) -> None:
    if play != "hang":
        receiver.plays["/hang"] = play
    given = client.post(f"{receiver.url}/hang", {}, b"{}", 0.4)
    assert (given.status, given.error) == (status, f"Given up after 0.4 seconds, before {awaited}.")
    assert 0.4 <= given.seconds < SOON
    receiver.plays["/hang"] = answer()
    assert client.post(f"{receiver.url}/hang", {}, b"{}").status == 200


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that does with the one connection it takes what `serve` does."""

    def run() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                serve(connection)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_deadline_covers_a_receiver_that_does_not_accept(client: Client) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        given = client.post(f"http://127.0.0.1:{listening.getsockname()[1]}/", {}, b"{}", 0.4)
        for one in waiting:
            one.close()
    assert given.error == "Given up after 0.4 seconds, before a connection was made."
    assert 0.4 <= given.seconds < SOON


def test_deadline_covers_tls(client: Client) -> None:
    def drip_a_record(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        while True:
            time.sleep(0.05)
            connection.sendall(b"\0")

    with raw_server(drip_a_record) as port:
        given = client.post(f"https://127.0.0.1:{port}/", {}, b"{}", 0.4)
    assert given.error == "Given up after 0.4 seconds, before TLS was agreed on."
    assert 0.4 <= given.seconds < SOON


def test_deadline_covers_a_receiver_that_does_not_read(client: Client) -> None:
    done = threading.Event()
    with raw_server(lambda connection: bool(done.wait()) and None) as port:
        given = client.post(f"http://127.0.0.1:{port}/", {}, b"x" * 20_000_000, 0.4)
        done.set()
    assert given.error == "Given up after 0.4 seconds, before the request was sent."
    assert 0.4 <= given.seconds < SOON


def test_deadline_covers_the_name_server(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: time.sleep(SOON))
    given = client.post("http://slow.example/", {}, b"{}", 0.4)
    assert given.error == "Given up after 0.4 seconds, before the name was found."
    assert 0.4 <= given.seconds < SOON


def test_endless_body_is_cut(client: Client, receiver: Receiver) -> None:
    given = client.post(f"{receiver.url}/flood", {}, b"{}")
    assert (given.status, given.error, given.body) == (200, "", "x" * BODY)
    assert given.seconds < SOON
    assert client.post(f"{receiver.url}/flood", {}, b"{}").status == 200
    assert receiver.opened == 2


@pytest.mark.parametrize("piece", [b"X-A: " + b"b" * 60_000 + b"\r\n", b"X-A: b\r\n" * 1000, b"X" * 65_536])
def test_endless_headers_are_cut(client: Client, receiver: Receiver, piece: bytes) -> None:
    receiver.plays["/"] = drip(HEAD, piece, 0.001)
    given = client.post(receiver.url, {}, b"{}", 5)
    assert given.status is None and given.error
    assert given.seconds < SOON


def test_endless_early_answers_are_cut(client: Client, receiver: Receiver) -> None:
    receiver.plays["/"] = drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, 0.001)
    given = client.post(receiver.url, {}, b"{}", 5)
    assert given.error == "The answer was cut off: it has too many headers, or they are too long."


def test_long_headers_are_kept_in_part(client: Client, receiver: Receiver) -> None:
    receiver.plays["/"] = answer(200, b"ok", {f"X-{number}": "v" * 1000 for number in range(50)})
    given = client.post(receiver.url, {}, b"{}")
    assert (given.status, given.body) == (200, "ok")
    assert HEADERS - 1100 < sum(len(name) + len(value) for name, value in given.headers.items()) <= HEADERS


def test_compressed_body_is_not_unpacked(client: Client, receiver: Receiver) -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    receiver.plays["/"] = answer(200, bomb, {"Content-Encoding": "gzip"})
    given = client.post(receiver.url, {}, b"{}")
    assert (given.status, given.error) == (200, "")
    assert len(given.body) <= len(bomb)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "{place} closed the connection before an answer came."),
        (b"\x00\xff\x1b[31m not HTTP\r\n\r\n", "What {place} answers is not HTTP: "),
        (b"220 smtp.example ESMTP\r\n", "What {place} answers is not HTTP: "),
        (b"HTTP/1.1 abc OK\r\n\r\n", "What {place} answers is not HTTP: "),
        (b"HTTP/1.1 99999 OK\r\n\r\n", "What {place} answers is not HTTP: "),
        (HEAD + b"Content-Length: 5, 6\r\n\r\nabc", "What {place} answers is not HTTP: "),
        (HEAD + b"Content-Length: 10\r\n\r\nabc", "{place} closed the connection before the answer ended."),
        (CHUNKED + b"zz\r\nabc", "{place} closed the connection before the answer ended."),
        (CHUNKED + b"ffffffff\r\nabc", "{place} closed the connection before the answer ended."),
        (CHUNKED + b"-5\r\nabc", "{place} closed the connection before the answer ended."),
    ],
)
def test_broken_answer_is_told_in_a_sentence(client: Client, receiver: Receiver, sent: bytes, words: str) -> None:
    receiver.plays["/"] = then_close(sent)
    given = client.post(receiver.url, {}, b"{}", 2)
    assert given.error.startswith(words.format(place=place(receiver)))
    assert given.error.isprintable() and len(given.error) <= 300
    assert len(receiver.requests) == 1


def test_receiver_writes_nothing_into_our_logs(
    client: Client, receiver: Receiver, resolver: Resolver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.plays["/secret"] = then_close(HEAD + b"no header at all\r\nforged line\r\n\r\n")
    resolver.names["forbidden.example"] = ["169.254.169.254"]
    assert client.post(f"{receiver.url}/secret", {}, b"{}").status == 200
    assert client.post("http://forbidden.example/secret", {}, b"{}").status is None
    assert caplog.records == []


def test_reset_is_told_in_a_sentence(client: Client, receiver: Receiver) -> None:
    receiver.plays["/"] = reset
    assert client.post(receiver.url, {}, b"{}").error == f"{place(receiver)} closed the connection before an answer came."


def test_port_where_nobody_listens_is_told_in_a_sentence(client: Client) -> None:
    with Receiver() as gone:
        pass
    assert client.post(gone.url, {}, b"{}").error == f"{place(gone)} could not be reached: Connection refused."


def test_name_that_is_not_there_is_told_in_a_sentence(client: Client, resolver: Resolver) -> None:
    assert client.post("https://gone.example/", {}, b"{}").error == "The name gone.example could not be found."


HEADERS_OF_ALL_KINDS = st.binary(max_size=60) | st.sampled_from(
    [
        b"Content-Length: 3",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Connection: keep-alive",
        b"Set-Cookie: \xff=\x01",
    ]
)


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([b"", b"HTTP/1.1 200 OK", b"HTTP/1.0 500", b"HTTP/1.1 204 No", b"HTTP/1.1 101 Switch"])
    | st.binary(max_size=40),
    st.lists(HEADERS_OF_ALL_KINDS, max_size=4),
    st.binary(max_size=60),
)
def test_nothing_a_receiver_sends_raises(client: Client, first: bytes, headers: list[bytes], body: bytes) -> None:
    sent = b"\r\n".join([first, *headers, b"", body])
    with Receiver(play=lambda request: then_close(sent)) as receiver:
        given = client.post(receiver.url, {}, b"{}", 1)
    assert given.status or given.error
    assert "\0" not in given.body + given.error + "".join(given.headers.values())


def test_answer_before_the_body_is_read_counts(client: Client, receiver: Receiver) -> None:
    receiver.early["/"] = answer(413, b"too large", {"Connection": "close"})
    given = client.post(receiver.url + "/", {}, b"x" * 20_000)
    assert (given.status, given.body) == (413, "too large")


def test_early_hints_are_not_the_answer(client: Client, receiver: Receiver) -> None:
    early = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    receiver.plays["/"] = early + answer(202, b"taken")
    for _ in range(2):
        given = client.post(receiver.url + "/", {}, b"{}")
        assert (given.status, given.body) == (202, "taken")
    assert receiver.opened == 1


def test_second_answer_that_nobody_asked_for_is_not_taken(client: Client, receiver: Receiver) -> None:
    receiver.plays["/evil"] = answer(200) + answer(200, b"for the next one")
    client.post(f"{receiver.url}/evil", {}, b"{}")
    time.sleep(0.05)
    assert client.post(f"{receiver.url}/500", {}, b"{}").status == 500


def test_kept_connection_that_was_closed_is_replaced(client: Client, receiver: Receiver) -> None:
    client.post(receiver.url, {}, b"1")
    receiver.hang_up()
    time.sleep(0.05)
    assert client.post(receiver.url, {}, b"2").error == ""
    assert [(request.body, request.connection) for request in receiver.requests] == [(b"1", 1), (b"2", 2)]


def test_request_that_met_a_closing_connection_is_sent_again(client: Client) -> None:
    with Receiver(play=lambda request: then_close(b"") if request.nth == 2 else answer()) as receiver:
        client.post(receiver.url, {}, b"1")
        given = client.post(receiver.url, {}, b"2")
        assert (given.status, given.error) == (200, "")
        assert [(request.body, request.connection) for request in receiver.requests] == [(b"1", 1), (b"2", 1), (b"2", 2)]


def test_request_that_met_a_reset_connection_is_sent_again(client: Client) -> None:
    with Receiver(play=lambda request: reset if request.nth == 2 else answer()) as receiver:
        client.post(receiver.url, {}, b"1")
        assert client.post(receiver.url, {}, b"2").error == ""
        assert [request.connection for request in receiver.requests] == [1, 1, 2]


def test_request_is_not_sent_again_once_an_answer_began(client: Client) -> None:
    with Receiver(play=lambda request: then_reset(b"HTTP/1.1 20") if request.nth == 2 else answer()) as receiver:
        client.post(receiver.url, {}, b"1")
        assert client.post(receiver.url, {}, b"2").error
        assert len(receiver.requests) == 2


def test_request_is_not_sent_again_over_a_new_connection(client: Client) -> None:
    with Receiver(play=lambda request: then_close(b"")) as receiver:
        assert client.post(receiver.url, {}, b"1").error
        assert len(receiver.requests) == 1


def test_threads_get_the_answers_to_their_own_requests(client: Client) -> None:
    with Receiver(play=lambda request: answer(200, request.body)) as receiver, ThreadPoolExecutor(32) as threads:
        bodies = [f"body {number}" for number in range(600)]
        given = list(threads.map(lambda body: client.post(f"{receiver.url}/{body[5:]}", {}, body.encode()), bodies))
        assert [one.body for one in given] == bodies
        assert receiver.opened <= 32


def test_name_is_looked_up_once_while_its_pin_lasts(client: Client, receiver: Receiver, resolver: Resolver) -> None:
    resolver.names["hooks.example"] = ["127.0.0.1"]
    url = f"http://hooks.example:{receiver.port}/"
    for _ in range(5):
        assert client.post(url, {}, b"{}").status == 200
    assert resolver.asked["hooks.example"] == 1
    assert {request.headers["host"] for request in receiver.requests} == {f"hooks.example:{receiver.port}"}


def test_receiver_that_moves_is_followed(
    client: Client, receiver: Receiver, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PINNED_FOR", -1)
    resolver.names["hooks.example"] = [["127.0.0.2"], ["127.0.0.1"]]
    url = f"http://hooks.example:{receiver.port}/"
    assert "could not be reached" in client.post(url, {}, b"{}").error
    assert client.post(url, {}, b"{}").status == 200


def test_next_address_of_a_name_is_tried_where_private_ones_are_permitted(
    receiver: Receiver, resolver: Resolver, settings: Settings
) -> None:
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE = True
    resolver.names["localhost"] = ["::1", "127.0.0.1"]
    client = Client()
    assert client.post(f"http://localhost:{receiver.port}/", {}, b"{}").status == 200
    client.close()
