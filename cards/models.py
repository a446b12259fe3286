"""Bank cards on their way to people: every report of a partner is an event of the card's timeline."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models.functions import Right
from django.utils import timezone

from importer.values import ByteOrdered


class Stage(models.IntegerChoices):
    """How far a card is; of two reports of the same moment the later stage counts."""

    PICKED_UP = 1, "Picked up"
    EXCEPTION = 2, "Not delivered"
    DELIVERED = 3, "Delivered"
    RETURNED = 4, "Returned"


class CardEvent(models.Model):
    """One report of a partner about a card."""

    REFERENCE_LENGTH = 50
    CARD_LENGTH = 50
    PHONE_LENGTH = 20
    COMMENT_LENGTH = 500
    #: By how many of its last digits a phone number is compared.
    PHONE_DIGITS = 9

    #: The partner's own number of the report.
    reference = models.CharField(max_length=REFERENCE_LENGTH, blank=True)
    #: In capital letters (cards.cleaners.card_id), so that any spelling finds it.
    card_id = ByteOrdered("card", max_length=CARD_LENGTH)
    stage = models.PositiveSmallIntegerField(choices=Stage)
    #: The digits as they were given.
    phone = ByteOrdered(max_length=PHONE_LENGTH, blank=True)
    phone_end = models.GeneratedField(
        expression=Right("phone", PHONE_DIGITS), output_field=models.CharField(max_length=PHONE_DIGITS), db_persist=True
    )
    at = models.DateTimeField()
    comment = models.CharField(max_length=COMMENT_LENGTH, blank=True)
    #: All that the report says, so that the same one is kept once (cards.datasets.event_key).
    event_key = ByteOrdered(max_length=200, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event_key"], name="card_event_key_unique")]
        indexes = [
            # The status of a card is the first of its events in this order.
            models.Index(fields=["card_id", "-at", "-stage", "-id"], name="card_event_latest"),
            models.Index(fields=["phone_end", "-at"], name="card_event_phone"),
            models.Index(fields=["at", "id"], name="card_event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.card_id} {self.get_stage_display().lower()}"

    @property
    def local_at(self) -> datetime:
        """The moment on the partner's clock."""
        return self.at.astimezone(ZoneInfo(settings.LOADIFY_CARDS_ZONE))
