"""`manage.py up`: the whole of Loadify on this machine, until Ctrl-C."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from accounts.first_admin import AddressTaken, ensure_admin
from loadify import embedded, servers, supervisor


class Command(BaseCommand):
    help = "Starts database, broker, web, worker and beat; Ctrl-C stops them all. bin/up runs this."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir: Path = settings.DATA_DIR
        supervisor.stop_on_signals()
        running = supervisor.Supervisor(data_dir, self.say)
        try:
            self._bring_up(running)
            running.watch()
        except supervisor.Stop:
            self.say("Stopping.")
        except (servers.CannotStart, AddressTaken) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            if problem.errno not in servers.DISK_FULL:
                raise
            raise CommandError(f"The disk of {data_dir} is full: {problem}. Make room and start again.") from None
        finally:
            running.stop()
        self.say("Stopped.")

    def _bring_up(self, running: supervisor.Supervisor) -> None:
        port = port_wanted()
        self._lock = supervisor.lock(running.data_dir)
        servers.stop_leftovers(running.data_dir)
        if embedded.free_port(port) != port:
            raise servers.CannotStart(
                f"Port {port} is in use. Stop what listens there, or choose another: PORT={port + 1} bin/up"
            )
        running.start_servers()
        call_command("migrate", interactive=False, verbosity=0)
        admin = ensure_admin(os.environ.get("DJANGO_SUPERUSER_EMAIL", ""), os.environ.get("DJANGO_SUPERUSER_PASSWORD", ""))
        connection.close()
        if admin is not None:
            # At once: should the rest fail, the password is not lost.
            user, password = admin
            given = password == os.environ.get("DJANGO_SUPERUSER_PASSWORD")
            shown = "the password is DJANGO_SUPERUSER_PASSWORD" if given else f"password {password} (shown only now)"
            self.say(f"The first administrator is {user.email}, {shown}.")
        running.start_programs(port)
        running.wait_for_site(port)
        self.say(f"Loadify runs at http://127.0.0.1:{port}/  Logs are in {running.data_dir / 'log'}. Ctrl-C stops it.")

    def say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


def port_wanted() -> int:
    """PORT of the environment, 8000 when it is blank. Raises CannotStart for anything but a port."""
    text = os.environ.get("PORT", "").strip() or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise servers.CannotStart(f"PORT is “{text}”; write a number from 1 to 65535.")
    return int(text)
