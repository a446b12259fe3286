"""The last day of a receiver as a small picture: rectangles for the SVG of the pages, which carry no style attributes."""

from collections.abc import Sequence
from dataclasses import dataclass

from webhooks.health import Hour

#: Widths and heights in the units of the picture's viewBox.
STEP, WIDTH, HEIGHT = 10, 7, 40
#: One failure among a million must still be seen.
THINNEST = 3.0


@dataclass(frozen=True)
class Bar:
    """One part of an hour's column: `kind` is delivered, failed or none (a line to stand on)."""

    kind: str
    x: int
    y: float
    height: float


def bars(hours: Sequence[Hour]) -> list[Bar]:
    """Columns for hours, the busiest one as high as the picture: what was delivered below, what failed above."""
    peak = max((hour.delivered + hour.failed for hour in hours), default=0)
    found = []
    for place, hour in enumerate(hours):
        x = place * STEP
        delivered, failed = (_height(number, peak) for number in (hour.delivered, hour.failed))
        delivered = min(delivered, HEIGHT - failed)
        if not delivered and not failed:
            found.append(Bar("none", x, HEIGHT - 1, 1))
        if delivered:
            found.append(Bar("delivered", x, round(HEIGHT - delivered, 1), round(delivered, 1)))
        if failed:
            found.append(Bar("failed", x, round(HEIGHT - delivered - failed, 1), round(failed, 1)))
    return found


def _height(number: int, peak: int) -> float:
    return max(number / peak * HEIGHT, THINNEST) if number else 0.0
