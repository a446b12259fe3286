"""What the timetable does for accounts."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.models import AuditEntry


@shared_task(name="accounts.forget_entries", ignore_result=True)
def forget_entries() -> int:
    """Delete entries of the log that are older than LOADIFY_AUDIT_DAYS; 0 keeps them for ever."""
    if not settings.LOADIFY_AUDIT_DAYS:
        return 0
    old = AuditEntry.objects.filter(at__lt=timezone.now() - timedelta(days=settings.LOADIFY_AUDIT_DAYS))
    return old.delete()[0]
