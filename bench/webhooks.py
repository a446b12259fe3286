"""How many deliveries a second one worker process makes, and how soon an edit arrives while some receivers are sick.

First every receiver is well: events wait in the outbox, the worker starts, and the receivers' clock tells its capacity. Then
three of them are sick (one never answers, one answers 500, one drips headers), and products are edited at half of that
capacity, evenly, each edit going to every receiver.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import django

from bench.place import Place, place
from loadify.processes import Process, Program
from loadify.servers import CannotStart
from tests.webhooks.receiver import ReceiverProcess

_ROOT = Path(__file__).resolve().parent.parent
#: Paths under which the receiver plays the sick ones; see tests/webhooks/plays.py.
SICK = ("hang", "500", "drip")
WELL = "well"


def measure(here: Place, endpoints: int, events: int, seconds: float) -> dict[str, Any]:
    with ReceiverProcess() as receiver:
        _make_endpoints(receiver.url, endpoints)
        capacity = _capacity(here, receiver, endpoints, events)
        return {"endpoints": endpoints, "capacity": round(capacity), **_paced(here, receiver, endpoints, capacity / 2, seconds)}


def _make_endpoints(url: str, count: int) -> None:
    from webhooks import endpoints

    for number in range(count):
        endpoints.add(f"{url}/{WELL}/{number}", f"receiver {number}", [], None)


def _worker(here: Place) -> Process:
    from loadify.supervisor import programs

    argv = next(program.argv for program in programs(0) if program.name == "webhooks")
    return Process(Program("webhooks", argv, cwd=_ROOT, grace=20), here.folder)


def _capacity(here: Place, receiver: ReceiverProcess, endpoints: int, events: int) -> float:
    """Deliveries per second of a worker that never has to wait for work; `endpoints` × `events` of them."""
    from django.db import transaction

    from products.edits import PRODUCT_UPDATED
    from webhooks import hints, outbox

    for number in range(events):
        with transaction.atomic():
            outbox.record(PRODUCT_UPDATED, _payload(number), {})
    worker = _worker(here)
    try:
        hints.give()
        arrived = _arrivals(receiver, endpoints * events, 300)
    finally:
        worker.stop()
    moments = sorted(one["at"] for one in arrived)
    return (len(moments) - 1) / (moments[-1] - moments[0])


def _payload(number: int) -> dict[str, Any]:
    """As large as the event of a usual product."""
    product = {
        "id": number,
        "sku": "oak-shelf-wide-steady",
        "name": "Oak shelf",
        "description": "steady and wide " * 12,
        "active": True,
    }
    return {"product": product, "before": {"name": "Shelf"}, "after": {"name": "Oak shelf"}}


def _arrivals(receiver: ReceiverProcess, count: int, seconds: float, since: int = 0) -> list[dict[str, Any]]:
    """What well receivers got from request `since` on, once it is `count` requests, or when so many seconds are over."""
    end = time.monotonic() + seconds
    found: list[dict[str, Any]] = []
    while len(found) < count and time.monotonic() < end:
        time.sleep(0.5)
        seen = receiver.seen(since)
        since += len(seen)
        found += [one for one in seen if one["path"].startswith(f"/{WELL}/")]
    return found


def _paced(here: Place, receiver: ReceiverProcess, endpoints: int, rate: float, seconds: float) -> dict[str, Any]:
    """Edits, spread evenly, so many that they make `rate` deliveries a second; how soon they arrived at those that are well."""
    from products import edits
    from products.models import Product
    from webhooks.models import Attempt, Endpoint, Event

    sick = list(Endpoint.objects.order_by("pk")[: len(SICK)])
    for endpoint, play in zip(sick, SICK, strict=True):
        Endpoint.objects.filter(pk=endpoint.pk).update(url=f"{receiver.url}/{play}/{endpoint.pk}")
    values = {"sku": "bench-1", "name": "Shelf", "description": "steady and wide " * 12, "active": True}
    product = Product.objects.create(**values)
    since, earlier = len(receiver.seen()), Event.objects.count()
    worker = _worker(here)
    try:
        time.sleep(5)
        began: dict[str, float] = {}
        took = []
        pause = endpoints / rate
        start = time.monotonic()
        while (due := start + len(began) * pause) < start + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            at = time.monotonic()
            edits.change(product.pk, {"name": f"Shelf {len(began)}"}, None)
            took.append(time.monotonic() - at)
            began[Event.objects.latest("pk").message_id] = at
        arrived = _arrivals(receiver, len(began) * (endpoints - len(SICK)), 60, since)
    finally:
        worker.stop()
    assert Event.objects.count() - earlier == len(began)
    copies = Counter((one["path"], one["id"]) for one in arrived)
    late = sorted(one["at"] - began[one["id"]] for one in arrived)
    return {
        "edits": len(began),
        "deliveries_per_second": round(rate),
        "expected": len(began) * (endpoints - len(SICK)),
        "arrived": len(copies),
        "duplicates": sum(copies.values()) - len(copies),
        "edit_p95_ms": round(_percentile(sorted(took), 95) * 1000, 1),
        "arrival_p50_s": round(statistics.median(late), 3),
        "arrival_p95_s": round(_percentile(late, 95), 3),
        "arrival_max_s": round(late[-1], 3),
        "tries_at_sick": Attempt.objects.filter(delivery__endpoint__in=sick, status=None).count()
        + Attempt.objects.filter(delivery__endpoint__in=sick, status=500).count(),
    }


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def markdown(result: dict[str, Any]) -> str:
    return "\n".join(
        ["| what | measured |", "|---|---|", *(f"| {name.replace('_', ' ')} | {value:,} |" for name, value in result.items())]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=200, help="receivers, three of them sick in the second part (200)")
    parser.add_argument("--events", type=int, default=50, help="events that wait for the measurement of capacity (50)")
    parser.add_argument("--seconds", type=float, default=120, help="how long products are edited (120)")
    parser.add_argument("--database-url", help="a server to make a throw-away database on, by a superuser of it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    os.environ["LOADIFY_WEBHOOK_ALLOW_PRIVATE"] = "1"
    try:
        with place(options.database_url, broker=True) as here:
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadify.settings")
            django.setup()
            result = measure(here, options.endpoints, options.events, options.seconds)
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    print(json.dumps(result, indent=2) if options.json else markdown(result))
    if result["duplicates"] or result["arrived"] != result["expected"]:
        sys.exit("Not every event arrived exactly once at every receiver that was well.")


if __name__ == "__main__":
    main()
