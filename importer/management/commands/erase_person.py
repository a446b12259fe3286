"""`manage.py erase_person TEXT`: removes everything that is kept of one person, as the page does."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from importer import erasure
from importer.models import Erasure
from importer.values import ImportProblem


class Command(BaseCommand):
    help = "Remove everything that is kept of the person with the e-mail address or phone number TEXT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("text", help="an e-mail address or a phone number in any spelling; - reads it from standard input")
        parser.add_argument("--look", action="store_true", help="say what would be removed, and remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        # What stands on a command line stays in the shell's history.
        text = sys.stdin.readline() if options["text"] == "-" else options["text"]
        try:
            said = self._seen(erasure.look(text)) if options["look"] else self._done(erasure.erase(text, None))
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write("\n".join(said))

    def _seen(self, seen: erasure.Look) -> list[str]:
        said = [f"{place}: {number:,}" for place, number in seen.counts.items()]
        said += [f"File: {file.name} of {file.at:%d %B %Y}" for file in seen.files]
        said += [f"Nobody can read this file: {file.name} of {file.at:%d %B %Y}" for file in seen.unreadable]
        said += [f"{problem}{f' ({problem.run.public_id})' if problem.run else ''}" for problem in seen.in_the_way]
        return [*(said or ["There is nothing of this person."]), *map(self._before, seen.before)]

    def _before(self, done: Erasure) -> str:
        return f"It was erased before, on {done.at:%d %B %Y, %H:%M}, by {done.person or 'the command line'}."

    def _done(self, done: Erasure) -> list[str]:
        said = [f"{place}: {number:,}" for place, number in done.removed] or ["There was nothing of this person."]
        if done.files_left:
            said.append(f"Storage did not let go of {len(done.files_left):,} files; the timetable tries again.")
        return said
