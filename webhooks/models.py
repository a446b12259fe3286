"""What webhooks remember: receivers, what happened, one copy of it for each receiver, and every try to bring it there."""

import os
import time
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from webhooks.addresses import masked_url


def message_id() -> str:
    """The `webhook-id` of an event: sorts by time of making, the same over every try and replay."""
    return f"evt_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


class Endpoint(models.Model):
    """A receiver: where events go, which ones, and how it has been doing."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, blank=True)
    url = models.CharField("URL", max_length=2000)
    #: Types of events it wants; empty means all, those of later versions included.
    event_types = models.JSONField(default=list, blank=True)
    active = models.BooleanField(default=True)
    #: Sealed (webhooks/vault.py). The one before signs, too, until `old_secret_until`.
    secret = models.TextField()
    old_secret = models.TextField(blank=True)
    old_secret_until = models.DateTimeField(null=True)

    #: Tries in a row that failed; what a success sets back to nothing.
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    #: The circuit breaker: until then nothing is sent, then one delivery is tried.
    rests_until = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    #: Why Loadify switched it off by itself; blank when a person did, or when it is on.
    notice = models.TextField(blank=True)

    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name or masked_url(self.url)


class Event(models.Model):
    """Something that happened, as the bytes that every receiver gets and that are signed."""

    message_id = models.CharField(max_length=40, default=message_id, unique=True, editable=False)
    type = models.CharField(max_length=60)
    body = models.BinaryField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["at"], name="webhook_event_at_idx")]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"


class Delivery(models.Model):
    """One receiver's copy of an event, and when to try next. The row is the truth: no message to a worker carries it."""

    class State(models.TextChoices):
        DUE = "due", "On its way"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Given up"

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries", db_index=False)
    state = models.CharField(max_length=10, choices=State, default=State.DUE)
    #: Tries since it was made, or since somebody asked to send it again.
    tries = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    #: Until then it belongs to the coordinator that claimed it; `claim` tells one claim from the next.
    lease_until = models.DateTimeField(null=True)
    claim = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="webhook_delivery_once")]
        indexes = [
            models.Index(fields=["endpoint", "next_at", "id"], name="webhook_due_idx", condition=Q(state="due")),
            models.Index(fields=["endpoint"], name="webhook_leased_idx", condition=Q(state="due", lease_until__isnull=False)),
            models.Index(fields=["endpoint", "-id"], name="webhook_log_idx"),
            models.Index(fields=["endpoint", "-id"], name="webhook_failed_idx", condition=Q(state="failed")),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}, {self.state}"


class Attempt(models.Model):
    """One try: what was asked and what was answered, with everything secret masked."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    seconds = models.FloatField()
    url = models.TextField()
    request_headers = models.JSONField(default=dict)
    #: None when no answer came; `error` says why.
    status = models.PositiveSmallIntegerField(null=True)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="webhook_attempt_idx")]

    def __str__(self) -> str:
        return self.error or f"answered {self.status}"

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Tally(models.Model):
    """How many tries of one hour a receiver took, and how many failed: what pictures are drawn from without counting."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="tallies", db_index=False)
    hour = models.DateTimeField()
    delivered = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [models.UniqueConstraint(fields=["endpoint", "hour"], name="webhook_tally_once")]

    def __str__(self) -> str:
        return f"{self.endpoint_id} at {self.hour}: {self.delivered} delivered, {self.failed} failed"


#: How long an old secret signs beside the new one.
OVERLAP = timedelta(hours=24)


def signing_until(endpoint: Endpoint) -> datetime | None:
    """Until when the old secret signs beside the present one; None when there is no other any more."""
    until = endpoint.old_secret_until
    return until if until and until > timezone.now() else None
