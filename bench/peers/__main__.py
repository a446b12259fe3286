"""`python -m bench.peers`: Loadify and others bring the same file into the same empty table, in turn on one server."""

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import page, raw_copy
from bench.import_limit import CONTENT, DURABLE, GINS, INDEXES
from bench.peers import FOREIGN, PEERS, pgloader
from bench.place import Place, place
from loadify.servers import CannotStart

TABLE = "products_product"
LOADIFY = "Loadify"
_BENCH = Path(__file__).resolve().parent.parent
_PYTHON = str(_BENCH / ".venv/bin/python")


@dataclass
class Arm:
    """One way in: seconds by round. `once` runs in the first round only."""

    name: str
    load: Callable[[], float]
    clean: bool
    once: bool = False
    seconds: list[float] = field(default_factory=list)


class Comparison:
    def __init__(self, here: Place, raw: Path, without: list[str]) -> None:
        self.here, self.raw = here, raw
        clean = here.folder / "clean.csv"
        keys = raw_copy.clean(raw, clean)
        self.file = here.folder / "headed.csv"
        self.file.write_text(raw_copy.COLUMNS.replace(" ", "") + "\n" + clean.read_text(encoding="utf-8"), encoding="utf-8")
        clean.unlink()
        self.size = {"rows": 0, "keys": keys, "megabytes": round(raw.stat().st_size / 1e6)}
        self.arms = [self._peer(name) for name in PEERS if name not in without]
        self.arms.insert(1, Arm(LOADIFY, self._loadify, clean=False))
        self.indexes = here.ask(INDEXES.format(table=TABLE))
        self.content: list[tuple[Any, ...]] = []
        #: Of the machine, before each arm: how far other work disturbs the measurement.
        self.load_averages: list[float] = []

    def _peer(self, module: str) -> Arm:
        said = constants(_BENCH / "peers" / f"{module}.py")
        path = self.file if said["CLEAN"] else self.raw
        return Arm(said["NAME"], lambda: self._ran(module, path), said["CLEAN"], said.get("ONCE", False))

    def _ran(self, module: str, path: Path) -> float:
        command = [_PYTHON if module in FOREIGN else sys.executable, "-m", "bench.peers.timed", module, str(path)]
        done = subprocess.run(command, cwd=_BENCH.parent, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{module} ended with exit code {done.returncode}.")
        return float(json.loads(done.stdout.splitlines()[-1])["seconds"])

    def _loadify(self) -> float:
        report = json.loads(self.here.run("-m", "bench.timed_import", str(self.raw)))
        self.size["rows"] = report["lines"]
        return float(report["seconds"])

    def round(self, number: int) -> None:
        for arm in self.arms:
            if arm.once and number:
                continue
            self.here.ask(f"TRUNCATE {TABLE} RESTART IDENTITY")
            self.here.ask("CHECKPOINT")
            self.load_averages.append(round(os.getloadavg()[0], 1))
            seconds = arm.load()
            began = time.perf_counter()
            for (index,) in self.here.ask(GINS.format(table=TABLE)):
                self.here.ask(f"SELECT gin_clean_pending_list('{index}')")
            arm.seconds.append(seconds + time.perf_counter() - began)
            print(f"Round {number + 1}: {arm.name}: {arm.seconds[-1]:.1f} s", file=sys.stderr)
            self._check(arm)

    def _check(self, arm: Arm) -> None:
        """Exit with a sentence when the arm left another table behind than `\\copy` did, which comes first."""
        if self.here.ask(INDEXES.format(table=TABLE)) != self.indexes:
            raise SystemExit(f"{arm.name}: the table has other indexes than before.")
        content = self.here.ask(CONTENT.format(table=TABLE))
        self.content = self.content or content
        if content != self.content or content[0][0] != self.size["keys"]:
            raise SystemExit(f"{arm.name}: {content} (rows, checksum) is in the table, {self.content} was expected.")

    def report(self) -> dict[str, Any]:
        copied = self.arms[0].seconds
        arms = [
            {
                "name": arm.name,
                "clean": arm.clean,
                "seconds": [round(one, 2) for one in arm.seconds],
                "median": round(statistics.median(arm.seconds), 2),
                # A peer that runs once is compared within the first round.
                "times_copy": round(statistics.median(mine / its for mine, its in zip(arm.seconds, copied, strict=False)), 3),
            }
            for arm in self.arms
        ]
        server = str(self.here.ask("SHOW server_version")[0][0]).split()[0]
        ordered = sorted(arms, key=lambda arm: arm["times_copy"])
        return {
            **self.size,
            "machine": page.machine(server),
            "rounds": len(copied),
            "load": self.load_averages,
            "arms": ordered,
        }


def constants(module: Path) -> dict[str, Any]:
    """The constants at the top of a module, without importing it: what it imports is only in bench/.venv."""
    found = {}
    for statement in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            found[ast.unparse(statement.targets[0])] = statement.value.value
    return found


def markdown(report: dict[str, Any]) -> str:
    lines = [
        f"{report['machine']} {report['rows']:,} records with {report['keys']:,} keys, {report['megabytes']} MB, into an empty"
        f" table; {report['rounds']} rounds, in turn, at load averages of {min(report['load'])} to {max(report['load'])}."
        " Ratios are medians of those within a round.",
        "",
        "| | the file | seconds (median) | each round | × `\\copy` | seconds per million records |",
        "|---|---|---|---|---|---|",
    ]
    for arm in report["arms"]:
        file = "cleaned before" if arm["clean"] else "as it comes"
        rounds = ", ".join(f"{one:.1f}" for one in arm["seconds"])
        if len(arm["seconds"]) < report["rounds"]:
            rounds += " (first round only)"
        million = arm["median"] / report["rows"] * 1e6
        lines.append(f"| {arm['name']} | {file} | {arm['median']:.1f} | {rounds} | {arm['times_copy']:.2f} | {million:.0f} |")
    lines += [f"\n{sentence}" for sentence in report["left_out"]]
    return "\n".join(lines)


def install() -> None:
    """Make bench/.venv, with what bench/requirements.txt pins."""
    subprocess.run(["sh", "-c", ". ../bin/venv.sh; ready requirements.txt"], cwd=_BENCH, check=True, stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="records of the sample (500000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each arm runs, in turn (3)")
    parser.add_argument("--without", nargs="*", default=[], choices=PEERS[1:], help="peers that are left out")
    parser.add_argument("--database-url", help="a server to make a throw-away database on, by a superuser of it")
    parser.add_argument("--write", type=Path, help="write table and chart to this page, and to an .svg beside it")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    left_out = [f"Left out on request: {name}." for name in options.without]
    if "pgloader" not in options.without and (reason := pgloader.missing()):
        left_out.append(reason)
        options.without.append("pgloader")
    if set(FOREIGN) - set(options.without):
        install()
    try:
        with place(options.database_url) as here:
            for name in DURABLE:
                if here.ask(f"SHOW {name}") != [("on",)]:
                    raise SystemExit(f"The server runs with {name} off: no time taken there means anything.")
            comparison = Comparison(here, here.sample(options.rows), options.without)
            for number in range(options.rounds):
                comparison.round(number)
            report = {**comparison.report(), "left_out": left_out}
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    print(json.dumps(report, indent=2) if options.json else markdown(report))
    if options.write:
        page.put(options.write, "peers", markdown(report))
        install()
        chart = [_PYTHON, "-m", "bench.peers.chart", str(options.write.with_suffix(".svg").resolve())]
        subprocess.run(chart, cwd=_BENCH.parent, input=json.dumps(report), text=True, check=True, env=os.environ)


if __name__ == "__main__":
    main()
