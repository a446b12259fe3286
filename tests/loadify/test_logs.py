"""Logs as JSON with ids, and what Sentry is told: by a real web process, and a real receiver."""

import gzip
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from importer import exports
from importer.heart import Heart
from importer.lanes import side_by_side
from importer.models import Export
from importer.working_on import ids, working_on
from loadify import logs
from loadify.embedded import free_port
from loadify.processes import wait_until
from tests.loadify.test_web import listens

ROOT = Path(__file__).resolve().parent.parent.parent
PERSON = "ann@example.com"


class Sentry(BaseHTTPRequestHandler):
    """Takes what is posted, as Sentry does."""

    came: list[tuple[str, str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.came.append((self.path, text.decode()))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: Any) -> None:
        pass


class Site:
    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """The lines of the log that have these values; waits for the first."""
        found: list[dict[str, Any]] = []

        def some() -> bool:
            written = [line for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
            found[:] = [line for line in map(json.loads, written) if wanted.items() <= line.items()]
            return bool(found)

        assert wait_until(some, 30), self.log.read_text()
        return found

    def event(self, request_id: str, number: int = 0) -> dict[str, Any]:
        """What Sentry was told of a request."""

        def told() -> list[dict[str, Any]]:
            events = [json.loads(line) for _, text in Sentry.came for line in text.splitlines() if '"event_id"' in line]
            return [event for event in events if event.get("tags", {}).get("request_id") == request_id]

        assert wait_until(lambda: len(told()) > number, 30), self.log.read_text()
        return told()[number]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    Sentry.came.clear()
    log, port = tmp_path_factory.mktemp("logs") / "log", free_port()
    command = [
        sys.executable,
        "-m",
        "loadify.web",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
        "tests.loadify.failing_site:application",
    ]
    with ThreadingHTTPServer(("127.0.0.1", 0), Sentry) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        environment = os.environ | {
            "PYTHONUNBUFFERED": "1",
            "LOADIFY_LOG_FORMAT": "json",
            "SENTRY_DSN": f"http://key@127.0.0.1:{receiver.server_address[1]}/7",
        }
        with (
            log.open("w") as output,
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process,
        ):
            try:
                assert wait_until(lambda: listens(port), 60), log.read_text()
                yield Site(f"http://127.0.0.1:{port}", log)
            finally:
                process.kill()
                receiver.shutdown()


def test_line_and_answer_of_a_request_bear_its_id(site: Site) -> None:
    answer = requests.get(f"{site.url}/fine?q={PERSON}", headers={"X-Request-ID": "of-the-proxy-1"}, timeout=60)
    assert answer.headers["X-Request-ID"] == "of-the-proxy-1"
    [line] = site.lines(request_id="of-the-proxy-1", logger="loadify.web")
    parts = [line[name] for name in ("method", "path", "status", "size", "process", "level")]
    assert parts == ["GET", "/fine", 200, 4, "web", "info"]
    assert line["seconds"] > 0 and re.match(r"20\d\d-\d\d-\d\dT.*Z$", line["timestamp"])
    # What the thread of the request writes bears it, too.
    [said] = site.lines(request_id="of-the-proxy-1", logger="tests.pages")
    assert said["event"] == "A page was looked at."


@pytest.mark.parametrize("given", ["", "a b", 'x"}', "x" * 129, "ünknown"])
def test_request_without_a_good_id_gets_one_of_its_own(site: Site, given: str) -> None:
    headers = {"X-Request-ID": given.encode()} if given else {}
    first, second = (requests.get(f"{site.url}/fine", headers=headers, timeout=60) for _ in range(2))
    made = {first.headers["X-Request-ID"], second.headers["X-Request-ID"]}
    assert len(made) == 2 and all(re.fullmatch("[0-9a-f]{32}", one) for one in made)


def test_error_is_one_line_with_its_trace_and_goes_to_sentry_without_data(site: Site) -> None:
    answer = requests.post(
        f"{site.url}/fails?q={PERSON}",
        data={"cell": PERSON},
        headers={"X-Request-ID": "err-1", "Cookie": "sessionid=s3cret", "User-Agent": PERSON},
        timeout=60,
    )
    assert answer.status_code == 500
    [line] = site.lines(request_id="err-1", level="error")
    assert line["exception"].splitlines()[0] == "Traceback (most recent call last):"
    event = site.event("err-1")
    [exception] = event["exception"]["values"]
    assert (exception["type"], event["tags"]["process"]) == ("ValueError", "web")
    assert exception["stacktrace"]["frames"][-1]["function"] == "fails"
    assert event["request"] == {"method": "POST", "url": f"{site.url}/fails"}
    assert PERSON not in json.dumps(event) and "s3cret" not in json.dumps(event)


def test_token_of_a_link_is_in_no_address(site: Site) -> None:
    requests.get(f"{site.url}/files/s3cret", headers={"X-Request-ID": "err-2"}, timeout=60)
    assert site.event("err-2")["request"]["url"] == f"{site.url}/files/…"
    assert site.lines(request_id="err-2", logger="loadify.web")[0]["path"] == "/files/…"
    assert "s3cret" not in json.dumps(site.event("err-2"))


def test_sentence_of_a_log_goes_to_sentry_as_it_is_in_the_source(site: Site) -> None:
    requests.get(f"{site.url}/tells?q={PERSON}", headers={"X-Request-ID": "err-3"}, timeout=60)
    told = [site.event("err-3", number)["logentry"]["message"] for number in (0, 1)]
    assert told[0] == "%s cannot be reached." and told[1].startswith("left out here")


def test_nothing_but_errors_is_sent_and_none_of_it_is_about_a_person(site: Site) -> None:
    requests.get(f"{site.url}/fine?q={PERSON}", timeout=60)
    requests.get(f"{site.url}/fails?q={PERSON}", headers={"X-Request-ID": "err-4"}, timeout=60)
    site.event("err-4")
    assert {path for path, _ in Sentry.came} == {"/api/7/envelope/"}
    assert not [text for _, text in Sentry.came if PERSON in text or '"type":"event"' not in text]
    addresses = [line["path"] for line in site.lines(logger="loadify.web")]
    assert not [path for path in addresses if PERSON in path]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What this process logs from here on, as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    options = logs.formatters()["json"]
    handler.setFormatter(options.pop("()")(**options))
    logging.root.addHandler(handler)
    yield stream
    logging.root.removeHandler(handler)


def test_lines_of_an_import_bear_its_id(load: Any, written: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run = load("sku,name,description\nA-1,Oak,\n")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    said = [line for line in lines if line["logger"] == "importer.runner"]
    assert [line["event"].partition(": ")[2] for line in said] == ["attempt 1, staging", "done, 1 lines"]
    assert {line.get("import_id") for line in said} == {str(run.public_id)}
    assert ids() == {}


def test_lines_of_an_export_bear_its_id(load: Any, written: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    export = Export.objects.create(dataset="products")
    exports.run(export.pk)
    [line] = [json.loads(line) for line in written.getvalue().splitlines()]
    assert (line["event"], line["export_id"]) == (f"Export {export.public_id}: done, 0 rows", str(export.public_id))


def test_threads_of_an_import_know_what_they_are_about(transactional_db: None) -> None:
    seen: list[Any] = []

    class Listening(Heart):
        PERIOD = 0.01

        def _once(self) -> None:
            seen.append(dict(ids()))

    with working_on(import_id="x"), Listening(1, 1) as heart:
        side_by_side([lambda: seen.append(dict(ids()))] * 2, heart)
        assert wait_until(lambda: len(seen) > 3, 10)
    assert all(known == {"import_id": "x"} for known in seen)


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/srv/loadify/web.py", "-b", "0.0.0.0", "loadify.asgi:application"], "web"),
        (["/v/celery/__main__.py", "-A", "loadify", "worker", "--loglevel", "INFO"], "worker"),
        (["/v/celery/__main__.py", "-A", "loadify", "worker", "--hostname", "webhooks@%h"], "webhooks"),
        (["/v/celery/__main__.py", "-A", "loadify", "beat"], "beat"),
        (["manage.py", "consume_rows", "--all"], "consume_rows"),
        (["/v/bin/pytest"], "pytest"),
    ],
)
def test_process_is_named_by_what_it_does(argv: list[str], name: str) -> None:
    assert logs.process_name(argv) == name
