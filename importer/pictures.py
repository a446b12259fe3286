"""Numbers as small pictures: points, paths and widths for the SVG of the pages, which carry no style attributes."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

#: As many columns as a phone can still tell apart.
COLUMNS = 60
#: A bucket with one line out of a million must still be seen: its share of the bar in thousandths.
THINNEST = 8
BAR_WIDTH = 1000


@dataclass(frozen=True)
class Point:
    """The speed, in rows per second, over a stretch of time that begins after `at` seconds of work."""

    at: float
    seconds: float
    rate: float


def speed_over_time(samples: Sequence[Sequence[float]], columns: int = COLUMNS) -> tuple[Point, ...]:
    """Turn [[seconds of work, rows handled so far], …] into speeds over equal stretches of time.

    Samples come with each commit, so they lie unevenly; between two of them rows are taken to flow evenly.
    """
    known = [(0.0, 0.0), *((float(at), float(rows)) for at, rows in samples if at > 0)]
    span = known[-1][0]
    if len(known) < 3 or span <= 0:
        return ()
    columns = min(columns, len(known) - 1)
    width = span / columns
    edges = [_rows_at(known, column * width) for column in range(columns + 1)]
    return tuple(Point(column * width, width, max(0.0, edges[column + 1] - edges[column]) / width) for column in range(columns))


def rows_until_now(samples: Sequence[Sequence[float]], ago: float, columns: int, width: float) -> list[float]:
    """Rows that were handled in each of `columns` stretches of `width` seconds, the last of which ends now.

    `ago` is how many seconds ago the last of the samples was taken.
    """
    known = [(0.0, 0.0), *((float(at), float(rows)) for at, rows in samples if at > 0)]
    end = known[-1][0] + ago
    edges = [_rows_at(known, max(0.0, end - (columns - column) * width)) for column in range(columns + 1)]
    return [max(0.0, later - sooner) for sooner, later in pairwise(edges)]


def _rows_at(known: Sequence[tuple[float, float]], moment: float) -> float:
    place = bisect_right(known, moment, key=lambda sample: sample[0])
    if place >= len(known):
        return known[-1][1]
    (left_at, left_rows), (right_at, right_rows) = known[place - 1], known[place]
    if right_at <= left_at:
        return right_rows
    return left_rows + (right_rows - left_rows) * (moment - left_at) / (right_at - left_at)


def area(points: Sequence[Point], width: int = 600, height: int = 100) -> str:
    """The `d` of an SVG path: a filled outline with one step per point, in a box of `width` × `height`."""
    if not points:
        return ""
    peak = max(point.rate for point in points) or 1.0
    step = width / len(points)
    steps = []
    for place, point in enumerate(points):
        top = height - point.rate / peak * (height - 2)
        steps.append(f"L{place * step:.1f} {top:.1f}H{(place + 1) * step:.1f}")
    return f"M0 {height}{''.join(steps)}V{height}Z"


@dataclass(frozen=True)
class Ahead:
    """How many things happen in each of some equal stretches of time, as columns (left, top, width, height) of a picture that
    is 600 wide and 100 high."""

    begin: datetime
    end: datetime
    most: int
    columns: tuple[tuple[float, float, float, float], ...]


def moments_ahead(moments: Iterable[datetime], now: datetime, columns: int = COLUMNS) -> Ahead | None:
    """A picture of `moments`, from `now` to the last; None when there are not at least two different ones."""
    known = sorted(max(moment, now) for moment in moments)
    if not known or known[0] == known[-1]:
        return None
    span = (known[-1] - now).total_seconds()
    counts = [0] * columns
    for moment in known:
        counts[min(columns - 1, int((moment - now).total_seconds() / span * columns))] += 1
    most, width = max(counts), 600 / columns
    drawn = ((place, max(2.0, count / most * 98)) for place, count in enumerate(counts) if count)
    bars = tuple(
        (round(place * width, 1), round(100 - height, 1), round(width - 1, 1), round(height, 1)) for place, height in drawn
    )
    return Ahead(now, known[-1], most, bars)


def widths(counts: Sequence[int], total: int = BAR_WIDTH) -> list[tuple[float, float]]:
    """Left edge and width of each part of a stacked bar, `total` wide in all; no part that holds anything vanishes."""
    whole = sum(counts)
    if whole <= 0:
        return [(0.0, 0.0) for _ in counts]
    wanted = [max(count / whole * total, THINNEST) if count > 0 else 0.0 for count in counts]
    scale = total / sum(wanted)
    parts: list[tuple[float, float]] = []
    left = 0.0
    for part in wanted:
        parts.append((round(left, 2), round(part * scale, 2)))
        left += part * scale
    return parts
