"""deploy/nginx.conf in a real nginx before two real web processes, which are ended and started again one after the other."""

import io
import os
import random
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.files.storage import default_storage
from tusclient.client import TusClient

from accounts import tokens
from accounts.models import Right, User
from importer.models import Import, StoredFile
from importer.states import State
from loadify.embedded import free_port
from loadify.processes import wait_until
from tests.conftest import missing
from tests.importer.live_web import Web, cookie_of, step
from tests.webhooks.certificates import Authority

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CONF = (Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf").read_text(encoding="utf-8")


class Proxied:
    """nginx as an ordinary user, and the web processes behind it; `client` speaks HTTP/2 if nginx does."""

    def __init__(self, nginx: str, folder: Path) -> None:
        self.folder, self.http, self.https = folder, free_port(), free_port()
        self.url = f"https://localhost:{self.https}"
        self.webs = [Web(LOADIFY_HTTPS="1", LOADIFY_PROXIES="1", CSRF_TRUSTED_ORIGINS=self.url) for _ in range(2)]
        self.authority = Authority(folder)
        self.authority.server("localhost")
        self.trusted = ssl.create_default_context(cafile=str(self.authority.path))
        (folder / "nginx.conf").write_text(self._rendered(), encoding="utf-8")
        for path in (folder, *folder.iterdir()):
            os.chown(path, *self._user)
        self.argv = [nginx, "-c", str(folder / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]

    # Root becomes nobody: the container runs as no root either.
    _user = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())

    def _rendered(self) -> str:
        places = {
            "/tmp/": f"{self.folder}/",
            "/dev/stdout": f"{self.folder}/access.log",
            "/etc/nginx/tls/fullchain.pem": f"{self.folder}/localhost.pem",
            "/etc/nginx/tls/privkey.pem": f"{self.folder}/localhost.pem",
            "listen 8080": f"listen 127.0.0.1:{self.http}",
            "listen 8443": f"listen 127.0.0.1:{self.https}",
            "server web-1:8000": f"server 127.0.0.1:{self.webs[0].port}",
            "server web-2:8000": f"server 127.0.0.1:{self.webs[1].port}",
        }
        text = CONF
        for said, here in places.items():
            assert said in text, said
            text = text.replace(said, here)
        return text

    def __enter__(self) -> "Proxied":
        user: dict[str, Any] = {"user": self._user[0], "group": self._user[1]} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen(self.argv, cwd=self.folder, stderr=subprocess.PIPE, **user)
        starts = [threading.Thread(target=web.start) for web in self.webs]
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
        return self

    def __exit__(self, *problem: object) -> None:
        for web in self.webs:
            web.stop()
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(15)
        finally:
            self.process.kill()
            assert self.process.stderr is not None
            self.process.stderr.close()

    def client(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, http2=True, verify=self.trusted, timeout=30, trust_env=False, **more)


@pytest.fixture(scope="module")
def proxied(django_db_setup: None, django_db_blocker: Any) -> Iterator[Proxied]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if not nginx:
        missing("nginx", "There is no nginx here; on Debian: apt install nginx-light.")
    folder = Path(tempfile.mkdtemp(prefix="loadify-nginx-"))
    try:
        with django_db_blocker.unblock(), Proxied(str(nginx), folder) as proxied:
            yield proxied
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


def test_pages_come_by_http_2_and_tls_and_nothing_is_said_twice(proxied: Proxied, ada: User) -> None:
    led = httpx.get(f"http://127.0.0.1:{proxied.http}/imports/?page=2", trust_env=False)
    assert (led.status_code, led.headers["location"]) == (308, "https://127.0.0.1/imports/?page=2")
    with proxied.client(cookies={"sessionid": cookie_of(ada)}) as client:
        page = client.get("/imports/?q=secret@example.com")
        assert (page.status_code, page.http_version) == (200, "HTTP/2")
        for name in ("strict-transport-security", "x-frame-options", "content-security-policy", "x-content-type-options"):
            assert len(page.headers.get_list(name)) == 1, name
        assert client.get("/files/s3cret-token").status_code in (403, 404)
    # Not by HTTP/2: httpx would not hear the answer before all is sent.
    with httpx.Client(verify=proxied.trusted, timeout=30, trust_env=False) as client:
        assert client.post(f"{proxied.url}/uploads/", content=b"x" * (18 << 20)).status_code == 413
    log = proxied.folder / "access.log"
    assert wait_until(lambda: '"GET /files/***"' in log.read_text(), 5), log.read_text()
    assert '"GET /imports/" 200' in log.read_text()
    assert "secret" not in log.read_text() and "s3cret" not in log.read_text()


def test_upload_in_parts_arrives_whole(proxied: Proxied, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxied.authority.path))
    content = random.Random(1).randbytes(20 << 20)
    _, key = tokens.make(ada, "shop", [Right.IMPORT])
    client = TusClient(f"{proxied.url}/uploads/", headers={"Authorization": f"Bearer {key}"})
    client.uploader(file_stream=io.BytesIO(content), chunk_size=8 << 20, metadata={"filename": "shop.csv"}).upload()
    with default_storage.open(StoredFile.objects.get(owner=ada).path) as file:
        assert file.read() == content


