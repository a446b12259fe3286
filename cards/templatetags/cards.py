"""Moments on the partner's clock, as pages say them. `{% load cards %}`"""

from datetime import datetime

from django import template
from django.utils.dateformat import format as formatted

register = template.Library()


@register.filter
def moment(at: datetime) -> str:
    """“14 Nov 2023, 13:34”, with seconds where there are any; on whatever clock `at` is."""
    return formatted(at, "j M Y, H:i:s" if at.second else "j M Y, H:i")


@register.filter
def offset(at: datetime) -> str:
    """How far the clock of `at` is from UTC: “UTC+04:00”."""
    return f"UTC{at.isoformat()[-6:]}"


@register.filter
def iso(at: datetime) -> str:
    """ISO 8601 with the offset of the clock of `at`."""
    return at.isoformat()
