"""A whole Loadify for tests: the real `manage.py up` in a temporary directory."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from loadify.embedded import free_port
from loadify.processes import PidFile, end_with_parent, wait_until

ROOT = Path(__file__).resolve().parent.parent
NOT_INHERITED = re.compile(r"(DATABASE_URL|BROKER_URL|SECRET_KEY|DEBUG|PORT|DJANGO_.*|LOADIFY_.*|PYTEST_.*)\Z")


class Site:
    """`start` returns when the site answers; as a context manager it starts and stops."""

    email = "boss@example.com"
    password = "quite-long-enough-42"

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
        self.env |= {"LOADIFY_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
        self.up_env = self.env | {
            "PORT": str(self.port),
            "DJANGO_SUPERUSER_EMAIL": self.email,
            "DJANGO_SUPERUSER_PASSWORD": self.password,
            **settings,
        }
        self.env |= settings
        self.said: list[str] = []
        self.up: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Site":
        self.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()

    def start(self, seconds: float = 180) -> float:
        """Run `manage.py up` until it says it is ready; returns how many seconds that took."""
        began = time.monotonic()
        self.said = []
        earlier = len(self.log("worker"))
        self.up = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=self.up_env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C at pytest must not end it before the tests that use it.
            start_new_session=True,
            # A pytest that was killed must not leave a site behind.
            preexec_fn=lambda: end_with_parent(signal.SIGTERM),
        )
        threading.Thread(target=self._listen, args=(self.up,), daemon=True).start()
        wait_until(lambda: self.says("Loadify runs at") or self.up.poll() is not None, seconds)
        if not self.says("Loadify runs at"):
            self.stop()
            raise AssertionError("The site did not start:\n" + "\n".join(self.said) + "\n" + self.logs())
        took = time.monotonic() - began
        # A site is ready before its worker is; tests want both.
        assert wait_until(lambda: "ready." in self.log("worker")[earlier:], 120), self.logs()
        return took

    def _listen(self, up: "subprocess.Popen[str]") -> None:
        assert up.stdout is not None
        with up.stdout:
            self.said.extend(line.rstrip() for line in iter(up.stdout.readline, ""))

    def says(self, words: str) -> bool:
        return any(words in line for line in list(self.said))

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it and wait; returns its exit code."""
        if self.up is None:
            return 0
        if self.up.poll() is None:
            self.up.send_signal(signum)
        try:
            return self.up.wait(60)
        finally:
            if self.up.poll() is None:
                self.up.kill()
            self.up = None

    def manage(self, *arguments: str, seconds: float = 300) -> "subprocess.CompletedProcess[str]":
        """Run a manage.py command of this clone against the site, as a person in another terminal would."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )

    def pid(self, name: str) -> int:
        """The pid of web, worker, beat, postgres or valkey. Raises LookupError when it does not run."""
        found = PidFile.of(self.data_dir, name).read()
        if found is None:
            raise LookupError(f"{name} does not run.")
        return found[0]

    def worker_pids(self) -> list[int]:
        """The worker and its pool processes, the worker first."""
        worker = psutil.Process(self.pid("worker"))
        return [worker.pid, *(child.pid for child in worker.children(recursive=True))]

    def log(self, name: str) -> str:
        path = self.data_dir / "log" / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def logs(self) -> str:
        return "\n".join(f"== {name}\n{self.log(name)[-3000:]}" for name in ("web", "worker", "beat", "postgres"))

    def session(self) -> requests.Session:
        """An HTTP client in which the administrator is signed in."""
        session = requests.Session()
        session.trust_env = False
        page = session.get(f"{self.url}/accounts/login/", timeout=30)
        page.raise_for_status()
        fields: dict[str, Any] = {"login": self.email, "password": self.password}
        fields["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
        answer = session.post(
            f"{self.url}/accounts/login/",
            data=fields,
            headers={"Referer": f"{self.url}/accounts/login/"},
            allow_redirects=False,
            timeout=30,
        )
        assert answer.status_code == 302, answer.text[:2000]
        session.headers["Referer"] = self.url
        return session
