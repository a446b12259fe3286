"""`python -m bench.import_limit`: an import against `psql \\copy` of the same rows, in turn on one server."""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import raw_copy
from bench.place import Place, place
from loadify.servers import CannotStart

LOADED = "products_product"
COPY, FRESH, AGAIN, CHANGED = "`\\copy`", "fresh import", "identical again", "every row changed"
UPSERT = "staging and one upsert by hand, every row changed"

#: What makes an index the same as another, whatever it and its table are called.
INDEXES = """
SELECT indisprimary, indisunique, indisvalid AND indisready, substring(pg_get_indexdef(indexrelid) FROM ' USING .*')
FROM pg_index WHERE indrelid = '{table}'::regclass ORDER BY 4, 2, 1"""
GINS = """
SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = '{table}'::regclass AND relam = (SELECT oid FROM pg_am WHERE amname = 'gin')"""
#: Number of rows, and a number that two tables only share when they hold the same rows.
CONTENT = """
SELECT count(*),
    sum(hashtextextended(concat_ws(E'\\x1f', sku, sku_key, name, description, active, description_words), 0))
FROM {table}"""
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass
class Arm:
    """One way to load, and what its rounds took: seconds in all, and in each phase where there are phases."""

    name: str
    load: Callable[[], dict[str, Any]]
    #: Products the import must report as created, updated and unchanged; None for `\\copy`.
    outcome: tuple[int, int, int] | None = None
    seconds: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def times(self, other: "Arm") -> float:
        """The median over the rounds of this arm's time divided by the other's in the same round."""
        return statistics.median(mine / its for mine, its in zip(self.seconds, other.seconds, strict=True))


class Comparison:
    """The arms over one sample; `round` runs each of them once."""

    def __init__(self, here: Place, raw: Path, *, changed: bool) -> None:
        self.here = here
        self.raw = raw
        self.clean = here.folder / "clean.csv"
        keys = self.keys = raw_copy.clean(raw, self.clean)
        self.copied = Arm(COPY, self._copy)
        self.fresh = Arm(FRESH, lambda: self._import(raw), (keys, 0, 0))
        self.again = Arm(AGAIN, lambda: self._import(raw), (0, 0, keys))
        self.upserted: Arm | None = None
        self.arms = [self.copied, self.fresh, self.again]
        if changed:
            other = here.folder / "changed.csv"
            raw_copy.change_all(raw, other)
            clean_other = here.folder / "clean-changed.csv"
            raw_copy.clean(other, clean_other)
            self.upserted = Arm(UPSERT, lambda: {"seconds": raw_copy.upsert(self.here.url, clean_other)})
            self.arms += [Arm(CHANGED, lambda: self._import(other), (0, keys, 0)), self.upserted]

    def round(self) -> None:
        self.here.ask(f"DROP TABLE IF EXISTS {raw_copy.TABLE}")
        self.here.ask(f"CREATE TABLE {raw_copy.TABLE} (LIKE {LOADED} INCLUDING ALL)")
        self.here.ask(f"TRUNCATE {LOADED}")
        for arm in self.arms:
            self._measure(arm)

    def _measure(self, arm: Arm) -> None:
        self.here.ask("CHECKPOINT")
        report = arm.load()
        table = LOADED if arm.outcome else raw_copy.TABLE
        arm.seconds.append(report["seconds"] + self._clean_pending_lists(table))
        arm.phases.append(report.get("phases", {}))
        self._check(arm, table, report)

    def _copy(self) -> dict[str, Any]:
        return {"seconds": raw_copy.copy(self.here.url, self.clean)}

    def _import(self, path: Path) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.here.run("-m", "bench.timed_import", str(path)))
        return report

    def _clean_pending_lists(self, table: str) -> float:
        """Bring what GIN indexes have put aside into them, so that every arm ends with quick searches; seconds."""
        began = time.perf_counter()
        for (index,) in self.here.ask(GINS.format(table=table)):
            self.here.ask(f"SELECT gin_clean_pending_list('{index}')")
        return time.perf_counter() - began

    def _check(self, arm: Arm, table: str, report: dict[str, Any]) -> None:
        """Exit with a sentence when the arm did not do the same work as the others."""
        if arm.outcome is not None:
            found = (report["created"], report["updated"], report["unchanged"])
            if found != arm.outcome or report["superseded"] + sum(found) != report["lines"]:
                raise SystemExit(f"{arm.name}: {arm.outcome} created, updated, unchanged expected, {report} found.")
        indexes = self.here.ask(INDEXES.format(table=table))
        expected = self.here.ask(INDEXES.format(table=raw_copy.TABLE))
        if indexes != expected or not all(usable for _, _, usable, _ in indexes):
            raise SystemExit(f"{arm.name}: the indexes of {table} differ or are not valid:\n{indexes}\n{expected}")
        [(persistence,)] = self.here.ask(f"SELECT relpersistence FROM pg_class WHERE oid = '{table}'::regclass")
        if persistence != "p":
            raise SystemExit(f"{arm.name}: {table} is not a logged table.")
        content = self.here.ask(CONTENT.format(table=table))
        if arm.name not in (CHANGED, UPSERT) and content != self.here.ask(CONTENT.format(table=raw_copy.TABLE)):
            raise SystemExit(f"{arm.name}: {table} holds other rows than \\copy wrote.")
        if arm.name == UPSERT and content != self.here.ask(CONTENT.format(table=LOADED)):
            raise SystemExit(f"{arm.name}: {table} holds other rows than the import wrote.")
        if content[0][0] != self.keys:
            raise SystemExit(f"{arm.name}: {table} holds {content[0][0]:,} rows, {self.keys:,} were expected.")

    def report(self) -> dict[str, Any]:
        return {
            "rows": self.fresh_lines(),
            "keys": self.keys,
            "megabytes": round(self.raw.stat().st_size / 1e6, 1),
            "server": str(self.here.ask("SHOW server_version")[0][0]),
            "copied_by": raw_copy.psql()[1],
            "python": platform.python_version(),
            "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
            "arms": {
                arm.name: {
                    "seconds": [round(seconds, 2) for seconds in arm.seconds],
                    "median": round(arm.median, 2),
                    "times_copy": round(arm.times(self.copied), 3),
                    "times_upsert": round(arm.times(self.upserted), 3) if self.upserted else None,
                    "times_fresh": round(arm.times(self.fresh), 3),
                    "phases": {
                        name: round(statistics.median(phases[name] for phases in arm.phases), 2)
                        for name in (arm.phases[0] if arm.phases else {})
                    },
                }
                for arm in self.arms
            },
        }

    def fresh_lines(self) -> int:
        return int(self.here.ask("SELECT lines FROM importer_import ORDER BY id DESC LIMIT 1")[0][0])


