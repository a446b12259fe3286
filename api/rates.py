"""How often somebody may call the API: LOADIFY_API_RATE calls a minute for each person, and for each address a tenth of that
without a token that is good."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse

from accounts.audit import address_of
from accounts.models import User
from api.models import Calls
from api.problems import TooOften, too_often

#: Minutes after which nobody asks for a count any more.
KEPT = 5

View = Callable[..., HttpResponse]


def limited(view: View) -> View:
    """A view that counts calls without a good token, and answers 429 when there are too many."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code != 401 or not settings.LOADIFY_API_RATE:
            return response
        many = counted(f"address {address_of(request)}") > settings.LOADIFY_API_RATE / 10
        return too_often(request, TooOften(seconds_left())) if many else response

    return answer


def count(user: User) -> None:
    """Count a call of somebody. Raises TooOften."""
    if settings.LOADIFY_API_RATE and counted(f"user {user.pk}") > settings.LOADIFY_API_RATE:
        raise TooOften(seconds_left())


def counted(caller: str) -> int:
    """The calls of this minute, this one among them."""
    minute = int(time.time()) // 60
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO api_calls (caller, minute, number) VALUES (%s, %s, 1)"
                " ON CONFLICT (caller, minute) DO UPDATE SET number = api_calls.number + 1 RETURNING number",
                [caller, minute],
            )
            number = int(cursor.fetchone()[0])
    else:
        number = _counted_elsewhere(caller, minute)
    if number == 1:
        Calls.objects.filter(minute__lt=minute - KEPT).delete()
    return number


def seconds_left() -> int:
    """Until the next minute begins."""
    return 60 - int(time.time()) % 60


def _counted_elsewhere(caller: str, minute: int) -> int:
    mine = Calls.objects.filter(caller=caller, minute=minute)
    if not mine.update(number=F("number") + 1):
        try:
            with transaction.atomic():
                Calls.objects.create(caller=caller, minute=minute, number=1)
        except DatabaseError:
            mine.update(number=F("number") + 1)
    return mine.values_list("number", flat=True).first() or 1
