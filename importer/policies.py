"""What happens when the key of a row is there already."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

#: A column and a value in it.
Value = tuple[str, str]
#: How far back a row is looked for that was stored under a longer window than the present one.
LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class Overwrite:
    """The row gets the values of the file; of several lines with one key the last one wins."""


@dataclass(frozen=True)
class KeepFirst:
    """The row stays as it is, and the line counts as unchanged; of several lines with one key the first one wins."""


@dataclass(frozen=True)
class HoldWithin:
    """Every line becomes a row, but none that shares a value of a column of `match` with one stored less than a while ago.

    A line that comes too early is held until it may be stored. Blank values match nothing. `setting` names the setting that
    holds the while, in seconds. The model keeps the moment of storing in `created_at`, and in its field `until` the moment
    from which its values may be stored again, which stands when the setting is lowered.
    """

    match: tuple[str, ...]
    setting: str
    until: str

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=getattr(settings, self.setting))

    def since(self, now: datetime) -> datetime:
        """Rows stored earlier bar nothing any more."""
        return now - max(self.window, LONGEST)

    def free(self, stored: datetime, until: datetime) -> datetime:
        """From when the values of rows may be stored again, by the latest moment of storing and the latest `until`."""
        return max(stored + self.window, until)


Policy = Overwrite | KeepFirst | HoldWithin


class Moments:
    """When rows may be stored, one after the other: each moment is `window` behind the last one with a value in common."""

    def __init__(self, window: timedelta, now: datetime) -> None:
        self.window = window
        self.now = now
        self.free: dict[Value, datetime] = {}

    def know(self, value: Value, free: datetime | None) -> None:
        """`value` may be stored from `free` on; what is known of it already stands."""
        if free is not None:
            self.free.setdefault(value, free)

    def of(self, values: Iterable[Value]) -> datetime:
        """The moment of the next row, which has `values`, blank ones left out: `now`, or later when it comes too early."""
        having = list(values)
        moment = max([self.now, *(self.free[value] for value in having if value in self.free)])
        for value in having:
            self.free[value] = moment + self.window
        return moment
