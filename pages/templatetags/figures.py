"""Numbers as people read them: counts, sizes, speeds, and stretches of time. `{% load figures %}`"""

import math

from django import template

register = template.Library()

_SIZES = ("bytes", "kB", "MB", "GB", "TB")


@register.filter
def count(number: float | None) -> str:
    """466667 → “466,667”; None → a dash."""
    return "–" if number is None else f"{round(number):,}"


@register.filter
def ordinal(number: int) -> str:
    """1 → “1st”, 12 → “12th”, 1022 → “1,022nd”."""
    last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 % 10 != 1 else "th"
    return f"{number:,}{last}"


@register.filter
def size(octets: float | None) -> str:
    """Octets in decimal units, as disks and networks count: 118489088 → “118 MB”."""
    if octets is None:
        return "–"
    amount = float(octets)
    for unit in _SIZES:
        if amount < 999.5 or unit == _SIZES[-1]:
            break
        amount /= 1000
    digits = 0 if unit == "bytes" or amount >= 99.95 else 1
    return f"{amount:,.{digits}f} {unit}"


@register.filter
def rate(rows_per_second: float | None) -> str:
    """Rows per second to two digits that count, so that the number rests while the speed trembles: “56,000 rows/s”."""
    if rows_per_second is None:
        return "–"
    if rows_per_second < 10:
        return f"{rows_per_second:.1f} rows/s"
    step = 10 ** (math.floor(math.log10(rows_per_second)) - 1)
    return f"{round(rows_per_second / step) * step:,} rows/s"


@register.filter
def duration(seconds: float | None) -> str:
    """How long something took: “0.4 s”, “8.9 s”, “2 min 5 s”, “1 h 2 min”; None → a dash."""
    if seconds is None:
        return "–"
    if seconds < 59.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@register.filter
def clock(seconds: float | None) -> str:
    """A running clock: “0:07”, “12:34”, “1:02:03”. static/live.js counts on in the same form."""
    whole = int(seconds or 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def roughly(seconds: float | None) -> str:
    """Time left, in steps so coarse that it does not flicker: “a few seconds”, “about 25 s”, “about 4 min”."""
    if seconds is None:
        return "–"
    if seconds < 5:
        return "a few seconds"
    if seconds < 57.5:
        return f"about {5 * round(seconds / 5)} s"
    if seconds < 115:
        minutes, rest = divmod(10 * round(seconds / 10), 60)
        return f"about {minutes} min {rest} s" if rest else f"about {minutes} min"
    if seconds < 3570:
        return f"about {round(seconds / 60)} min"
    hours, minutes = divmod(10 * round(seconds / 600), 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"


@register.filter
def percent(number: float) -> str:
    """Rounded down, so that 100 % stands only where all is done: 99.9 → “99 %”."""
    return f"{math.floor(number)} %"


@register.filter
def tail(public_id: object) -> str:
    """The last eight characters of a public id: enough to tell two things apart when people talk about them."""
    return str(public_id)[-8:]
