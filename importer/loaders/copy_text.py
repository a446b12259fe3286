"""Cleaned rows as the text that COPY reads."""

from collections.abc import Sequence
from typing import cast

from importer.rows import Cleaned

#: Stands between the cells of a column while they are escaped together.
_CELL = "\x1e"
_ESCAPES = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))


def encode(cleaned: Cleaned) -> bytes:
    """A batch as text for COPY (PostgreSQL manual, COPY, "Text Format"); None becomes NULL."""
    columns = map(_escaped, [cleaned.keys, *cleaned.columns])
    rows = zip(map(str, cleaned.lines), *columns, strict=True)
    return "".join([row + "\n" for row in map("\t".join, rows)]).encode()


def _escaped(column: Sequence[str | None]) -> Sequence[str]:
    """The cells of a column with backslash, tab and line ends escaped: all at once, which is ten times as fast."""
    if None in column:
        return [r"\N" if cell is None else _escape(cell) for cell in column]
    cells = cast(Sequence[str], column)
    text = _CELL.join(cells)
    if not any(mark in text for mark, _ in _ESCAPES):
        return cells
    escaped = _escape(text).split(_CELL)
    return escaped if len(escaped) == len(cells) else [_escape(cell) for cell in cells]


def _escape(text: str) -> str:
    for mark, written in _ESCAPES:
        text = text.replace(mark, written)
    return text
