"""What a row of a file means: datasets, their columns and keys, and the register they are found in.

A new dataset is one `datasets.py` in its app that calls `register`; the engine finds it at the start.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeAlias

from django.db import models

from importer.policies import HoldWithin, KeepFirst, Overwrite, Policy
from importer.values import BadFile, BadHeading, Cleaner, fold, quote

#: Marks that only say which way a text runs (Unicode, Bidi_Control).
_DIRECTIONS = dict.fromkeys((0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))


#: Makes so many records of a sample file, heading first; the same draws make the same records.
Sample: TypeAlias = Callable[[int, Random], Iterator[list[str]]]


@dataclass(frozen=True)
class Column:
    """One column of a dataset: the model field it fills, what else partners call it, and how its cells are cleaned.

    A column that is not `required` may be missing from a file; its field then stays as it is, and new rows get its default.
    `blank` says what an empty cell does to the old value: "clear" it or "keep" it, or "never" where it may not be empty;
    a person may choose between the first two when `blank_choice` is true. `about` says to people what its cells hold.
    """

    name: str
    clean: Cleaner
    aliases: tuple[str, ...] = ()
    required: bool = True
    blank: str = "clear"
    blank_choice: bool = True
    about: str = ""
    #: What people read over it on our pages, where that is not the name with blanks.
    title: str = ""

    @property
    def label(self) -> str:
        return self.title or self.name.replace("_", " ").capitalize()

    @property
    def heading(self) -> str:
        """What partners of a layout write above it."""
        return self.aliases[0] if self.aliases else self.name

    @property
    def other_names(self) -> list[str]:
        return [alias for alias in self.aliases if alias != self.name]


@dataclass(frozen=True)
class Key:
    """Which rows are the same: `column` of the file, folded by `fold`, is kept in the model's `field`.

    Where several columns together make a row the same, `more` names the others; `fold` gets their values after the first,
    blank for those that a file does not have.
    """

    column: str
    field: str
    fold: Callable[..., str]
    more: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *self.more)

    def piece(self, text: str) -> str:
        """What somebody types to find keys by a piece of them, as it stands in keys."""
        return fold(text) if self.more else self.fold(text)


@dataclass(frozen=True)
class Layout:
    """One way a file of a dataset looks: the columns it has, what is the same in every row, and how such files are called.

    `columns` have this layout's own aliases and cleaners; a file of this layout has all of them that are `required`.
    `constants` {column: the text of its value as the database reads it}. `file_name` is a pattern found in the names of such
    files, without regard to case, where headings alone do not tell; "" matches none.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    constants: Mapping[str, str] = field(default_factory=dict)
    file_name: str = ""
    #: Makes the records of a sample file of this layout, heading first.
    sample: Sample | None = None

    @property
    def has_sample(self) -> bool:
        return self.sample is not None

    def is_named(self, file_name: str) -> bool:
        return bool(self.file_name and re.search(self.file_name, file_name, re.IGNORECASE))


#: The layout of a dataset's own exports, which every dataset has that has layouts: all its columns, by their names.
EXPORT = "export"


@dataclass(frozen=True)
class Personal:
    """A column that tells who a person is: `same` makes two spellings of it equal (None for what is none), and a row with it
    goes as a whole when the person is erased, or only this cell goes when `whole_row` is false. What `same` returns is found
    in the model's `field`, where that is not the column itself."""

    column: str
    same: Callable[[str], str | None]
    whole_row: bool = True
    field: str = ""


