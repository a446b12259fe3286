"""`manage.py take_imports on|off`: the switch "take no new imports", for scripts of a maintenance."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from importer import maintenance


class Command(BaseCommand):
    help = "Turn the taking of new imports off, with a reason that people are told, or on again. What was begun goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("switch", choices=["on", "off"])
        parser.add_argument("--reason", default="", help="why, and until when; at most 200 characters")

    def handle(self, *args: Any, **options: Any) -> None:
        reason = options["reason"].strip()
        if len(reason) > 200:
            raise CommandError(f"The reason has {len(reason)} characters; at most 200 are told.")
        if options["switch"] == "off":
            maintenance.close(None, reason)
        elif reason:
            raise CommandError("A reason is told only while no imports are taken: take_imports off --reason …")
        else:
            maintenance.open_again(None)
        switch = maintenance.closed()
        self.stdout.write(maintenance.sentence(switch) if switch else "New imports are taken.")
