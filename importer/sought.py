"""A person whose data is looked for: one e-mail address or phone number, found in any spelling and amid other text."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from importer import datasets
from importer.datasets import Dataset, Personal
from importer.values import BadValue, quote

#: Digits at the end of a phone number that every spelling of it has, whatever it writes in front and between.
_LAST = 6
#: What parts a text into pieces, of which one may be the value: cells of a record that was not taken apart, and two values in
#: one cell; words; addresses, whatever stands around them; and what stands between words (a phone number has blanks and
#: brackets of its own).
_PARTS = (
    re.compile(r"(?:[\n\r\t,;|\"'“”<>/\\&]|\s\+\s)+"),
    re.compile(r"[\s,;|\"'“”<>()\[\]:=]+"),
    re.compile(r"[^\w.+@-]+"),
    re.compile(r"[^\W\d_]+"),
)

#: What may stand before the value, and end a sentence that it is the last word of.
_ENDS = " .!?-"


@dataclass(frozen=True)
class Form:
    """The value as the rows of one dataset have it in one column."""

    dataset: Dataset
    personal: Personal
    value: str

    def is_in(self, values: Mapping[str, Any] | None) -> bool:
        """True when `values` {column: text} have it, in any spelling."""
        text = (values or {}).get(self.personal.column)
        return isinstance(text, str) and self.personal.same(text) == self.value


@dataclass(frozen=True)
class Sought:
    """What is looked for: `kind` is the name of the column that it was recognised by, `value` its stored form there."""

    kind: str
    value: str
    forms: tuple[Form, ...]

    @property
    def datasets(self) -> list[Dataset]:
        """All datasets with personal columns, in the order of their names: who is looked for may stand in any file of them."""
        return personal_datasets()

    def in_text(self, texts: Iterable[str]) -> bool:
        """True when one of the texts is the value in any spelling, or has it as a part."""
        found = [text for text in texts if text]
        # One look at a whole record: most have nothing like it.
        joined = _plain("\n".join(found))
        if not any(hint.search(joined) for hint in self._hints):
            return False
        return any(same(piece) == value for text in found for piece in _pieces(text) for same, value in self._sames)

    @cached_property
    def _hints(self) -> list[re.Pattern[str]]:
        return [_hint(value) for value in sorted({form.value for form in self.forms})]

    @cached_property
    def _sames(self) -> list[tuple[Callable[[str], str | None], str]]:
        return list({(form.personal.same, form.value) for form in self.forms})


def sought(text: str) -> Sought:
    """The person that `text` names. Raises BadValue when no dataset has a column that it could stand in."""
    forms = []
    for dataset in personal_datasets():
        for personal in dataset.personal:
            value = personal.same(text)
            if value is not None:
                forms.append(Form(dataset, personal, value))
    if not forms:
        names = sorted({personal.column for dataset in personal_datasets() for personal in dataset.personal})
        raise BadValue(f"{quote(text)} is nothing that a person is known by here ({', '.join(names)}).")
    # Where a row is the person's as a whole, one value has one form; elsewhere a piece of it may be enough.
    first = next((form for form in forms if form.personal.whole_row), forms[0])
    return Sought(first.personal.column, first.value, tuple(forms))


def personal_datasets() -> list[Dataset]:
    """Datasets that tell who people are, in the order of their names."""
    return sorted((dataset for dataset in datasets.all() if dataset.personal), key=lambda dataset: dataset.name)


def _hint(value: str) -> re.Pattern[str]:
    """What every spelling of the value has in it."""
    if any(map(str.isalpha, value)):
        # Of an address the part up to the @; the domain may be written in another script (RFC 5891).
        return re.compile(re.escape("".join(value.partition("@")[:2])), re.IGNORECASE)
    return re.compile(r"\D*".join(re.sub(r"\D", "", value)[-_LAST:]))


def _plain(text: str) -> str:
    """The text with composed letters and with digits of ASCII."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    return "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in composed)


def _pieces(text: str) -> Iterator[str]:
    yield text
    for parts in _PARTS:
        for piece in parts.split(text):
            yield from {piece, piece.strip(_ENDS)} if piece.strip() else ()
