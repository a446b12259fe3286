"""A web process that gets SIGTERM answers what it was asked, ends its streams so that browsers go elsewhere, and ends."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from accounts.models import User
from importer.models import Import
from importer.states import State
from loadify.embedded import free_port
from loadify.processes import wait_until
from tests.importer.live_web import Viewer, Web, cookie_of

ROOT = Path(__file__).resolve().parents[2]


def listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    port = free_port()
    command = [sys.executable, "-m", "loadify.web", "-b", "127.0.0.1", "-p", str(port), "tests.deploy.slow_site:application"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, text=True) as web:
        try:
            assert wait_until(lambda: listens(port), 30), (tmp_path / "log").read_text()
            yield port, web
        finally:
            web.kill()


def test_what_was_asked_is_answered_and_nothing_new_is_taken(slow: tuple[int, "subprocess.Popen[str]"]) -> None:
    port, web = slow
    with (
        ThreadPoolExecutor(1) as threads,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as idle,
        socket.create_connection(("127.0.0.1", port), timeout=20) as half,
        socket.create_connection(("127.0.0.1", port), timeout=20) as late,
    ):
        idle.request("GET", "/kept")
        assert idle.getresponse().read() == b"/kept"
        answer = threads.submit(requests.get, f"http://127.0.0.1:{port}/slow", timeout=20)
        half.sendall(b"PUT /half HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
        time.sleep(0.5)
        began = time.monotonic()
        web.send_signal(signal.SIGTERM)
        assert wait_until(lambda: not listens(port), 1)
        # It was connected before, and asks only now.
        late.sendall(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"\r\n/late\r\n" in _all(late)
        half.sendall(b"done")
        assert b"connection: close" in (whole := _all(half).lower()) and b"\r\n/halfhalfdone\r\n" in whole
        assert idle.sock.recv(1) == b""
        assert (answer.result().text, answer.result().headers["Connection"]) == ("/slow", "close")
        assert web.wait(20) == 0
        assert 1 < time.monotonic() - began < 5


def test_who_was_let_in_is_answered_however_many_come(slow: tuple[int, "subprocess.Popen[str]"]) -> None:
    port, web = slow
    ends: list[str] = []

    def visit() -> None:
        while True:
            try:
                line = socket.create_connection(("127.0.0.1", port), timeout=20)
            except ConnectionRefusedError:
                return
            with line:
                try:
                    line.sendall(b"POST /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    ends.append("answered" if b"/form" in _all(line) else "closed")
                except OSError as problem:
                    ends.append(type(problem).__name__)

    with ThreadPoolExecutor(16) as threads:
        for _ in range(16):
            threads.submit(visit)
        time.sleep(1)
        web.send_signal(signal.SIGTERM)
    assert web.wait(20) == 0
    assert set(ends) == {"answered"}, Counter(ends)
    assert len(ends) > 100


def test_what_has_no_end_is_cut_and_keeps_nobody(slow: tuple[int, "subprocess.Popen[str]"]) -> None:
    port, web = slow
    with requests.get(f"http://127.0.0.1:{port}/endless", stream=True, timeout=20) as endless:
        began = time.monotonic()
        web.send_signal(signal.SIGTERM)
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
            endless.content  # noqa: B018  reads it to the end
    # A thread of the answer would work on for a minute.
    assert web.wait(20) == 0
    assert 4 < time.monotonic() - began < 9


@pytest.mark.django_db(transaction=True)
def test_a_stream_is_ended_in_order_and_begun_again_elsewhere() -> None:
    cookie = cookie_of(User.objects.create_user("ada@example.com", name="Ada", role="editor"))
    run = Import.objects.create(dataset="products", state=State.STAGING, version=3, attempt=1)
    path = f"/imports/{run.public_id}/events"
    with Web() as web:
        asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={cookie}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", web.port), timeout=20) as line:
            line.sendall(asked)
            seen = b""
            while b"event: snapshot" not in seen:
                seen += line.recv(1 << 16)
            assert b"retry: 1000\n" in seen
            assert web.process is not None
            began = time.monotonic()
            web.process.send_signal(signal.SIGTERM)
            seen += _all(line)
        # The end of a chunked answer: a line that was cut would end otherwise.
        assert seen.endswith(b"\r\n0\r\n\r\n")
        assert web.process.wait(20) == 0
        assert time.monotonic() - began < 3
        web.start()
        with Viewer(web.port, path, cookie) as again:
            assert again.snapshot()["version"] == 3


def _all(line: socket.socket) -> bytes:
    parts = []
    while part := line.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)