class Visits:
    """Somebody who asks for pages, and sends forms, all the time; what was answered, counted."""

    def __init__(self, proxied: Proxied) -> None:
        self.answers: Counter[tuple[str, int | str]] = Counter()
        self._proxied, self._stop = proxied, threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(method,)) for method in ("GET", "POST")]

    def _visit(self, method: str) -> None:
        with self._proxied.client() as client:
            while not self._stop.wait(0.05):
                try:
                    self.answers[method, client.request(method, "/accounts/login/").status_code] += 1
                except httpx.HTTPError as problem:
                    self.answers[method, type(problem).__name__] += 1

    def __enter__(self) -> "Visits":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_both_are_started_anew_one_after_the_other_and_nobody_sees_a_gap(proxied: Proxied, ada: User) -> None:
    run = Import.objects.create(dataset="products", state=State.STAGING, version=3, attempt=1)
    path, ends, versions = f"/imports/{run.public_id}/events", 0, []
    with proxied.client(cookies={"sessionid": cookie_of(ada)}) as client, Visits(proxied) as visits:
        done = threading.Event()

        def follow() -> None:
            nonlocal ends
            while not done.is_set():
                with client.stream("GET", path) as stream:
                    assert (stream.status_code, stream.http_version) == (200, "HTTP/2")
                    for line in stream.iter_lines():
                        if line.startswith("id: "):
                            versions.append((int(line.rpartition(":")[2]), time.monotonic()))
                        if done.is_set():
                            return
                # In order: httpx raises when a stream is reset.
                ends += 1

        viewer = threading.Thread(target=follow)
        viewer.start()
        assert wait_until(lambda: bool(versions), 10)
        stepped = time.monotonic()
        step(run, lines=1000)
        assert wait_until(lambda: versions[-1][0] == 4, 10)
        # Twice a second is looked for news: nothing waits in a buffer.
        assert versions[-1][1] - stepped < 2
        for web in proxied.webs:
            assert web.process is not None
            began = time.monotonic()
            web.process.send_signal(signal.SIGTERM)
            assert web.process.wait(15) == 0
            assert time.monotonic() - began < 10
            step(run)
            assert wait_until(lambda: versions[-1][0] == run.version, 10)
            web.start()
            # nginx tries one that refused it again after two seconds, and counts whole ones.
            time.sleep(3.1)
        done.set()
        step(run)
        viewer.join(15)
    # Each stream was ended with its process; which one it was with is nginx's choice.
    assert 1 <= ends <= 2
    # 403: the form lacks its token, and the site says so.
    assert visits.answers.keys() == {("GET", 200), ("POST", 403)}, visits.answers
    assert min(visits.answers.values()) > 40


def test_one_that_is_killed_is_not_missed(proxied: Proxied) -> None:
    proxied.webs[0].stop()
    with proxied.client() as client:
        assert Counter(client.get("/accounts/login/").status_code for _ in range(20)) == {200: 20}
        assert Counter(client.post("/accounts/login/").status_code for _ in range(20)) == {403: 20}
