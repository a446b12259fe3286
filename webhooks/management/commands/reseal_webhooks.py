"""`manage.py reseal_webhooks`: seal the secrets of all webhooks with the key that stands first in LOADIFY_WEBHOOK_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webhooks import endpoints, vault


class Command(BaseCommand):
    help = "After a new key was put in front of LOADIFY_WEBHOOK_KEYS: seals every secret with it. Then the old key may go."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = endpoints.reseal_all()
        except vault.CannotUnseal as problem:
            raise CommandError(f"{problem} Nothing was changed.") from None
        self.stdout.write(f"The secrets of {count} webhooks are sealed with the first key; the others are not needed any more.")
