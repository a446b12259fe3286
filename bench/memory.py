"""`python -m bench.memory`: how much memory a worker takes for an import, over what it takes while idle.

Memory is PSS, the kernel's proportional share: a page that several processes share counts once in all. It is summed
over the worker and all its children, read every 50 ms from outside. Linux only.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.place import Place, place
from loadify.processes import Process, Program
from loadify.servers import CannotStart

PERIOD = 0.05  # seconds
_ROOT = Path(__file__).resolve().parent.parent


def tree(root: int) -> set[int]:
    """The process and everything below it."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            children[int(stat.rpartition(")")[2].split()[1])].append(int(entry.name))
    found, left = {root}, [root]
    while left:
        below = children[left.pop()]
        found.update(below)
        left += below
    return found


def pss(pid: int) -> int:
    """Proportional set size in bytes; 0 when the process has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def tree_pss(root: int) -> int:
    return sum(map(pss, tree(root)))


class Worker:
    """A Celery worker as bin/up starts it, which somebody else's imports are watched in."""

    def __init__(self, here: Place) -> None:
        self.here = here
        argv = [sys.executable, "-m", "celery", "-A", "loadify", "worker", "--without-mingle", "--without-gossip"]
        self.process = Process(Program("worker", argv, cwd=_ROOT, grace=15), here.folder)

    def idle(self) -> int:
        """Bytes while nothing happens: the median of two seconds."""
        time.sleep(2)
        readings = []
        for _ in range(int(2 / PERIOD)):
            readings.append(tree_pss(self.process.pid))
            time.sleep(PERIOD)
        return int(statistics.median(readings))

    def watched_import(self, path: Path) -> tuple[int, dict[str, Any]]:
        """Import the file from an empty table; returns the highest number of bytes and what the import reported."""
        self.here.ask("TRUNCATE products_product")
        submitter = subprocess.Popen(
            [sys.executable, "-m", "bench.timed_import", "--by-worker", str(path)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        highest = 0
        with submitter:
            while submitter.poll() is None:
                highest = max(highest, tree_pss(self.process.pid))
                time.sleep(PERIOD)
            assert submitter.stdout is not None
            printed = submitter.stdout.read()
        if submitter.returncode:
            raise SystemExit(f"The import of {path.name} failed. The worker's log ends:\n{self.process.last_lines()}")
        report: dict[str, Any] = json.loads(printed)
        return highest, report


def as_workbook(path: Path) -> Path:
    """The same records as an .xlsx with a fourth column, `active`, in place of the CSV."""
    # Only what bin/test installs has it.
    import xlsxwriter

    made = path.with_suffix(".xlsx")
    with path.open(newline="", encoding="utf-8") as file, xlsxwriter.Workbook(made, {"constant_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        for number, row in enumerate(csv.reader(file)):
            sheet.write_row(number, 0, [*row, "yes" if number else "active"])
    path.unlink()
    return made


def measure(here: Place, rows: int, warm_ups: int, workbook: bool = False, file: Path | None = None) -> dict[str, Any]:
    """One import of so many records, those of `file` or of a sample, which is deleted afterwards.

    It has a worker of its own: what an import leaves behind in a process is not idle.
    """
    worker = Worker(here)
    try:
        for _ in range(warm_ups):
            worker.watched_import(here.sample(1_000))
        path = file or here.sample(rows)
        if workbook:
            path = as_workbook(path)
        idle = worker.idle()
        highest, report = worker.watched_import(path)
    finally:
        worker.process.stop()
    path.unlink()
    return {
        "rows": rows,
        "idle_mib": round(idle / 2**20, 1),
        "peak_mib": round(highest / 2**20, 1),
        "more_mib": round((highest - idle) / 2**20, 1),
        "seconds": report["seconds"],
        "seconds_per_million": round(report["seconds"] / rows * 1e6, 1),
        "phases": report["phases"],
    }


def markdown(results: list[dict[str, Any]]) -> str:
    lines = [
        "| records | idle MiB | peak MiB | peak − idle | seconds | seconds per million |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        lines.append(
            f"| {result['rows']:,} | {result['idle_mib']} | {result['peak_mib']} | {result['more_mib']}"
            f" | {result['seconds']:.1f} | {result['seconds_per_million']} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("rows", type=int, nargs="*", default=[500_000, 5_000_000], help="records (500000 5000000)")
    # Every process of the pool must have loaded its modules, and nobody can choose which one gets an import.
    parser.add_argument("--warm-ups", type=int, default=6, help="small imports before idle is measured (6)")
    parser.add_argument("--workbook", action="store_true", help="import an .xlsx of four columns instead of a CSV")
    parser.add_argument("--database-url", help="a server to make a throw-away database on")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parser.parse_args()
    if not os.path.exists("/proc/self/smaps_rollup"):
        raise SystemExit("This reads /proc/<pid>/smaps_rollup, which only Linux has.")
    try:
        with place(options.database_url, broker=True) as here:
            results = [measure(here, rows, options.warm_ups, options.workbook) for rows in options.rows]
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    print(json.dumps(results, indent=2) if options.json else markdown(results))


if __name__ == "__main__":
    main()
