"""`python -m bench.sse`: how soon those who watch an import see its news, and what a viewer costs the web process.

Ten imports each commit a new version twice a second, spread over the half second, as engines at work do. A viewer watches one
of them through a real web process. A piece of news arrives with the first snapshot of its version or a later one.
"""

import argparse
import bisect
import dataclasses
import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import django

from bench import page
from bench.memory import pss
from bench.place import Place, place
from bench.search import percentile
from loadify.embedded import free_port
from loadify.processes import Process, wait_until
from loadify.servers import CannotStart

IMPORTS, PERIOD = 10, 0.5  # seconds
#: Viewers and web processes of the two cases, and what is asked of them: p95 in seconds, connections and threads of a process.
CASES = ((2_000, 1), (10_000, 8))
GOALS = {1: {"p95_s": 1.0, "connections": 10, "threads": 20}}
_ROOT = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


def measure(here: Place, viewers: int, processes: int, seconds: float) -> dict[str, Any]:
    """So many viewers, spread evenly over the web processes and the imports."""
    with ExitStack() as leave:
        webs = [leave.enter_context(_web(here, number, viewers)) for number in range(processes)]
        imports = Imports(here)
        empty = [_usage(web.pid)["mib"] for _, web in webs]
        places = [(webs[n // IMPORTS % processes][0], imports.addresses[n % IMPORTS]) for n in range(viewers)]
        arrivals = here.folder / "arrivals"
        began = time.monotonic()
        crowd = leave.enter_context(_crowd({"places": places, "cookie": imports.cookie, "arrivals": str(arrivals)}))
        joined = time.monotonic() - began
        before = [_usage(web.pid) for _, web in webs]
        imports.run(seconds, webs)
        have = int(_told(crowd, {"versions": imports.versions, "seconds": 60}))
        after = [_usage(web.pid) for _, web in webs]
        arrived = array("d", arrivals.read_bytes())
        late, last = lateness(arrived, imports.commits)
    found = {
        "viewers": viewers,
        "processes": processes,
        "seconds": seconds,
        "joined_s": joined,
        "p50_s": percentile(late, 50),
        "p95_s": percentile(late, 95),
        "max_s": max(late),
        "final_p95_s": percentile(last, 95),
        "final_received": have,
        "connections": imports.connections,
        "threads": max(imports.threads),
        "kib_per_viewer": sum(usage["mib"] for usage in after) - sum(empty),
        # Each viewer had one snapshot before.
        "cpu_ms_per_snapshot": sum(b["cpu"] - a["cpu"] for a, b in zip(before, after, strict=True)),
    }
    found["kib_per_viewer"] *= 1024 / viewers
    found["cpu_ms_per_snapshot"] *= 1000 / (len(arrived) / 3 - viewers)
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}


class Imports:
    """Ten imports at work, as their rows show it; `run` writes their news."""

    def __init__(self, here: Place) -> None:
        from django.test import Client
        from django.utils import timezone

        from accounts.models import User
        from importer.models import Import, StoredFile
        from importer.states import State

        self.here = here
        watcher, _ = User.objects.get_or_create(email="bench@example.com")
        client = Client()
        client.force_login(watcher)
        self.cookie = client.cookies["sessionid"].value
        file = StoredFile.objects.create(name="products.csv", size=1 << 20)
        common = {"dataset": "products", "file": file, "state": State.APPLYING, "step_total": 1_000_000, "lines": 1_000_000}
        self.runs = [Import.objects.create(started_at=timezone.now(), **common) for _ in range(IMPORTS)]
        self.addresses = [f"/imports/{run.public_id}/events" for run in self.runs]
        #: Of each import: when each version was committed; the moment before it was sent to the database.
        self.commits: list[list[tuple[int, float]]] = [[] for _ in self.runs]
        #: The most that all web processes had of connections, and each of threads.
        self.connections, self.threads = 0, [0]

    @property
    def versions(self) -> list[int]:
        return [run.version for run in self.runs]

    def run(self, seconds: float, webs: list[tuple[int, Process]]) -> None:
        """Write news for so long, then the end of every import."""
        from importer.states import State

        start = time.monotonic()
        for number in range(int(seconds / PERIOD) * IMPORTS):
            time.sleep(max(0.0, start + number * PERIOD / IMPORTS - time.monotonic()))
            self._commit(number % IMPORTS, created=number * 1_000, step_done=number * 1_000)
            if number % (2 * IMPORTS) == 0:
                self._look(webs)
        time.sleep(PERIOD)
        for number in range(IMPORTS):
            self._commit(number, state=State.DONE, created=1_000_000)

    def _commit(self, number: int, **fields: Any) -> None:
        from importer.models import Import

        run = self.runs[number]
        run.version += 1
        self.commits[number].append((run.version, time.monotonic()))
        Import.objects.filter(pk=run.pk).update(version=run.version, **fields)

    def _look(self, webs: list[tuple[int, Process]]) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            self.connections = max(self.connections, cursor.fetchone()[0])
        self.threads = [max(self.threads[0], *(_usage(web.pid)["threads"] for _, web in webs))]


@contextmanager
def _web(here: Place, number: int, viewers: int) -> Iterator[tuple[int, Process]]:
    """A web process as bin/up starts it, which takes so many viewers: its port and itself."""
    from loadify.supervisor import programs, status_of_site

    os.environ["LOADIFY_VIEWERS"] = str(viewers)
    port = free_port()
    web = Process(dataclasses.replace(programs(port)[0], name=f"web-{number}"), here.folder)
    try:
        wait_until(lambda: web.ended() or status_of_site(port) > 0, 60)
        if web.ended():
            raise CannotStart(f"The web process did not start. The end of {web.log}:\n{web.last_lines()}")
        yield port, web
    finally:
        web.stop()


@contextmanager
def _crowd(order: dict[str, Any]) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "bench.viewers"]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        try:
            if _told(crowd, order) != "watching":
                raise SystemExit("The viewers could not all connect.")
            yield crowd
        finally:
            crowd.kill()


def _told(crowd: "subprocess.Popen[str]", order: dict[str, Any]) -> str:
    assert crowd.stdin is not None and crowd.stdout is not None
    print(json.dumps(order), file=crowd.stdin, flush=True)
    return crowd.stdout.readline().strip()


def _usage(pid: int) -> dict[str, Any]:
    """Threads, seconds of CPU so far, and memory of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return {"threads": int(stat[17]), "cpu": (int(stat[11]) + int(stat[12])) / _TICKS, "mib": pss(pid) / 2**20}


def lateness(arrivals: "array[float]", commits: list[list[tuple[int, float]]]) -> tuple[list[float], list[float]]:
    """Seconds from commit to arrival, for each viewer and each piece of news of its import; the same of the last alone."""
    seen: dict[int, tuple[list[float], list[float]]] = {}
    for viewer, version, at in zip(arrivals[::3], arrivals[1::3], arrivals[2::3], strict=True):
        versions, moments = seen.setdefault(int(viewer), ([], []))
        if not versions or version > versions[-1]:
            versions.append(version)
            moments.append(at)
    late, last = [], []
    for viewer, (versions, moments) in seen.items():
        for version, committed in commits[viewer % len(commits)]:
            if (place := bisect.bisect_left(versions, version)) < len(versions):
                late.append(moments[place] - committed)
        if versions[-1] >= version:
            last.append(late[-1])
    return late, last


def markdown(results: list[dict[str, Any]], machine: str) -> str:
    lines = [
        f"{machine} {IMPORTS} imports, a new version of each every {PERIOD} s; the viewers run on the same cores.",
        "",
        "| viewers | web processes | p50 s | p95 s | slowest s | final: received | final: p95 s | connections (all)"
        " | threads (each) | KiB a viewer | CPU ms a snapshot |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        lines.append(
            f"| {one['viewers']:,} | {one['processes']} | {one['p50_s']:.2f} | {one['p95_s']:.2f} | {one['max_s']:.2f}"
            f" | {one['final_received']:,} | {one['final_p95_s']:.2f} | {one['connections']} | {one['threads']}"
            f" | {one['kib_per_viewer']:.0f} | {one['cpu_ms_per_snapshot']:.2f} |"
        )
    return "\n".join(lines)


def missed(one: dict[str, Any]) -> list[str]:
    """What was not reached, in sentences."""
    found = []
    if one["final_received"] < one["viewers"]:
        found.append(f"Only {one['final_received']:,} of {one['viewers']:,} viewers saw the end of their import.")
    for name, limit in GOALS.get(one["processes"], {}).items():
        if one[name] > limit:
            found.append(f"{one['viewers']:,} viewers on {one['processes']} process: {name} is {one[name]}, {limit} was asked.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sse", description=__doc__)
    parser.add_argument("--viewers", type=int, help="one case only, with so many viewers")
    parser.add_argument("--processes", type=int, default=1, help="web processes of that case (1)")
    parser.add_argument("--seconds", type=float, default=30, help="how long there is news (30)")
    parser.add_argument("--database-url", help="a server to make a throw-away database on, by a superuser of it")
    parser.add_argument("--write", type=Path, help="write the table to this page")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("This reads /proc, which only Linux has.")
    cases = ((options.viewers, options.processes),) if options.viewers else CASES
    try:
        with place(options.database_url) as here:
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
            django.setup()
            results = [measure(here, *case, options.seconds) for case in cases]
            machine = page.machine(str(here.ask("SHOW server_version")[0][0]).split()[0])
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    print(json.dumps(results, indent=2) if options.json else markdown(results, machine))
    if options.write:
        page.put(options.write, "sse", markdown(results, machine))
    if sentences := [sentence for one in results for sentence in missed(one)]:
        sys.exit("\n".join(sentences))


if __name__ == "__main__":
    main()
