"""The web server waits for slow clients, cuts the line of an answer that breaks off, and writes down no queries."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from loadify.embedded import free_port
from loadify.processes import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


class Web:
    def __init__(self, port: int, process: "subprocess.Popen[str]", log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.process = process
        self.log = log

    def written(self) -> int:
        return int(requests.get(f"{self.url}/written", timeout=60).text)


def listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    port = free_port()
    log = tmp_path_factory.mktemp("web") / "log"
    command = [sys.executable, "-m", "loadify.web", "-b", "127.0.0.1", "-p", str(port), "tests.loadify.odd_site:application"]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=output, stderr=output, text=True
        ) as process,
    ):
        try:
            assert wait_until(lambda: listens(port), 30), log.read_text()
            yield Web(port, process, log)
        finally:
            process.kill()


def test_answer_in_parts_arrives_whole_again_and_again_on_one_line(web: Web) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(f"{web.url}/parts", timeout=60).text == "partpartpart"


def test_answer_that_breaks_off_is_not_taken_for_a_whole_one(web: Web) -> None:
    for _ in range(3):
        # Cut before or after the client saw the first bytes.
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
            requests.get(f"{web.url}/breaks", timeout=60)
    assert "The answer to /breaks broke off." in web.log.read_text()
    lines = psutil.Process(web.process.pid).net_connections("tcp")
    assert [line for line in lines if line.status == psutil.CONN_ESTABLISHED] == []


def test_answer_that_fails_before_it_began_is_a_500(web: Web) -> None:
    assert requests.get(f"{web.url}/refuses", timeout=60).status_code == 500


def test_form_that_cannot_be_read_is_left_to_the_application(web: Web) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert requests.post(f"{web.url}/parts", data=b"--x--\r\n", headers=form, timeout=60).text == "partpartpart"


def test_client_that_does_not_read_stops_the_answer_and_one_that_goes_ends_it(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as line:
        line.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wait_until(lambda: web.written() and not grows(web), 30)
        written = web.written()
        time.sleep(1)
        # The kernel takes some megabytes; after that nothing is made any more.
        assert 1 <= web.written() == written < 40
        for _ in range(40):
            line.recv(1_000_000)
        assert wait_until(lambda: web.written() > written, 30)
    # Until the application sees that the client is gone it may write on, into nothing.
    assert wait_until(lambda: not grows(web), 30)


def test_what_people_search_for_is_not_written_down(web: Web) -> None:
    requests.get(f"{web.url}/parts?q=ann@example.com", timeout=60)
    requests.get(f"{web.url}/refuses", timeout=60)
    assert wait_until(lambda: '"GET /refuses" 500' in web.log.read_text(), 30)
    assert '"GET /parts" 200' in web.log.read_text()
    assert "ann@" not in web.log.read_text()


def test_tokens_of_links_are_not_written_down(web: Web) -> None:
    requests.get(f"{web.url}/files/WyJpbXBvcnQi:1abc:s3cret", timeout=60)
    requests.get(f"{web.url}/accounts/password/reset/key/7-s3cret/?x=1", timeout=60)
    assert wait_until(lambda: '"GET /accounts/password/reset/key/…/" ' in web.log.read_text(), 30), web.log.read_text()
    assert '"GET /files/…" ' in web.log.read_text()
    assert "s3cret" not in web.log.read_text()


def grows(web: Web) -> bool:
    before = web.written()
    time.sleep(0.3)
    return web.written() > before
