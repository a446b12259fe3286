"""How the text of a cell becomes a value: keys that ignore case, and the cleaners of columns."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


class ImportProblem(Exception):
    """Something about a file that a person can mend; its text is a sentence to show them."""


class BadFile(ImportProblem):
    """The file as a whole cannot be read."""


class BadHeading(BadFile):
    """The heading line does not fit the dataset."""


class BadValue(ImportProblem):
    """One cell cannot be taken; the text says which value and why."""


class NotText(BadValue):
    """A cell holds bytes that are no text in the file's encoding, which the cleaner does not know; `told` names it."""

    def __init__(self, what: str, value: str) -> None:
        self.what = what
        self.value = value
        super().__init__(self.told("UTF-8"))

    def told(self, encoding: str) -> str:
        return f"The {self.what} is not {encoding} text: {quote(self.value)}."


#: Marks that no reader sees and that would make two equal-looking keys differ: byte order mark and zero-width space.
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b"))


def fold(text: str) -> str:
    """The key of `text`: NFC(casefold(NFC(trimmed))), without U+FEFF and U+200B.

    Normalising on both sides of casefold is Unicode's canonical caseless matching (The Unicode Standard, §3.13, D145)
    with NFC in place of NFD. The result may be up to three times as long as `text`.
    """
    if text.isascii():
        return text.strip().lower()
    visible = text.translate(_INVISIBLE).strip()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", visible).casefold())


class ByteOrdered(_CharField):
    """Text that compares bytes on every database, so that Python's order of keys is the database's order."""

    COLLATIONS = {"postgresql": "C", "mysql": "utf8mb4_nopad_bin", "sqlite": "BINARY"}

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        return {**super().db_parameters(connection), "collation": self.COLLATIONS[connection.vendor]}


class KeyField(ByteOrdered):
    """A stored key, filled from another field by one Python function whenever the row is saved.

    `of` names the source field, `folded_by` makes the key. Neither changes the schema, so migrations leave them out.
    """

    def __init__(self, *args: Any, of: str = "", folded_by: Callable[[str], str] = fold, **kwargs: Any) -> None:
        self.of = of
        self.folded_by = folded_by
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key = self.folded_by(getattr(model_instance, self.of))
        setattr(model_instance, self.attname, key)
        return key


class Cleaner(Protocol):
    """Turns the text of a cell into the text of a value as the database reads it, or None for "as it is"; raises BadValue."""

    def __call__(self, text: str) -> str | None: ...

    def many(self, texts: Sequence[str]) -> Sequence[str | None]:
        """The same for a whole column at once; raises BadValue when any of them is bad, without saying which."""
        ...


@dataclass(frozen=True)
class Text:
    """Text of at most `longest` characters; blanks around it go when `trim`, and it may be empty unless `required`."""

    what: str
    longest: int
    required: bool = False
    trim: bool = False

    def __call__(self, text: str) -> str:
        value = text.strip() if self.trim else text
        if self.required and not value.strip():
            raise BadValue(f"The {self.what} is empty.")
        if "\0" in value:
            raise BadValue(f"The {self.what} holds a NUL byte, which no database text can hold: {quote(value)}.")
        if not _is_utf8(value):
            raise NotText(self.what, value)
        if len(value) > self.longest:
            raise BadValue(f"The {self.what} is {len(value):,} characters long, {self.longest:,} are allowed: {quote(value)}.")
        return value

    def many(self, texts: Sequence[str]) -> Sequence[str]:
        values = list(map(str.strip, texts)) if self.trim else texts
        if values and max(map(len, values)) > self.longest:
            raise BadValue
        joined = "\n".join(values)
        if "\0" in joined or not _is_utf8(joined):
            raise BadValue
        if self.required and not all(map(str.strip, values)):
            raise BadValue
        return values


class CellByCell:
    """A cleaner that takes a column cell by cell; each spelling is cleaned once."""

    def __call__(self, text: str) -> str | None:
        raise NotImplementedError

    def many(self, texts: Sequence[str]) -> Sequence[str | None]:
        known: dict[str, str | None] = {}
        for text in texts:
            if text not in known:
                known[text] = self(text)
        return [known[text] for text in texts]


@dataclass(frozen=True)
class Flag(CellByCell):
    """Yes or no, in the usual spellings; a blank cell leaves the field as it is."""

    what: str

    SPELLINGS = {
        **dict.fromkeys(("1", "t", "true", "y", "yes", "on", "active"), "true"),
        **dict.fromkeys(("0", "f", "false", "n", "no", "off", "inactive"), "false"),
        "": None,
    }

    def __call__(self, text: str) -> str | None:
        try:
            return self.SPELLINGS[fold(text)]
        except KeyError:
            raise BadValue(f"{quote(text)} in {self.what} is neither yes nor no; write true or false.") from None


@dataclass(frozen=True)
class Day(CellByCell):
    """A day as in ISO 8601, `2024-12-31`, or with the day first, `31-12-2024` (also with points or slashes); a moment counts as
    its day. An empty cell is an error when `required`, else as it is."""

    what: str
    required: bool = True

    def __call__(self, text: str) -> str | None:
        value = text.strip()
        if not value and not self.required:
            return None
        try:
            return _day(value.partition("T")[0].partition(" ")[0]).isoformat()
        except ValueError:
            if not value:
                raise BadValue(f"The {self.what} is empty.") from None
            raise BadValue(f"{quote(value)} is not a date like 2024-12-31 or 31-12-2024.") from None