@dataclass(frozen=True)
class Dataset:
    name: str
    title: str
    model: type[models.Model]
    key: Key
    #: Every column that rows have, whatever the layout of the file.
    columns: tuple[Column, ...]
    policy: Policy = Overwrite()
    #: Where files come in several forms; else a file has the columns above.
    layouts: tuple[Layout, ...] = ()
    #: The layout as which the dataset is seen; "" when as none.
    as_layout: str = ""
    #: The same in every row of the file, when the dataset is seen as one of its layouts.
    constants: Mapping[str, str] = field(default_factory=dict)
    #: The yes-or-no field that rows missing from a file may be switched off by.
    switch: str = ""
    #: The field by whose day rows are exported; `created_at` where rows bear no date of their own.
    date_field: str = "created_at"
    personal: tuple[Personal, ...] = ()
    #: The name of the address of its own list, where it has one in place of the list that every dataset has.
    page: str = ""
    #: Names of the addresses of its other pages, and what a link to each says.
    pages: tuple[tuple[str, str], ...] = ()
    #: What its page says a file must look like; sentences for people.
    about: str = ""
    #: Makes the records of a sample file, heading first.
    sample: Sample | None = None

    def __post_init__(self) -> None:
        if self.layouts and EXPORT not in [layout.name for layout in self.layouts]:
            own = Layout(EXPORT, f"{self.title} exported by this site", self.columns)
            object.__setattr__(self, "layouts", (*self.layouts, own))

    @property
    def foreign_layouts(self) -> list[Layout]:
        """The layouts of files that others send: all but that of this site's own exports."""
        return [layout for layout in self.layouts if layout.name != EXPORT]

    @property
    def in_files(self) -> list[Column]:
        """The columns that a file may have: those that no layout fills by itself."""
        return [column for column in self.columns if not any(column.name in layout.constants for layout in self.layouts)]

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def has_sample(self) -> bool:
        return self.sample is not None

    @property
    def overwrites(self) -> bool:
        return isinstance(self.policy, Overwrite)

    @property
    def keeps_first(self) -> bool:
        return isinstance(self.policy, KeepFirst)

    @property
    def holds(self) -> bool:
        return isinstance(self.policy, HoldWithin)

    @property
    def decisive(self) -> frozenset[str]:
        """Columns that say which rows are the same, so that none of them can be left out."""
        match = self.policy.match if isinstance(self.policy, HoldWithin) else ()
        return frozenset((*self.key.columns, *match))

    def layout(self, name: str) -> Layout:
        """Raises BadFile when there is none of this name."""
        for layout in self.layouts:
            if layout.name == name:
                return layout
        known = ", ".join(layout.name for layout in self.layouts)
        raise BadFile(f"{self.title} have no layout called {quote(name)}; there are: {known or 'none'}.")

    def seen_as(self, layout: str) -> "Dataset":
        """This dataset with the columns, constants and samples of one layout; itself for "". Raises BadFile."""
        if not layout:
            return self
        found = self.layout(layout)
        return replace(self, columns=found.columns, constants=found.constants, as_layout=layout, sample=found.sample)

    def names(self, given: Mapping[str, object]) -> list[str]:
        """The columns that a file gives a value to, in the order of loading: those of `given` that are read from it, then
        the constants."""
        return [column.name for column in self.columns if column.name in given] + list(self.constants)

    def found(self, heading: Sequence[str]) -> dict[str, list[int]]:
        """Where each column stands in a heading line, by its name or an alias: {column name: places from 0}"""
        names = [spelled(cell) for cell in heading]
        known = {column.name: {spelled(name) for name in (column.name, *column.aliases)} for column in self.columns}
        return {column: [place for place, name in enumerate(names) if name in known[column]] for column in known}

    def _named(self, column: Column) -> str:
        """What a file should have above a column: in one of a partner's layouts that is not our name of it."""
        return column.name if self.as_layout in ("", EXPORT) else column.heading

    def match(self, heading: list[str]) -> dict[str, int]:
        """Find the place of each column in a heading line, in any order, in any case, with stray blanks.

        Returns {column name: place, counted from 0}. Raises BadHeading when a required column is missing or stands twice.
        """
        places: dict[str, int] = {}
        for name, found in self.found(heading).items():
            if len(found) > 1:
                named = quote(self._named(self.column(name)))
                raise BadHeading(f"The column {named} stands in the heading {len(found)} times; once is needed.")
            if found:
                places[name] = found[0]
        missing = [self._named(column) for column in self.columns if column.required and column.name not in places]
        if missing:
            wanted = ", ".join(self._named(column) for column in self.columns if column.required)
            raise BadHeading(
                f"The heading has no column {' and no column '.join(map(quote, missing))}. "
                f"{self.title} need the columns {wanted}, in any order."
            )
        return places


def spelled(name: str) -> str:
    """A heading as it is compared: without letter case and marks of direction; any run of blanks, line ends and underscores
    counts as one blank."""
    return " ".join(fold(name).translate(_DIRECTIONS).replace("_", " ").split())


_register: dict[str, Dataset] = {}


def register(dataset: Dataset) -> Dataset:
    """Make a dataset known. Raises ValueError when its name is taken."""
    if dataset.name in _register:
        raise ValueError(f"There are two datasets called {dataset.name}.")
    _register[dataset.name] = dataset
    return dataset


def get(name: str) -> Dataset:
    """The dataset called `name`. Raises KeyError with the names there are."""
    if name not in _register:
        raise KeyError(f"There is no dataset called {quote(name)}; there are: {', '.join(sorted(_register))}.")
    return _register[name]


def of_old(name: str) -> Dataset:
    """The dataset of something that was stored. Raises BadFile when its app was taken out: the history outlives it."""
    try:
        return get(name)
    except KeyError:
        raise BadFile(f"This site does not know the dataset {quote(name)} any more.") from None


def all() -> list[Dataset]:
    """Every dataset, in the order of their titles."""
    return sorted(_register.values(), key=lambda dataset: dataset.title)
