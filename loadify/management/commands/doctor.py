"""`manage.py doctor`: looks at everything that newcomers get wrong, and says what to do."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from loadify.checks import Wrong
from loadify.checkup import checkup


class Command(BaseCommand):
    help = "Checks versions, settings, database, broker, workers, storage and clock. Exits with 1 when something is wrong."
    # What they find would be said instead of what to do about it.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for name, found in checkup():
            if isinstance(found, Wrong):
                failed += 1
                self.stdout.write(f"{self.style.ERROR('✗')} {name}: {found.problem}\n  → {found.remedy}")
            else:
                self.stdout.write(f"{self.style.SUCCESS('✓')} {name}: {found}")
            self.stdout.flush()
        if failed:
            self.stdout.write(f"\n{failed} of these {'needs' if failed == 1 else 'need'} you.")
            sys.exit(1)
        self.stdout.write("\nAll is well.")
