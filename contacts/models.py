"""People a call centre may ring: contacts, of whom nobody is stored twice within minutes, and people, one for each e-mail."""

from django.db import models
from django.utils import timezone

from importer.values import ByteOrdered, KeyField, fold

#: The longest address that mail can be sent to (RFC 5321, §4.5.3.1.3, and its erratum 1690).
EMAIL_LENGTH = 254


class Contact(models.Model):
    """A contact as it came; the same phone or e-mail may come again after a while, and is then another contact."""

    NAME_LENGTH = 255
    #: A plus sign and at most 15 digits (ITU-T E.164); some more for what no country gives out.
    PHONE_LENGTH = 24

    name = models.CharField(max_length=NAME_LENGTH, blank=True)
    phone = ByteOrdered(max_length=PHONE_LENGTH)
    email = ByteOrdered("e-mail", max_length=EMAIL_LENGTH, blank=True)
    #: When it was stored, and until when its phone and e-mail may not be stored again. PostgreSQL bars overlaps (migration
    #: 0002); of one that a person let through before its time the two are the same, which overlaps nothing.
    created_at = models.DateTimeField(default=timezone.now)
    closed_until = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["phone", "created_at"], name="contact_phone"),
            models.Index(fields=["email", "created_at"], name="contact_email"),
            models.Index(fields=["created_at", "id"], name="contact_created"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone


class Person(models.Model):
    """A person known by an e-mail address, without regard to case and blanks; the first that came stays."""

    NAME_LENGTH = 255

    name = models.CharField(max_length=NAME_LENGTH, blank=True)
    email = models.CharField("e-mail", max_length=EMAIL_LENGTH)
    email_key = KeyField(of="email", folded_by=fold, max_length=3 * EMAIL_LENGTH)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint(fields=["email_key"], name="person_email_key_unique")]
        indexes = [models.Index(fields=["created_at", "id"], name="person_created")]

    def __str__(self) -> str:
        return self.name or self.email
