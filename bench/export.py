"""`python -m bench.export`: an export against `psql \\copy … TO` of the same rows and columns, in turn on one server."""

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

from bench import raw_copy
from bench.place import Place, place
from loadify.servers import CannotStart

COPIED, CSV, RAW, XLSX = "`\\copy … TO`", "export to CSV", "the same, formulas left as they are", "export to XLSX"
_SELECT = "SELECT sku, name, description, active FROM products_product ORDER BY id"


class Comparison:
    """Seconds of each arm, round by round."""

    def __init__(self, here: Place, workbook: bool) -> None:
        self.here = here
        self.seconds: dict[str, list[float]] = {name: [] for name in (COPIED, CSV, RAW, *([XLSX] if workbook else []))}
        self.report: dict[str, Any] = {}

    def round(self) -> None:
        arms = {CSV: ["--format", "csv"], RAW: ["--format", "csv", "--raw"], XLSX: ["--format", "xlsx"]}
        self.seconds[COPIED].append(raw_copy.copy_to(self.here.url, _SELECT, self.here.folder / "copied.csv"))
        for name in list(self.seconds)[1:]:
            found = json.loads(self.here.run("manage.py", "export", "products", "--json", *arms[name]))
            if found["state"] != "done":
                raise SystemExit(f"{name}: {found['error']}")
            self.seconds[name].append(found["seconds"])
            if name == CSV:
                self.report = found

    def table(self) -> str:
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
        server = self.here.ask("SHOW server_version")[0][0]
        lines = [
            f"{self.report['rows']:,} rows, {self.report['bytes'] / 1e6:.0f} MB; PostgreSQL {server},"
            f" Python {platform.python_version()}, {cores} cores.",
            "",
            "| | seconds (median) | each round | × `\\copy` |",
            "|---|---|---|---|",
        ]
        for name, seconds in self.seconds.items():
            times = statistics.median(mine / its for mine, its in zip(seconds, self.seconds[COPIED], strict=True))
            rounds = ", ".join(f"{one:.2f}" for one in seconds)
            lines.append(f"| {name} | {statistics.median(seconds):.2f} | {rounds} | {times:.2f} |")
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.export", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="records of the sample (500000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each arm runs, in turn (5)")
    parser.add_argument("--workbook", action="store_true", help="also export to a workbook")
    parser.add_argument("--file", type=Path, help="a products file to use instead of a sample")
    parser.add_argument("--database-url", help="a server to make a throw-away database on, by a superuser of it")
    options = parser.parse_args()
    try:
        with place(options.database_url) as here:
            file = options.file.resolve() if options.file else here.sample(options.rows)
            here.run("manage.py", "import_file", "products", str(file), "--yes")
            here.ask("VACUUM ANALYZE products_product")
            comparison = Comparison(here, options.workbook)
            for number in range(options.rounds):
                comparison.round()
                times = ", ".join(f"{name} {seconds[-1]:.2f} s" for name, seconds in comparison.seconds.items())
                print(f"Round {number + 1}: {times}", file=sys.stderr)
            print(comparison.table())
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
