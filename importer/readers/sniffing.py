"""Guesses at a text by its bytes: its encoding and its delimiter."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from statistics import multimode

from charset_normalizer import from_bytes

DELIMITERS = (",", ";", "\t", "|")
#: Records that are looked at for the delimiter, and for the heading.
ENOUGH = 50
HEADING_WITHIN = 20
#: Bytes beyond ASCII from which a statistical guess is worth something.
TELLING = 40
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins with the mark of UTF-16
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
#: Guessed at by their letters: in Windows-1252 most texts make sense, so others are tried only when this one does not.
_WESTERN = ["cp1252", "cp1251"]
_OTHERS = ["cp1250", "shift_jis", "gb18030", "euc_kr", "big5"]
_CONTROLS = dict.fromkeys(set(range(32)) - set(b"\t\n\v\f\r\x1a"))
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def encoding_of(samples: list[bytes]) -> str:
    """The codec of a text of which `samples` are pieces, the first from its beginning; UTF-8 when in doubt."""
    head = samples[0]
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name
    if name := _utf_16(head):
        return name
    if all(map(_is_utf_8, samples)):
        return "utf-8"
    text = b"\n".join(samples)
    strange = sum(byte > 127 for byte in _UTF_8.sub(b"", text))
    if len(_UTF_8.findall(text)) > strange:
        return "utf-8"  # with some damage: the lines it is in are rejected
    if strange < TELLING:
        return "cp1252"
    lines = [line for line in text.split(b"\n") if not line.isascii()]
    western = [line for line in lines if _is_cp1252(line)]
    if 2 * len(western) > len(lines):
        best = from_bytes(b"\n".join(western), cp_isolation=_WESTERN).best()
    else:
        best = from_bytes(b"\n".join(lines), cp_isolation=_OTHERS).best()
    return best.encoding if best is not None else "cp1252"


def is_binary(text: str) -> bool:
    """Whether more than a tenth of its first line are control characters."""
    line = text.partition("\n")[0]
    return 10 * (len(line) - len(line.translate(_CONTROLS))) > len(line)


def _utf_16(head: bytes) -> str:
    """Which UTF-16 a text without a mark is in, or "": every other byte of its ASCII characters is zero.

    Where those are few, as in Cyrillic or Chinese, there is one in the first line, and the others at least make no UTF-8.
    """
    even, odd = head[::2].count(0), head[1::2].count(0)
    most, least = max(even, odd), min(even, odd)
    first = head.partition(b"\n")[0]
    few = 20 * most > len(head) and 0 in first and (is_binary(first.decode("latin-1")) or not _is_utf_8(head))
    if 5 * least < most and (5 * most > len(head) or few):
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def _is_cp1252(line: bytes) -> bool:
    return line.translate(None, b"\x81\x8d\x8f\x90\x9d") == line


def _is_utf_8(piece: bytes) -> bool:
    """Whether it is UTF-8 but for a character cut in two at either end."""
    start = next((i for i in range(min(4, len(piece))) if piece[i] & 0xC0 != 0x80), 0)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece[start:])
    except UnicodeDecodeError:
        return False
    return True


def delimiter_of(text: str, whole: bool) -> str:
    """What separates the cells: the delimiter by which most lines have as many cells as the first; a comma when in doubt.

    Unless the text is `whole`, its last line may be cut off and does not count. Only when the first has a single cell with
    all of them, it is taken for a title, and the lines below it decide.
    """
    tables = {delimiter: _rows(text, delimiter, whole) for delimiter in DELIMITERS}
    if not any(rows and len(rows[0]) > 1 for rows in tables.values()):
        tables = {delimiter: rows[heading_at(rows[:HEADING_WITHIN]) :] for delimiter, rows in tables.items()}
    return max(tables, key=lambda delimiter: _fit(tables[delimiter]))


def is_padded(text: str, delimiter: str) -> bool:
    """Whether blanks stand between delimiters and quotation marks in most lines, as in `1, "two"`; no cell begins like that."""
    if not re.search(rf'{re.escape(delimiter)} +"', text):
        return False
    rows = _rows(text, delimiter, whole=True)
    return 2 * sum(any(cell[:1] == " " and cell.lstrip(" ")[:1] == '"' for cell in row) for row in rows) > len(rows)


def heading_at(rows: Sequence[Sequence[str]]) -> int:
    """The place of the heading among the first records of a file: the first one with text.

    In a table of several columns records with a single cell above it are a title or a comment, and are passed over.
    """
    filled = [sum(map(bool, map(str.strip, row))) for row in rows]
    least = max(min(max(multimode(filled), default=0), 2), 1)
    return next((place for place, cells in enumerate(filled) if cells >= least), 0)


def _rows(text: str, delimiter: str, whole: bool) -> list[list[str]]:
    """The first records that are not blank, as far as they can be read."""
    rows = []
    try:
        for row in islice(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), ENOUGH + 1):
            rows.append(row)
    except csv.Error:
        pass
    return rows if whole or len(rows) < 2 else rows[:-1]


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """The part of the records that have as many cells as the first, and how many those are."""
    widths = list(map(len, rows))
    return (widths.count(widths[0]) / len(widths), widths[0]) if widths and widths[0] > 1 else (0.0, 1)
