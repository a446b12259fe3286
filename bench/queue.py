"""`python -m bench.queue`: rows published and stored in a second, over RabbitMQ and Redis, with one and two consumers.

PostgreSQL is a throw-away one; the brokers are those of RABBITMQ_URL and REDIS_URL. Each round measures every case once.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.place import Place, place
from loadify.servers import CannotStart

_ROOT = Path(__file__).resolve().parent.parent
BROKERS = {
    "RabbitMQ": os.environ.get("RABBITMQ_URL") or "amqp://guest:guest@127.0.0.1:5672//",
    "Redis": os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/13",
}


def sample(here: Place, rows: int) -> Path:
    path = here.folder / "people.csv"
    lines = (f"Somebody {number},somebody.{number}@example.org\n" for number in range(rows))
    path.write_text("name,email\n" + "".join(lines), encoding="utf-8")
    return path


def case(here: Place, broker: str, consumers: int, path: Path, rows: int) -> tuple[float, float]:
    """Rows per second: sent to an idle queue, and stored by so many consumers that then find it full."""
    here.ask("TRUNCATE contacts_person, importer_inbox, importer_tally")
    os.environ["BROKER_URL"] = broker
    os.environ["LOADIFY_QUEUE_PREFIX"] = f"bench{os.urandom(4).hex()}."
    published = float(json.loads(here.run("-m", "bench.timed_publish", str(path))))
    command = [sys.executable, "manage.py", "consume_rows", "people", "--until-empty", "--wait", "2"]
    running = [subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL) for _ in range(consumers)]
    for process in running:
        process.wait()
    [(found, inbox, seconds)] = here.ask(
        "SELECT (SELECT count(*) FROM contacts_person), count(*), extract(epoch FROM max(at) - min(at)) FROM importer_inbox"
    )
    if (found, inbox) != (rows, rows):
        raise SystemExit(f"{found:,} people and {inbox:,} rows of the inbox were stored; {rows:,} were sent.")
    here.run("-m", "bench.timed_publish")
    # From the first batch's moment to the last one's; the last batch itself is beyond it.
    return published, rows / max(float(seconds), 0.001)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="rows of the file (50000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each case runs, in turn (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    took: dict[str, list[tuple[float, float]]] = {}
    try:
        with place() as here:
            path = sample(here, options.rows)
            for number in range(options.rounds):
                for consumers in (1, 2):
                    for name, broker in BROKERS.items():
                        label = f"{name}, {consumers} consumer{'s' if consumers > 1 else ''}"
                        took.setdefault(label, []).append(case(here, broker, consumers, path, options.rows))
                        began = time.strftime("%H:%M:%S")
                        print(f"{began} round {number + 1}: {label}: {took[label][-1]}", file=sys.stderr)
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    report = {
        label: {
            "published": round(statistics.median(p for p, _ in some)),
            "stored": round(statistics.median(s for _, s in some)),
        }
        for label, some in took.items()
    }
    if options.json:
        print(json.dumps(report))
        return
    print(f"{options.rows:,} rows, median of {options.rounds} rounds.\n\n| | published/s | stored/s |\n|---|---|---|")
    for label, found in report.items():
        print(f"| {label} | {found['published']:,} | {found['stored']:,} |")


if __name__ == "__main__":
    main()
