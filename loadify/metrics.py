"""/metrics for Prometheus: what rows say at this moment, the same from every web process, and what this process counts.

docs/health.md explains each of them.
"""

import hmac
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import exposition
from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from accounts.callers import bearer
from accounts.models import Right, User
from accounts.rights import refusal
from importer.relay import relay
from loadify import gauges
from loadify.figures import Figures, figures


class Rows(Collector):
    """One round of figures as metrics; made for one answer."""

    def __init__(self, found: Figures) -> None:
        self.found = found

    # A lag is 0 when nothing waits, so that it can be drawn and compared.
    def collect(self) -> Iterator[Metric]:
        runs, webhooks = self.found.imports, self.found.webhooks
        queued, waiting, exports = (lag or 0 for lag in (runs.oldest_queued, runs.oldest_waiting, runs.oldest_export))
        yield by("loadify_imports", "Imports by state; of ended ones those of the last day.", "state", runs.imports)
        yield by("loadify_exports", "Exports by state; of ended ones those of the last day.", "state", runs.exports)
        yield one("loadify_rows_per_second", "Rows read or written by imports over the last minute.", runs.rows_per_second)
        yield one("loadify_chunk_seconds", "Median of the last steps of imports at work.", runs.step)
        yield one("loadify_chunk_seconds_longest", "Longest of the last steps of imports at work.", runs.longest_step)
        yield one("loadify_queue_lag_seconds", "Age of the oldest import that no worker has begun.", queued)
        yield one(
            "loadify_waiting_lag_seconds", "Age of the oldest import that waits for its dataset.", runs.oldest_waiting or 0
        )
        yield one(
            "loadify_export_queue_lag_seconds", "Age of the oldest export that no worker has begun.", runs.oldest_export or 0
        )
        yield one("loadify_queue_rows", "Rows sent through a queue and not stored yet.", runs.on_their_way)
        yield one("loadify_held_rows", "Held rows that wait; 10001 stands for more.", runs.held)
        yield one("loadify_held_rows_late", "Held rows whose moment has passed; 10001 stands for more.", runs.held_late)
        yield one("loadify_held_lag_seconds", "For how long the latest of them has been late.", runs.held_lateness or 0)
        yield one("loadify_deliveries_due", "Deliveries of webhooks on their way; 10001 stands for more.", webhooks.due)
        yield one("loadify_delivery_lag_seconds", "For how long the oldest that may go out has not.", webhooks.lag or 0)
        hours = webhooks.hours[-2:]
        tries = {"delivered": sum(hour.delivered for hour in hours), "failed": sum(hour.failed for hour in hours)}
        yield by("loadify_delivery_tries", "Tries of this hour and the one before.", "outcome", tries)
        yield by("loadify_webhooks", "Receivers of webhooks by state.", "state", webhooks.receivers)
        yield by("loadify_database_connections", "Connections to the database.", "application", self.found.connections)
        yield one("loadify_timetable_age_seconds", "Seconds since a worker last did what beat sent.", self.found.pulse)
        yield one("loadify_disk_free_bytes", "Free bytes where the data directory lies.", self.found.disk.free)
        yield one("loadify_disk_size_bytes", "All bytes there.", self.found.disk.total)
        yield SummaryMetricFamily(
            "loadify_relay_tick_seconds",
            "Rounds of the relay of live progress in this web process.",
            count_value=relay.ticks,
            sum_value=relay.seconds,
        )


def one(name: str, words: str, value: float | None) -> Metric:
    """A gauge; without a value when there is nothing to measure."""
    family = GaugeMetricFamily(name, words)
    if value is not None:
        family.add_metric([], value)
    return family


def by(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def text() -> bytes:
    """All of it in the text format of Prometheus."""
    of_rows = CollectorRegistry()
    of_rows.register(Rows(figures()))
    return exposition.generate_latest(of_rows) + exposition.generate_latest(gauges.REGISTRY)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For who has LOADIFY_METRICS_TOKEN, and for admins who are signed in."""
    if not _has_token(request):
        who = request.user
        if not isinstance(who, User) or bearer(request) is not None:
            sentence = "Send LOADIFY_METRICS_TOKEN as a bearer token, or sign in as an admin.\n"
            return HttpResponse(sentence, "text/plain", 401, headers={"WWW-Authenticate": "Bearer"})
        if not who.may(Right.ADMIN):
            return HttpResponse(refusal(who, Right.ADMIN), "text/plain", 403)
    try:
        return HttpResponse(text(), exposition.CONTENT_TYPE_PLAIN_0_0_4)
    except (DatabaseError, InterfaceError):
        # What the process counts of itself is worth the most when the database is away; that the rest is missing shows.
        return HttpResponse(exposition.generate_latest(gauges.REGISTRY), exposition.CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: HttpRequest) -> bool:
    token, given = settings.LOADIFY_METRICS_TOKEN, bearer(request)
    return bool(token and given) and hmac.compare_digest(str(given).encode(), token.encode())
