"""Starts every process of a Loadify on one machine, starts those again that end, and stops all in order."""

import fcntl
import http.client
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from django.conf import settings

from importer.broker.choice import can_queue
from loadify import embedded, servers
from loadify.processes import Process, Program, wait_until
from loadify.servers import CannotStart

# How long a program that ends again and again waits between two starts, and after which time all is forgiven.
LONGEST_PAUSE, FORGIVEN_AFTER = 30.0, 60.0


class Stop(BaseException):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


class Supervisor:
    """`start_*` bring processes up, `watch` keeps them up, `stop` ends them, last started first."""

    def __init__(self, data_dir: Path, say: Callable[[str], object]) -> None:
        self.data_dir, self.say = data_dir, say
        self.running: dict[str, Process] = {}
        self._starts: dict[str, Callable[[], Process]] = {}
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def start(self, name: str, how: Callable[[], Process]) -> Process:
        self._starts[name] = how
        self.running[name] = how()
        return self.running[name]

    def start_servers(self) -> None:
        """Start PostgreSQL and Valkey, but for those the environment names an address of. Raises CannotStart."""
        if url := embedded.planned("DATABASE_URL"):
            self.start("postgres", lambda: servers.postgres(self.data_dir, url))
            embedded.remember("database-url", url)
        if url_of_broker := embedded.planned("BROKER_URL"):
            self.start("valkey", lambda: servers.valkey(self.data_dir, url_of_broker))
            embedded.remember("broker-url", url_of_broker)

    def start_programs(self, port: int) -> None:
        """Start web, worker, webhooks, consumer and beat."""
        for program in programs(port):
            self.start(program.name, lambda program=program: Process(program, self.data_dir))  # type: ignore[misc]

    def wait_for_site(self, port: int) -> None:
        """Return when the site answers. Raises CannotStart when web ends before, answers badly, or after a minute."""
        web = self.running["web"]
        wait_until(lambda: web.ended() or status_of_site(port) > 0, 60)
        if not 0 < status_of_site(port) < 500:
            raise CannotStart(f"The web process did not start. The end of {web.log}:\n{web.last_lines()}")

    def watch(self) -> None:
        """Start again what ends, until Stop is raised."""
        while True:
            time.sleep(0.2)
            now = time.monotonic()
            for name, process in list(self.running.items()):
                if process.ended():
                    lived = now - process.started_at
                    pause = 1.0 if lived > FORGIVEN_AFTER else min(self._pauses.get(name, 0.5) * 2, LONGEST_PAUSE)
                    self._pauses[name] = pause
                    self._due[name] = now + pause
                    del self.running[name]
                    self.say(f"{name} {process.how_it_ended()}; starting it again in {pause:.0f} s. See {process.log}")
            for name in [name for name, due in self._due.items() if due <= now]:
                del self._due[name]
                self._start_again(name)

    def _start_again(self, name: str) -> None:
        try:
            self.start(name, self._starts[name])
        except (CannotStart, OSError) as problem:
            pause = self._pauses[name] = min(self._pauses[name] * 2, LONGEST_PAUSE)
            self._due[name] = time.monotonic() + pause
            self.say(f"{problem}\nTrying {name} again in {pause:.0f} s.")
        else:
            self.say(f"{name} runs again.")

    def stop(self) -> None:
        """End web, beat, webhooks, consumer, worker, Valkey and PostgreSQL one after the other, each waited for."""
        hurry = []
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: hurry.append(True))
        for name in ("web", "beat", "webhooks", "consumer", "worker", "valkey", "postgres"):
            if name in self.running:
                process = self.running.pop(name)
                patient = not hurry or name in ("valkey", "postgres")
                if not process.stop(None if patient else 1):
                    self.say(f"{name} did not end in time and was killed. See {process.log}")


def programs(port: int) -> list[Program]:
    """The processes of Procfile, as this machine runs them."""
    base = Path(settings.BASE_DIR)
    celery = [sys.executable, "-m", "celery", "-A", "loadify"]
    # A worker without its supervisor has no database either: it ends at once, and the rows know how to go on.
    # Web first: its start is what a person waits for.
    web = [sys.executable, "-m", "loadify.web", "-b", "127.0.0.1", "-p", str(port), "loadify.asgi:application"]
    worker = [*celery, "worker", "--loglevel", "INFO", "--without-mingle", "--without-gossip"]
    # What must be on time: the two coordinators of deliveries, which have threads of their own, and the storing of held rows.
    webhooks = [*worker, "--queues", "webhooks,retries,punctual", "--pool", "threads", "--concurrency", "3"]
    webhooks += ["--hostname", "webhooks@%h"]
    beat = [*celery, "beat", "--loglevel", "INFO", "--pidfile="]
    consumer = [sys.executable, "manage.py", "consume_rows", "--all"]
    storing = [Program("consumer", consumer, cwd=base, grace=15, orphan_signal=signal.SIGKILL)] if can_queue() else []
    return [
        Program("web", web, cwd=base, grace=10),
        Program("worker", worker, cwd=base, grace=15, orphan_signal=signal.SIGKILL),
        Program("webhooks", webhooks, cwd=base, grace=15, orphan_signal=signal.SIGKILL),
        *storing,
        Program("beat", beat, cwd=base),
    ]


def status_of_site(port: int) -> int:
    """The HTTP status of an answer that needs no database; 0 when nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def lock(data_dir: Path) -> int:
    """Hold the data directory until this process ends. Raises CannotStart when another bin/up holds it."""
    handle = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(f"Loadify runs already with {data_dir}. Stop it first, or set LOADIFY_DATA_DIR.") from None
    return handle


def stop_on_signals() -> None:
    """Have Ctrl-C, SIGTERM and a closed terminal raise Stop in the main thread."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stop

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)
