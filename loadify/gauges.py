"""What this web process counts of itself while it runs; loadify/metrics.py tells it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

# When a count began says nothing that its own fall does not.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()

REQUESTS = Gauge("loadify_requests_in_flight", "Requests that this web process is answering.", registry=REGISTRY)
ANSWERED = Counter("loadify_requests", "Requests that this web process has answered.", registry=REGISTRY)
VIEWERS = Gauge("loadify_sse_viewers", "Viewers who watch an import live through this web process.", registry=REGISTRY)


def viewers() -> int:
    return int(next(iter(VIEWERS.collect())).samples[0].value)
