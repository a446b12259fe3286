"""What follows from a try: delivered, tried again later, or given up; and how the receiver is doing."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from webhooks import tallies
from webhooks.addresses import MASK, masked_url
from webhooks.claims import Claimed
from webhooks.client import Answer
from webhooks.models import Attempt, Delivery, Endpoint

#: How long after the try before each try comes; after the last one a delivery is given up. The schedule that Standard
#: Webhooks 1.0 recommends.
SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
#: Up or down by this part, so that what failed together does not come back together.
JITTER = 0.2
#: A receiver may ask for more patience with Retry-After, but not for more than this.
LONGEST_WAIT = timedelta(hours=24)

#: Failures in a row after which a receiver gets a rest, how long the first one is, and the longest.
BREAKS_AT, FIRST_REST, LONGEST_REST = 5, timedelta(seconds=30), timedelta(minutes=15)
#: A receiver that has not taken anything for so long is switched off.
HOPELESS = timedelta(days=5)

_SECRET_HEADERS = frozenset({"webhook-signature", "authorization", "cookie", "set-cookie", "proxy-authorization"})


@dataclass(frozen=True)
class Outcome:
    """One try of a claimed delivery: when it began, what was sent, what came back."""

    claimed: Claimed
    at: datetime
    headers: dict[str, str]
    answer: Answer

    @property
    def succeeded(self) -> bool:
        return self.answer.status is not None and 200 <= self.answer.status < 300


def settle(outcomes: Sequence[Outcome], *, retry: bool = True) -> list[Attempt]:
    """Write down what came of some tries, in one transaction; returns the Attempts.

    A delivery whose claim was lost meanwhile only gets its Attempt: somebody else decides what follows. One that was
    deleted gets nothing. Without `retry`, one try is all there is, and a failure says nothing of the receiver.
    """
    now = timezone.now()
    with transaction.atomic():
        # Receivers first, as a claim locks them; in the order of their ids, so that two coordinators cannot wait in a circle.
        _judge([outcome for outcome in outcomes if retry or outcome.succeeded], now)
        wanted = [outcome.claimed.id for outcome in outcomes]
        locked = Delivery.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
        claims = dict(locked.values_list("pk", "claim"))
        kept = [outcome for outcome in outcomes if outcome.claimed.id in claims]
        attempts = Attempt.objects.bulk_create(_attempt(outcome) for outcome in kept)
        tallies.add([(outcome.claimed.endpoint_id, outcome.succeeded) for outcome in kept], now)
        mine = [outcome for outcome in kept if claims[outcome.claimed.id] == outcome.claimed.claim]
        _deliveries(outcome for outcome in mine if outcome.succeeded).update(
            state=Delivery.State.DELIVERED, finished_at=now, **_TRIED
        )
        for outcome in mine:
            if not outcome.succeeded:
                _deliveries([outcome]).update(**_after_failure(outcome, now, retry), **_TRIED)
    return attempts


_TRIED: dict[str, Any] = {"lease_until": None, "tries": F("tries") + 1}


def _deliveries(outcomes: Iterable[Outcome]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=[outcome.claimed.id for outcome in outcomes], state=Delivery.State.DUE)


def _after_failure(outcome: Outcome, now: datetime, retry: bool) -> dict[str, Any]:
    tries = outcome.claimed.tries + 1
    if not retry or tries >= len(SCHEDULE):
        return {"state": Delivery.State.FAILED, "finished_at": now}
    return {"next_at": now + max(jittered(SCHEDULE[tries]), asked_for(outcome.answer, now))}


def _judge(outcomes: Sequence[Outcome], now: datetime) -> None:
    """Keep account of how the receivers are doing: failures in a row, rests, and the end of patience."""
    well = {outcome.claimed.endpoint_id for outcome in outcomes if outcome.succeeded}
    failed = {outcome.claimed.endpoint_id for outcome in outcomes if not outcome.succeeded}
    stale = Q(failures__gt=0) | Q(succeeded_at=None) | Q(succeeded_at__lt=now - timedelta(minutes=1))
    # Most receivers are well and were so a moment ago: nothing is written then.
    touched = Endpoint.objects.filter(Q(pk__in=failed) | Q(pk__in=well) & stale)
    for endpoint in touched.select_for_update(no_key=connection.features.has_select_for_no_key_update).order_by("pk"):
        for outcome in outcomes:
            if outcome.claimed.endpoint_id == endpoint.pk:
                _judge_one(endpoint, outcome, now)
        endpoint.save(update_fields=["failures", "failing_since", "rests_until", "succeeded_at", "active", "notice"])


def _judge_one(endpoint: Endpoint, outcome: Outcome, now: datetime) -> None:
    if outcome.succeeded:
        endpoint.failures, endpoint.failing_since, endpoint.rests_until, endpoint.succeeded_at = 0, None, None, now
        return
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    rest = asked_for(outcome.answer, now)
    if endpoint.failures >= BREAKS_AT:
        rest = max(rest, jittered(FIRST_REST * 2 ** min(endpoint.failures - BREAKS_AT, 20)))
    if rest:
        endpoint.rests_until = now + min(rest, LONGEST_REST)
    if outcome.answer.status == 410:
        endpoint.active = False
        endpoint.notice = "It answered 410 Gone, which asks us to send nothing more."
    elif endpoint.failures >= BREAKS_AT and now - endpoint.failing_since >= HOPELESS:
        endpoint.active = False
        endpoint.notice = (
            f"It has taken nothing since {endpoint.failing_since:%-d %B %Y, %H:%M} UTC. The last try: {outcome.answer}"
        )


def jittered(wait: timedelta) -> timedelta:
    return wait * random.uniform(1 - JITTER, 1 + JITTER)


def asked_for(answer: Answer, now: datetime) -> timedelta:
    """The pause that a receiver asks for by Retry-After (RFC 9110 §10.2.3: seconds, or a date); none when it does not."""
    text = next((value for name, value in answer.headers.items() if name.lower() == "retry-after"), "").strip()
    try:
        wait = timedelta(seconds=int(text)) if text.isascii() and text.isdecimal() else _until(text, now)
    except (ValueError, OverflowError):
        return timedelta()
    return min(max(wait, timedelta()), LONGEST_WAIT)


def _until(text: str, now: datetime) -> timedelta:
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now


def _attempt(outcome: Outcome) -> Attempt:
    answer = outcome.answer
    return Attempt(
        delivery_id=outcome.claimed.id,
        number=outcome.claimed.tries + 1,
        at=outcome.at,
        seconds=answer.seconds,
        url=masked_url(outcome.claimed.url),
        request_headers=masked(outcome.headers),
        status=answer.status,
        response_headers=masked(answer.headers),
        response_body=answer.body.replace("\0", "␀"),
        error=answer.error.replace("\0", "␀"),
    )


def masked(headers: dict[str, str]) -> dict[str, str]:
    """Headers as the log keeps them: without what would let a reader of the log pose as somebody else."""
    return {name: MASK if name.lower() in _SECRET_HEADERS else value.replace("\0", "␀") for name, value in headers.items()}
