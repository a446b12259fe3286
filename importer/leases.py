"""Work that only one process may do at a time, wherever it runs: a row that is taken with one conditional UPDATE."""

import time
import uuid
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from importer.models import Lease


class Turn:
    """One process' hold on the work called `name`; who does not renew it in time (seconds, the database's clock) loses it."""

    def __init__(self, name: str, seconds: float, holder: str = "") -> None:
        self.name, self.length = name, timedelta(seconds=seconds)
        self.holder = f"{holder} {uuid.uuid4().hex}".strip()
        self._half = 0.0

    def is_half_over(self) -> bool:
        """Whether it is time to take it again."""
        return time.monotonic() > self._half

    def take(self) -> bool:
        """Take it, or keep it for longer; False when somebody else has it."""
        self._half = time.monotonic() + self.length.total_seconds() / 2
        mine = Lease.objects.filter(Q(holder=self.holder) | Q(until__lt=Now()), name=self.name)
        if mine.update(holder=self.holder, until=Now() + self.length):
            return True
        if Lease.objects.filter(name=self.name).exists():
            return False
        try:
            with transaction.atomic():
                Lease.objects.create(name=self.name, holder=self.holder, until=Now() + self.length)
        except IntegrityError:
            return False
        return True

    def give_back(self) -> None:
        Lease.objects.filter(name=self.name, holder=self.holder).delete()


def end(name: str, holder: str, seconds: float) -> None:
    """Take the work called `name` from a process whose `holder` begins so; it notices when half of its time is over. Nobody
    has it for so many seconds."""
    held = Lease.objects.filter(name=name, holder__startswith=holder)
    held.update(holder="nobody", until=Now() + timedelta(seconds=seconds))
