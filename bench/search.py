"""`python -m bench.search`: how long the list of products takes to answer, over real HTTP, for a fixed list of searches."""

import argparse
import csv
import http.client
import itertools
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.place import Place, place
from loadify.embedded import free_port
from loadify.processes import Process, wait_until
from loadify.servers import CannotStart
from loadify.supervisor import programs, status_of_site

#: Pieces of SKU or name. The sample has no 7 and no “qj”, “zx” or “zz”; x stands for blanks and hyphens in the index. The
#: series, Zulu, lies at the far end of the order by SKU, and near that of the order by name.
PIECES = {
    "one letter": ("a", "e", "q", "x", "z", "7", "9"),
    "two letters": ("an", "ry", "co", "zx", "qj", "zz", "xx", "03"),
    "marks": ("-", "-a", "b-", " z", ".", "%", "_", "'", "\\", "é", "商"),
    "common": ("ann", "and", "able", "emma", "zulu", "ulu-0"),
    "rare": ("zoe z", "able-accept", "-red-", "zulu-00006", "dr. a", "tilda wood"),
    "absent": ("xyz", "jjj", "not there", "able-able-able", "zulu-x", "ann-" * 20, "émile"),
}
WORDS = {
    "one word": ("able", "red", "wood", "quixotic"),
    "beginning": ("a", "re", "qu", "zz", "mo"),
    "several words": ("able red", "red wood stone", "able quixotic", "stone a", "able, red & (wood | !"),
}
ORDERS = ("sku", "-sku", "name", "-name", "changed", "-changed")
#: The values of `active`, and how many of a million products are inactive while they are asked for.
STATES = (("", 100), ("yes", 100), ("no", 100), ("no", 500_000))
#: Of so many products one belongs to the series.
SERIES = 20
GOALS = {"SKU and name": 100, "description": 250, "both": 250, "no term": 100}

_EMAIL, _PASSWORD = "bench@example.com", "only-for-this-measurement-1"


@dataclass(frozen=True)
class Search:
    """One address to ask for, and what it belongs to; `kind` is a key of GOALS."""

    kind: str
    group: str
    query: dict[str, str]


def searches(state: str, cursors: dict[str, str]) -> list[Search]:
    """Every term in every order, on the first page and on one in the middle of the order."""
    terms = [("SKU and name", group, {"q": term}) for group, terms in PIECES.items() for term in terms]
    terms += [("description", group, {"words": term}) for group, terms in WORDS.items() for term in terms]
    terms += [("both", "both", {"q": piece, "words": words}) for piece in ("a", "ann", "qj") for words in ("a", "able")]
    terms += [("no term", "no term", {})]
    return [
        Search(kind, group, {**term, "active": state, "sort": order, **({"page": cursors[order]} if deep else {})})
        for (kind, group, term), order, deep in itertools.product(terms, ORDERS, (False, True))
    ]


