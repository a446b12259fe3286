"""A real web process on the database of the tests, and viewers who watch imports through it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

import psutil
import requests
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import User
from importer.models import Import

ROOT = Path(__file__).resolve().parent.parent.parent


def cookie_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def step(run: Import, **fields: Any) -> None:
    """What the engine does at the end of a step: new figures and the next version, committed together."""
    run.version += 1
    Import.objects.filter(pk=run.pk).update(version=run.version, **fields)


class Web:
    """The web server as a process of its own."""

    def __init__(self, **more: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        there = connection.settings_dict
        login = urllib.parse.quote(str(there["USER"]))
        if there["PASSWORD"]:
            login += ":" + urllib.parse.quote(str(there["PASSWORD"]))
        database = f"postgres://{login}@{there['HOST']}:{there['PORT']}/{there['NAME']}"
        self.env = os.environ | {"DATABASE_URL": database, "SECRET_KEY": settings.SECRET_KEY} | more
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Web":
        self.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()

    def start(self) -> None:
        command = [sys.executable, "-m", "loadify.web", "-b", "127.0.0.1", "-p", str(self.port), "loadify.asgi:application"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        # As a proxy would say it: with LOADIFY_HTTPS all else is led to https.
        proxied = {"X-Forwarded-Proto": "https"}
        while time.monotonic() < until:
            try:
                if requests.get(f"{self.url}/healthz", headers=proxied, timeout=30).status_code == 200:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        self.stop()
        raise AssertionError("Daphne did not start.")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def threads(self) -> int:
        assert self.process is not None
        return psutil.Process(self.process.pid).num_threads()

    def watch(self, run: Import, cookie: str, **more: Any) -> "Viewer":
        return Viewer(self.port, f"/imports/{run.public_id}/events", cookie, **more)


class Viewer:
    """A browser's EventSource, on a bare socket; HTTP/1.0, so that the body comes without chunks."""

    def __init__(
        self, port: int, path: str, cookie: str = "", method: str = "GET", headers: dict[str, str] | None = None
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        lines = [f"{method} {path} HTTP/1.0", "Host: 127.0.0.1", f"Cookie: sessionid={cookie}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.text = ""
        #: All that ever came, what was taken out of `text` included.
        self.seen = ""

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *problem: object) -> None:
        self.socket.close()

    def status(self) -> int:
        self._read_until("\r\n\r\n", 60)
        return int(self.text.split(" ", 2)[1])

    def snapshot(self, seconds: float = 60) -> dict[str, Any]:
        """The next snapshot; raises TimeoutError when none comes in time, EOFError when the stream ends."""
        until = time.monotonic() + seconds
        while True:
            found = re.search(r"event: snapshot\n(?:id: ([^\n]*)\n)?data: ([^\n]*)\n\n", self.text)
            if found:
                self.text = self.text[found.end() :]
                return {**json.loads(found[2]), "id": found[1]}
            self._more(until - time.monotonic())

    def snapshot_of(self, version: int, seconds: float = 60) -> dict[str, Any]:
        """Snapshots may come twice: the first of this version or a later one."""
        until = time.monotonic() + seconds
        while (news := self.snapshot(until - time.monotonic()))["version"] < version:
            pass
        return news

    def silent(self, seconds: float) -> bool:
        try:
            self.snapshot(seconds)
        except TimeoutError:
            return True
        return False

    def _read_until(self, mark: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while mark not in self.text:
            self._more(until - time.monotonic())

    def _more(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        self.socket.settimeout(seconds)
        data = self.socket.recv(1 << 20)
        if not data:
            raise EOFError(self.text)
        self.text += data.decode()
        self.seen += data.decode()
