"""What happens when the key of a row is there already."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings


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
    holds the while, in seconds; the model keeps the moment of storing in `stored_at`.
    """

    match: tuple[str, ...]
    setting: str

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=getattr(settings, self.setting))


Policy = Overwrite | KeepFirst | HoldWithin
