"""What a file is: the datasets and layouts that its headings fit, and where several do, the one that its name tells."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from importer import datasets
from importer.datasets import Dataset, Layout
from importer.mended import added
from importer.values import fold, quote


@dataclass(frozen=True)
class Kind:
    """A dataset, and one of its layouts where it has them."""

    dataset: Dataset
    layout: Layout | None = None

    @property
    def title(self) -> str:
        """For people: “Card reports (Delivered)”."""
        return f"{self.dataset.title} ({self.layout.title})" if self.layout else self.dataset.title

    @property
    def called(self) -> str:
        """Within its dataset."""
        return self.layout.title if self.layout else self.dataset.title

    @property
    def layout_name(self) -> str:
        return self.layout.name if self.layout else ""

    @property
    def seen(self) -> Dataset:
        """The dataset as files of this kind show it."""
        return self.dataset.seen_as(self.layout_name)

    def left_over(self, headings: Sequence[str]) -> int | None:
        """How many headings are of no column; None when the file is not of this kind: a column is missing, or stands twice."""
        own = headings[added(headings) :]
        found = self.seen.found(own)
        needed = (column.name for column in self.seen.columns if column.required)
        if any(len(places) > 1 for places in found.values()) or not all(found[name] for name in needed):
            return None
        return len(own) - sum(map(len, found.values()))


def kinds(dataset: Dataset) -> Iterator[Kind]:
    """The kinds of files of a dataset: its layouts, or itself."""
    if dataset.layouts:
        for layout in dataset.layouts:
            yield Kind(dataset, layout)
    else:
        yield Kind(dataset)


def all_kinds() -> list[Kind]:
    return [kind for dataset in datasets.all() for kind in kinds(dataset)]


def that_fit(among: Iterable[Kind], headings: Sequence[str], file_name: str) -> list[Kind]:
    """The kinds that a file may be of; exactly one when that is certain.

    Headings decide: of the kinds whose needed columns are all there, those fit that leave the fewest headings over. The name
    decides among several of them, when it names one. A name that tells another layout of the same dataset makes it uncertain:
    a report of deliveries without its comments has the headings of returns.
    """
    among = list(among)
    rests = [(kind, kind.left_over(headings)) for kind in among]
    least = min((rest for _, rest in rests if rest is not None), default=None)
    fitting = [kind for kind, rest in rests if rest is not None and rest == least]
    fitting = named(fitting, file_name) or fitting
    told = [kind for kind in named(among, file_name) if kind.layout and kind not in fitting]
    return fitting + [kind for kind in told if any(fit.dataset == kind.dataset for fit in fitting)]


def doubt(among: Sequence[Kind], file_name: str) -> str:
    """Why nobody can tell which of several kinds that fit a file is of: a piece of a sentence about the file."""
    told = named(among, file_name)
    if not told:
        return "its headings fit each of them, and its name does not tell which"
    others = " or ".join(quote(kind.called) for kind in among if kind not in told)
    return f"its headings are those of {others}, and its name tells {quote(told[0].called)}"


def named(among: Iterable[Kind], file_name: str) -> list[Kind]:
    """The only kind that a file's name tells, by the pattern of a layout or by the name of a dataset in front; else none."""
    among = list(among)
    by_pattern = [kind for kind in among if kind.layout and kind.layout.is_named(file_name)]
    by_dataset = [kind for kind in among if re.match(rf"{re.escape(kind.dataset.name)}(?![^\W\d_])", fold(file_name))]
    return next((found for found in (by_pattern, by_dataset) if len(found) == 1), [])


def layouts_that_fit(dataset: Dataset, headings: Sequence[str], file_name: str) -> list[Layout]:
    """The same for the layouts of one dataset."""
    return [kind.layout for kind in that_fit(kinds(dataset), headings, file_name) if kind.layout]


def layouts_named(dataset: Dataset, file_name: str) -> list[Layout]:
    """The only layout of a dataset that a file's name tells; else none."""
    return [kind.layout for kind in named(kinds(dataset), file_name) if kind.layout]


def perfect_elsewhere(dataset: Dataset, headings: Sequence[str], file_name: str) -> list[Kind]:
    """The kinds of other datasets that leave no heading over, of a file that does not fit this one so well."""
    if any(kind.left_over(headings) == 0 for kind in kinds(dataset)):
        return []
    others = [kind for kind in all_kinds() if kind.dataset.name != dataset.name and kind.left_over(headings) == 0]
    return named(others, file_name) or others
