"""What templates say of webhooks: pictures, payloads and answers for people to read. `{% load webhooks %}`"""

import json
from collections.abc import Sequence
from http import HTTPStatus

from django import template

from webhooks import health, pictures
from webhooks.addresses import masked_url
from webhooks.event_types import EVENT_TYPES, TEST
from webhooks.models import Attempt, Event

register = template.Library()
register.filter("masked_url", masked_url)


@register.simple_tag
def webhooks_given_up() -> int:
    """How many receivers Loadify has switched off by itself, for the mark in the navigation."""
    return health.switched_off().count()


@register.filter
def bars(hours: Sequence[health.Hour]) -> list[pictures.Bar]:
    return pictures.bars(hours)


@register.filter
def type_words(event_type: str) -> str:
    """What a type of event means; its name where that is not known any more."""
    return "A test" if event_type == TEST else EVENT_TYPES.get(event_type, event_type)


@register.filter
def payload(event: Event) -> str:
    """The body of an event with line breaks and indents; what is sent has none."""
    return json.dumps(json.loads(bytes(event.body)), indent=2, ensure_ascii=False)


@register.filter
def answer(attempt: Attempt) -> str:
    """“200 OK”, or “No answer”."""
    if attempt.status is None:
        return "No answer"
    try:
        return f"{attempt.status} {HTTPStatus(attempt.status).phrase}"
    except ValueError:
        return str(attempt.status)


@register.filter
def took(seconds: float) -> str:
    """“84 ms”, “2.4 s”."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