#: A moment with the day first, on a clock of 24 or 12 hours, with or without seconds; or ISO 8601 (RFC 3339 and kin).
_MOMENT = re.compile(
    r"(?P<day>\d{1,2}[-./]\d{1,2}[-./]\d{4}|\d{4}-\d{1,2}-\d{1,2})"
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?\s*(?P<half>[ap]\.?m\.?)?"
    r"\s*(?P<zone>z|utc|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE,
)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Moment(CellByCell):
    """A moment, stored in UTC: ISO 8601, or with the day first (`31-12-2024 09:30`, `31-12-2024 9:30 PM`).

    One without an offset is meant in the time zone that the setting `zone` names; where clocks go back, the earlier moment.
    """

    what: str
    zone: str

    def __call__(self, text: str) -> str | None:
        value = " ".join(text.split())
        if not value:
            raise BadValue(f"The {self.what} is empty.")
        try:
            moment = self._moment(value).astimezone(UTC)
            # A page shows it in its own time zone, which must not lead out of the calendar.
            moment - _DAY, moment + _DAY
        except ValueError:
            raise BadValue(f"{quote(value)} is not a date like 31-12-2024 09:30.") from None
        except OverflowError:
            raise BadValue(f"{quote(value)} is not within the years 1 to 9999 in every time zone.") from None
        return moment.isoformat()

    def _moment(self, text: str) -> datetime:
        found = _MOMENT.fullmatch(text)
        if found is None:
            raise ValueError
        hour, half = int(found["hour"] or 0), (found["half"] or "").lower()[:1]
        if half:
            if not 1 <= hour <= 12:
                raise ValueError
            hour = hour % 12 + (12 if half == "p" else 0)
        day = _day(found["day"])
        part = int((found["part"] or "").ljust(6, "0")[:6])
        moment = datetime(day.year, day.month, day.day, hour, int(found["minute"] or 0), int(found["second"] or 0), part)
        return moment.replace(tzinfo=self._offset(found["zone"]))

    def _offset(self, text: str | None) -> Any:
        if not text:
            return ZoneInfo(getattr(settings, self.zone))
        if text.lower() in ("z", "utc"):
            return UTC
        return datetime.strptime(text.replace(":", "").ljust(5, "0"), "%z").tzinfo


def _day(text: str) -> date:
    """`2024-12-31` or `31-12-2024`, with `-`, `.` or `/`. Raises ValueError."""
    if not text.isascii():
        raise ValueError
    parts = re.split(r"[-./]", text)
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError
    if len(parts[0]) == 4:
        return date(*map(int, parts))
    if len(parts[2]) != 4:
        raise ValueError
    return date(*map(int, reversed(parts)))


@dataclass(frozen=True)
class Number(CellByCell):
    """A number from `least` to `most` with at most `places` digits behind the point; a comma may stand for the point."""

    what: str
    least: Decimal
    most: Decimal
    places: int

    def __call__(self, text: str) -> str | None:
        value = text.strip()
        if not value:
            raise BadValue(f"The {self.what} is empty.")
        try:
            number = Decimal(value.replace(",", ".")) if value.isascii() and "_" not in value else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise BadValue(f"{quote(value)} in {self.what} is not a number.")
        if not self.least <= number <= self.most:
            raise BadValue(f"{quote(value)} in {self.what} is not between {self.least} and {self.most}.")
        if number != round(number, self.places):
            raise BadValue(f"{quote(value)} in {self.what} has more than {self.places} digits behind the point.")
        return f"{number:.{self.places}f}"


def _is_utf8(text: str) -> bool:
    """False when `text` carries bytes that could not be decoded (kept by the reader as lone surrogates, PEP 383)."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


#: Halves of surrogate pairs that stand for no byte, as JSON may hold them.
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def storable(text: str) -> str:
    """`text` as any database and JSON can hold it: NUL becomes ␀, bytes that were no text \\xNN, half a pair \\uNNNN."""
    text = _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text.replace("\0", "␀"))
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def quote(text: str, longest: int = 40) -> str:
    """`text` in quotation marks, cut to `longest` characters, with what cannot be shown replaced."""
    short = shown(text[: longest + 1])
    return f"“{short[:longest]}…”" if len(short) > longest else f"“{short}”"


def shown(text: str) -> str:
    """`text` on one line, with what cannot be shown replaced: line ends, marks that steer a terminal, bytes of no text."""
    return "".join(mark if mark.isprintable() else "·" for mark in text.encode("utf-8", "replace").decode())


#: A number cell with a fraction, and a date cell.
_FRACTION = re.compile(r"\d{8,}[.,]\d{1,6}")
_DATE = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])([T ].*)?|([0-2]\d|3[01])[-./](0[1-9]|1[0-2])[-./](19|20)\d\d")


def mistaken(value: str) -> str:
    """What a spreadsheet took a phone number for, whose digits are other ones now; blank when `value` is neither."""
    if _FRACTION.fullmatch(value):
        return "a number with a fraction"
    return "a date" if _DATE.fullmatch(value) else ""


def without_quotes(sentence: str) -> str:
    """`sentence` with “…” in place of all that it quotes, for those who may not see what is in a file."""
    return re.sub("“.*”", "“…”", sentence, flags=re.DOTALL)
