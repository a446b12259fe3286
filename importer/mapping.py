"""Which cell of a file goes into which column: matched by name and alias, or as it was done the last time."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils import timezone

from importer import models
from importer.datasets import Dataset
from importer.mended import added
from importer.values import fold


@dataclass(frozen=True)
class Suggestion:
    """`places` {column: place of its cell, from 0}; `blank` {column: "keep" or "clear"}, where that was chosen once."""

    places: Mapping[str, int]
    blank: Mapping[str, str] = field(default_factory=dict)
    #: A person mapped a file with these headings before, and this is how.
    remembered: bool = False

    def missing(self, dataset: Dataset) -> list[str]:
        """The columns that the dataset needs and that have no cell."""
        return [column.name for column in dataset.columns if column.required and column.name not in self.places]


def match(dataset: Dataset, headings: Sequence[str]) -> dict[str, int]:
    """The places of the columns that can be told by name or alias; of a heading that stands twice, none."""
    skip = added(headings)
    return {column: places[0] + skip for column, places in dataset.found(headings[skip:]).items() if len(places) == 1}


def suggest(dataset: Dataset, headings: Sequence[str], heading: bool = True) -> Suggestion:
    """What is remembered of such a file, or else what its names say. Without a `heading` line there are only places."""
    matched = match(dataset, headings) if heading else {}
    stored = models.Mapping.objects.filter(dataset=dataset.name, headings_hash=fingerprint(headings, dataset.as_layout)).first()
    if stored is None:
        return Suggestion(matched)
    names = {column.name for column in dataset.columns}
    skip = added(headings)
    at = {text: place for place, text in enumerate(_folded(headings[skip:]), skip)}
    places = {name: at[fold(text)] for name, text in stored.columns.items() if name in names and fold(text) in at}
    blank = {name: choice for name, choice in stored.blank.items() if name in names}
    return Suggestion(places, blank, remembered=True)


def remember(dataset: Dataset, headings: Sequence[str], places: Mapping[str, int], blank: Mapping[str, str]) -> None:
    """Keep for the next file with these headings how this one is read."""
    skip = added(headings)
    names = dict(enumerate(_folded(headings[skip:]), skip))
    models.Mapping.objects.update_or_create(
        dataset=dataset.name,
        headings_hash=fingerprint(headings, dataset.as_layout),
        defaults={
            "columns": {column: names[place] for column, place in places.items() if place in names},
            "blank": dict(blank),
            "used_at": timezone.now(),
        },
    )


def is_perfect(dataset: Dataset, headings: Sequence[str], suggestion: Suggestion) -> bool:
    """True when there is nothing to ask: every heading and every needed column found its other half, by name alone."""
    places = match(dataset, headings)
    usual = all(choice == dataset.column(name).blank for name, choice in suggestion.blank.items())
    plain = len(places) == len(headings) - added(headings) and not Suggestion(places).missing(dataset)
    return plain and usual and dict(suggestion.places) == places


def looks_like_data(dataset: Dataset, first: Sequence[str]) -> bool:
    """True when the first line of a file seems to be no heading: no cell is a known name, and one is blank or holds a digit or
    an at sign."""
    return not match(dataset, first) and any(not cell.strip() or "@" in cell or any(map(str.isdigit, cell)) for cell in first)


def numbered(cells: Sequence[str]) -> list[str]:
    """The headings of a file that has none."""
    return [f"Column {place}" for place, _ in enumerate(cells, 1)]


def fingerprint(headings: Sequence[str], layout: str = "") -> str:
    """sha256 of the folded headings, sorted: the same set in another order is the same file, and so is one of its rejects.

    Each layout of a dataset remembers for itself: the same heading may mean another column there.
    """
    # The unit separator, because a heading may hold any mark that a line can.
    text = "\x1f".join(sorted(_folded(headings[added(headings) :])))
    return hashlib.sha256((f"{layout}\x1e{text}" if layout else text).encode("utf-8", "surrogateescape")).hexdigest()


def _folded(headings: Sequence[str]) -> list[str]:
    """The folded headings; the second and later ones of the same text are numbered, so that each is told apart."""
    seen: Counter[str] = Counter()
    folded = []
    for text in map(fold, headings):
        seen[text] += 1
        folded.append(f"{text} ({seen[text]})" if seen[text] > 1 else text)
    return folded
