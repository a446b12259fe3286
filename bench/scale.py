"""`python -m bench.scale`: what grows with the number of rows: time for a million, memory, a small import, searches."""

import argparse
import csv
import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from bench import memory, page, search
from bench.place import Place, place
from loadify.servers import CannotStart

#: Percent by which a million rows may take longer, and MiB that an import may take more, from the smallest to the largest size.
SLOWER, MORE = 15, 16
SEARCH_P95 = 250  # milliseconds
#: Records of the small import into the largest catalogue: half of them change a product, half make one.
SMALL = 50_000


def small_file(here: Place, large: Path) -> Path:
    """Records spread over the large file with another description, and as many of which it knows nothing."""
    path = here.folder / "small.csv"
    with large.open(encoding="utf-8", newline="") as stream:
        size = sum(1 for _ in csv.reader(stream)) - 1
    half = min(SMALL, size) // 2
    with large.open(encoding="utf-8", newline="") as stream, path.open("w", encoding="utf-8", newline="") as target:
        rows, writer = csv.DictReader(stream), csv.writer(target, lineterminator="\n")
        writer.writerow(("name", "sku", "description"))
        apart = size // half
        for number, row in enumerate(itertools.islice(rows, 0, half * apart, apart)):
            writer.writerow((row["name"], row["sku"], f"Revised. {row['description']}"))
            writer.writerow((row["name"], f"SMALL-{number}", row["description"]))
    return path


def measure(here: Place, sizes: list[int], rounds: int, every: int, warm_ups: int) -> dict[str, Any]:
    imports: dict[int, list[dict[str, Any]]] = {rows: [] for rows in sizes}
    for _ in range(rounds):
        for rows in sizes:
            file = search.catalogue(here, rows)
            if rows == sizes[-1]:
                small = small_file(here, file)
            imports[rows].append(memory.measure(here, rows, warm_ups, file=file))
            print(f"{rows:,} rows: {imports[rows][-1]['seconds_per_million']} s per million", file=sys.stderr)
    added = json.loads(here.run("-m", "bench.timed_import", str(small)))
    print(f"{added['lines']:,} rows into it: {added['seconds']} s", file=sys.stderr)
    search.make_visitor(here)
    # Half of the products inactive, which bench.search asks for too, would be another table.
    states = tuple(state for state in search.STATES if state[1] < 500_000)
    found = search.report(here, search.measure(here, 1, every, states))
    ratios = [last["seconds_per_million"] / first["seconds_per_million"] for first, last in zip(*_ends(imports), strict=True)]
    more = [last["more_mib"] - first["more_mib"] for first, last in zip(*_ends(imports), strict=True)]
    return {
        "machine": page.machine(found["server"].split()[0]),
        "rounds": rounds,
        "imports": [
            {
                "rows": rows,
                **{
                    name: statistics.median(one[name] for one in runs)
                    for name in ("seconds", "seconds_per_million", "more_mib")
                },
            }
            for rows, runs in imports.items()
        ],
        "slower_percent": round((statistics.median(ratios) - 1) * 100, 1),
        "more_mib": round(statistics.median(more), 1),
        "small": {name: added[name] for name in ("lines", "created", "updated", "seconds")},
        "search": {"products": found["rows"], **found["all"]},
        "kinds": found["kinds"],
        "slowest": found["slowest"],
    }


def _ends(imports: dict[int, list[dict[str, Any]]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The runs of the smallest and of the largest size."""
    return imports[min(imports)], imports[max(imports)]


def markdown(found: dict[str, Any]) -> str:
    small, asked = found["small"], found["search"]
    lines = [
        f"{found['machine']} Imports into an empty table by a real worker; rounds: {found['rounds']}.",
        "",
        "| rows | seconds | seconds per million | memory above idle, MiB |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {one['rows']:,} | {one['seconds']:.1f} | {one['seconds_per_million']:.1f} | {one['more_mib']:.1f} |"
        for one in found["imports"]
    ]
    lines += [
        "",
        f"From the smallest to the largest a million rows takes {found['slower_percent']:+.1f} % of time (at most +{SLOWER} %"
        f" is asked), and an import {found['more_mib']:+.1f} MiB of memory.",
        "",
        f"{small['lines']:,} rows into the largest ({small['created']:,} new, {small['updated']:,} changed):"
        f" {small['seconds']:.1f} s.",
        "",
        f"Searches among {asked['products']:,} products, milliseconds of the HTTP response (a p95 of at most {SEARCH_P95} is"
        " asked):",
        "",
        "| | requests | p50 | p95 | slowest |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['requests']:,} | {row['p50']:.0f} | {row['p95']:.0f} | {row['max']:.0f} |"
        for name, row in {**found["kinds"], "all": asked}.items()
    ]
    lines += search.slowest(found)
    return "\n".join(lines)


def missed(found: dict[str, Any]) -> list[str]:
    """What was not reached, in sentences."""
    sentences = []
    if found["slower_percent"] > SLOWER:
        sentences.append(f"A million rows take {found['slower_percent']} % longer in the largest file; {SLOWER} % may be.")
    if found["more_mib"] > MORE:
        sentences.append(f"The largest import takes {found['more_mib']} MiB more than the smallest; {MORE} MiB may be.")
    if found["search"]["p95"] > SEARCH_P95:
        sentences.append(f"The p95 of searches is {found['search']['p95']} ms; {SEARCH_P95} ms may be.")
    return sentences


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("rows", type=int, nargs="*", default=[500_000, 1_000_000, 5_000_000], help="sizes, ascending")
    parser.add_argument("--rounds", type=int, default=1, help="how often each size is imported, in turn (1)")
    parser.add_argument("--every", type=int, default=3, help="ask only every so many-th search (3)")
    parser.add_argument("--warm-ups", type=int, default=6, help="small imports before idle is measured (6)")
    parser.add_argument("--database-url", help="a server to make a throw-away database on, by a superuser of it")
    parser.add_argument("--write", type=Path, help="write the tables to this page")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    options = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        raise SystemExit("This reads /proc/<pid>/smaps_rollup, which only Linux has.")
    try:
        with place(options.database_url, broker=True) as here:
            found = measure(here, sorted(options.rows), options.rounds, options.every, options.warm_ups)
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    print(json.dumps(found, indent=2) if options.json else markdown(found))
    if options.write:
        page.put(options.write, "scale", markdown(found))
    if sentences := missed(found):
        sys.exit("\n".join(sentences))


if __name__ == "__main__":
    main()
