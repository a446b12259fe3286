"""The page for admins that shows how the site does at this moment: the figures of /metrics as pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import Right
from accounts.rights import needs
from importer.pictures import widths
from importer.relay import relay
from importer.states import NEEDS_SOMEBODY, WORKING, ExportState, State
from loadify import gauges, health
from loadify.checks_services import PULSE
from loadify.figures import figures
from pages.http import render_part

Group = tuple[str, str, frozenset[str]]

#: (kind, which gives the colour; words; states)
IMPORTS: tuple[Group, ...] = (
    ("waits", "in the queue", frozenset({State.QUEUED, State.WAITING})),
    ("works", "at work", WORKING | {State.CONSUMING}),
    ("asks", "waiting for somebody", NEEDS_SOMEBODY),
    ("done", "done", frozenset({State.DONE})),
    ("failed", "failed", frozenset({State.FAILED})),
    ("ended", "cancelled or undone", frozenset({State.CANCELLED, State.UNDONE})),
)
EXPORTS: tuple[Group, ...] = (
    ("waits", "in the queue", frozenset({ExportState.QUEUED})),
    ("works", "at work", frozenset({ExportState.WRITING})),
    ("asks", "paused", frozenset({ExportState.PAUSED})),
    ("done", "done", frozenset({ExportState.DONE})),
    ("failed", "failed", frozenset({ExportState.FAILED})),
    ("ended", "cancelled", frozenset({ExportState.CANCELLED})),
)
WORDS = {"database": "Database", "migrations": "Migrations", "broker": "Broker", "storage": "Storage"}
#: Units of the picture of speed: one column a minute, and its height.
STEP, HEIGHT = 10, 100


@dataclass(frozen=True)
class Part:
    """A part of a stacked bar that is 1,000 wide."""

    kind: str
    words: str
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class Column:
    """One minute of the picture of speed."""

    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Share:
    """One of several bars under each other; `of` is the largest of them."""

    words: str
    count: int
    of: int


def stacked(counts: Mapping[str, int], groups: Iterable[Group]) -> list[Part]:
    summed = [(kind, words, sum(counts[state] for state in states)) for kind, words, states in groups]
    drawn = widths([count for _, _, count in summed])
    return [Part(*group, *place) for group, place in zip(summed, drawn, strict=True)]


def columns(minutes: Iterable[float]) -> list[Column]:
    """Columns of the rows of each minute, the highest as high as the picture; what is little can still be seen."""
    known = list(minutes)
    peak = max(known, default=0.0)
    heights = [max(2.0, rows / peak * HEIGHT) if rows else 0.0 for rows in known]
    return [Column(place * STEP, round(HEIGHT - height, 1), round(height, 1)) for place, height in enumerate(heights) if height]


def shares(counts: Mapping[str, int]) -> list[Share]:
    most = max(counts.values(), default=0)
    return [Share(name, count, most) for name, count in sorted(counts.items(), key=lambda item: -item[1])]


@never_cache
@require_safe
@needs(Right.ADMIN)
def operations(request: HttpRequest) -> HttpResponse:
    """The figures of now; htmx asks for them again and again."""
    found = figures()
    checks = [(WORDS[name], sentence) for name, sentence in health.readiness.ask().items()]
    late = found.pulse is None or found.pulse > PULSE
    checks.append(("Timetable", "Nothing goes on by itself: beat or its worker does not run." if late else "ok"))
    context = {
        "found": found,
        "checks": checks,
        "wrong": [check for check in checks if check[1] != "ok"],
        "imports": stacked(found.imports.imports, IMPORTS),
        "exports": stacked(found.imports.exports, EXPORTS),
        "columns": columns(found.imports.minutes),
        "peak": max(found.imports.minutes) / 60,
        "tries": {kind: sum(getattr(hour, kind) for hour in found.webhooks.hours) for kind in ("delivered", "failed")},
        "connections": shares(found.connections),
        "disk_used": found.disk.total - found.disk.free,
        "viewers": gauges.viewers(),
        "relay": relay,
        "tick": relay.seconds / relay.ticks if relay.ticks else None,
    }
    return render_part(request, "loadify/operations.html", "loadify/_operations.html", context)