class Visitor:
    """A signed-in person's browser: one connection that is kept, one session."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies: dict[str, str] = {}
        self.ask("GET", "/accounts/login/")
        fields = {"login": _EMAIL, "password": _PASSWORD, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        if self.ask("POST", "/accounts/login/", urlencode(fields))[0] != 302:
            raise SystemExit("Signing in did not work.")

    def ask(self, method: str, address: str, body: str = "") -> tuple[int, str, float]:
        """Status, text and milliseconds until the last byte."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body:
            headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        began = time.perf_counter()
        self.connection.request(method, address, body or None, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        took = (time.perf_counter() - began) * 1000
        for line in answer.headers.get_all("Set-Cookie", []):
            name, value = line.split(";", 1)[0].split("=", 1)
            self.cookies[name] = value
        return answer.status, text, took

    def search(self, query: dict[str, str]) -> float:
        status, text, took = self.ask("GET", f"/products/?{urlencode(query)}")
        if status != 200 or 'id="products"' not in text:
            raise SystemExit(f"{query} was answered with {status}.")
        return took


def make_visitor(here: Place) -> None:
    """The person who asks."""
    os.environ |= {"DJANGO_SUPERUSER_EMAIL": _EMAIL, "DJANGO_SUPERUSER_PASSWORD": _PASSWORD}
    here.run("manage.py", "createsuperuser", "--noinput", "--verbosity", "0")


def catalogue(here: Place, rows: int) -> Path:
    """A file of so many products, of which one in SERIES is of the series; the sample brings one SKU of 15 twice."""
    series = rows // SERIES
    plain = rows - series
    path = here.sample(plain + (plain - 1) // 14)
    with path.open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(
            (f"Zulu {number % 7}", f"ZULU-{number:05}".replace("7", "A"), "One of a series.") for number in range(series)
        )
    return path


def make_inactive(here: Place, per_million: int) -> None:
    """Make so many of a million products inactive, spread over the table, and tidy up as autovacuum would."""
    wanted = f"mod(id * 7919, 1000000) >= {per_million}"
    here.ask(f"UPDATE products_product SET active = {wanted} WHERE active <> ({wanted})")
    here.ask("VACUUM ANALYZE products_product")


def measure(
    here: Place, rounds: int, every: int, states: tuple[tuple[str, int], ...] = STATES
) -> list[tuple[Search, int, list[float]]]:
    """Each search, every so many-th of them, with how many of a million were inactive and the milliseconds of each round."""
    port = free_port()
    web = Process(programs(port)[0], here.folder)
    try:
        wait_until(lambda: web.ended() or status_of_site(port) > 0, 60)
        if status_of_site(port) != 200:
            raise CannotStart(f"The web process did not start. The end of {web.log}:\n{web.last_lines()}")
        visitor = Visitor(port)
        took: list[tuple[Search, int, list[float]]] = []
        for per_million, asked_for in itertools.groupby(states, key=lambda pair: pair[1]):
            make_inactive(here, per_million)
            cursors = json.loads(here.run("-m", "bench.cursors"))
            asked = [(search, per_million, []) for state, _ in asked_for for search in searches(state, cursors)[::every]]
            for _ in range(rounds):
                for search, _, times in asked:
                    times.append(visitor.search(search.query))
            took += asked
        return took
    finally:
        web.stop()


def percentile(times: list[float], share: float) -> float:
    """The smallest time that so many in a hundred do not exceed (nearest rank)."""
    return sorted(times)[max(0, -(-len(times) * share // 100) - 1)]


def summary(times: list[float]) -> dict[str, Any]:
    figures = {"p50": statistics.median(times), "p95": percentile(times, 95), "max": max(times)}
    return {"requests": len(times), **{name: round(value, 1) for name, value in figures.items()}}


def report(here: Place, took: list[tuple[Search, int, list[float]]]) -> dict[str, Any]:
    kinds, groups, filters = defaultdict(list), defaultdict(list), defaultdict(list)
    for search, per_million, times in took:
        kinds[search.kind] += times
        groups[f"{search.kind}: {search.group}"] += times
        filters[f"{search.query['active'] or 'all'}, {per_million / 10_000:g} % inactive"] += times
    slowest = sorted(took, key=lambda one: -statistics.median(one[2]))[:10]
    return {
        "rows": here.ask("SELECT count(*) FROM products_product")[0][0],
        "server": str(here.ask("SHOW server_version")[0][0]),
        "cores": os.cpu_count(),
        "kinds": {name: {**summary(times), "goal": GOALS[name]} for name, times in kinds.items()},
        "groups": {name: summary(times) for name, times in groups.items()},
        "filters": {name: summary(times) for name, times in filters.items()},
        "all": summary([one for times in kinds.values() for one in times]),
        "slowest": [
            {"ms": round(statistics.median(times), 1), "inactive_per_million": inactive, **search.query}
            for search, inactive, times in slowest
        ],
    }


def markdown(found: dict[str, Any]) -> str:
    lines = [
        f"{found['rows']:,} products; PostgreSQL {found['server']}, {found['cores']} cores; milliseconds of the HTTP response.",
        "",
        "| | requests | p50 | p95 | slowest | goal (p95) |",
        "|---|---|---|---|---|---|",
    ]
    rows = {**found["kinds"], "all": found["all"], **found["groups"], **found["filters"]}
    for name, row in rows.items():
        lines.append(
            f"| {name} | {row['requests']:,} | {row['p50']:.0f} | {row['p95']:.0f} | {row['max']:.0f} | {row.get('goal', '')} |"
        )
    return "\n".join(lines + slowest(found))


def slowest(found: dict[str, Any]) -> list[str]:
    """The slowest searches of a report, as a list in Markdown."""
    lines = ["", "The slowest searches:", ""]
    for one in found["slowest"]:
        query = {
            name: "…" if name == "page" else value for name, value in one.items() if name not in ("ms", "inactive_per_million")
        }
        lines.append(f"* {one['ms']:.0f} ms: {urlencode(query)} ({one['inactive_per_million']} of a million inactive)")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="products in the table (500000)")
    parser.add_argument("--rounds", type=int, default=2, help="how often everything is asked, one round after the other (2)")
    parser.add_argument("--every", type=int, default=1, help="ask only every so many-th search, to try it out (1)")
    parser.add_argument("--database-url", help="a server to make a throw-away database on, by a superuser of it")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    try:
        with place(options.database_url) as here:
            make_visitor(here)
            began = time.monotonic()
            path = catalogue(here, options.rows)
            here.run("-m", "bench.timed_import", str(path))
            path.unlink()
            print(f"Filled in {time.monotonic() - began:.0f} s.", file=sys.stderr)
            found = report(here, measure(here, options.rounds, options.every))
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    print(json.dumps(found, indent=2) if options.json else markdown(found))


if __name__ == "__main__":
    main()