def markdown(report: dict[str, Any]) -> str:
    """The report as a paragraph and a table."""
    lines = [
        f"{report['rows']:,} records, {report['keys']:,} SKUs, {report['megabytes']} MB; PostgreSQL {report['server']},"
        f" Python {report['python']}, {report['cores']} cores; {report['copied_by']}.",
        "",
        "| | seconds (median) | each round | × `\\copy` | × fresh | × upsert | phases (median s) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, arm in report["arms"].items():
        rounds = ", ".join(f"{seconds:.1f}" for seconds in arm["seconds"])
        phases = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in arm["phases"].items()) or "–"
        upsert = f"{arm['times_upsert']:.2f}" if arm["times_upsert"] else "–"
        ratios = f"{arm['times_copy']:.2f} | {arm['times_fresh']:.2f} | {upsert}"
        lines.append(f"| {name} | {arm['median']:.1f} | {rounds} | {ratios} | {phases} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.import_limit", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="records of the sample (500000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each arm runs, in turn (3)")
    parser.add_argument("--changed", action="store_true", help="also import the file with every row changed")
    parser.add_argument("--file", type=Path, help="a products file to use instead of a sample")
    parser.add_argument("--database-url", help="a server to make a throw-away database on, by a superuser of it")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    try:
        with place(options.database_url) as here:
            for name in DURABLE:
                if here.ask(f"SHOW {name}") != [("on",)]:
                    raise SystemExit(f"The server runs with {name} off: no time taken there means anything.")
            raw = options.file.resolve() if options.file else here.sample(options.rows)
            comparison = Comparison(here, raw, changed=options.changed)
            for number in range(options.rounds):
                comparison.round()
                times = ", ".join(f"{arm.name} {arm.seconds[-1]:.1f} s" for arm in comparison.arms)
                print(f"Round {number + 1}: {times}", file=sys.stderr)
            report = comparison.report()
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    print(json.dumps(report, indent=2) if options.json else markdown(report))


if __name__ == "__main__":
    main()
