"""What the API remembers: answers that a program may ask for again, and how often somebody has called."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class Answer(models.Model):
    """The answer to a POST with an Idempotency-Key, given again when the same request comes once more."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    #: sha256 of method, path and body in hex: the same key with another request is a mistake of the program.
    request = models.CharField(max_length=64)
    #: None while the first request is being worked on.
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="answer_key_unique")]
        indexes = [models.Index(fields=["at"], name="answer_at_idx")]

    def __str__(self) -> str:
        return f"answer to {self.key}"


class Calls(models.Model):
    """How often somebody has called in one minute."""

    #: Whose: "user 7", or an address for those who are nobody.
    caller = models.CharField(max_length=100)
    #: Minutes since 1970.
    minute = models.BigIntegerField()
    number = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "calls"
        constraints = [models.UniqueConstraint(fields=["caller", "minute"], name="calls_minute_unique")]
        indexes = [models.Index(fields=["minute"], name="calls_minute_idx")]

    def __str__(self) -> str:
        return f"{self.number} calls by {self.caller}"
