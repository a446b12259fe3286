"""Guesses at a text by its bytes: its encoding and its delimiter."""

import codecs
import csv
import io
import re

from charset_normalizer import from_bytes

DELIMITERS = (",", ";", "\t", "|")
#: Records that are looked at for the delimiter.
ENOUGH = 50
#: Bytes beyond ASCII from which a statistical guess is worth something.
TELLING = 40
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def encoding_of(samples: list[bytes]) -> str:
    """The codec of a text of which `samples` are pieces, the first from its beginning; UTF-8 when in doubt."""
    head = samples[0]
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    even, odd = head[::2].count(0), head[1::2].count(0)
    # In UTF-16 every other byte of most texts is zero; in anything else hardly any is.
    if max(even, odd) * 5 > len(head) and min(even, odd) * 5 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    if all(map(_is_utf_8, samples)):
        return "utf-8"
    text = b"\n".join(samples)
    strange = sum(byte > 127 for byte in _UTF_8.sub(b"", text))
    if len(_UTF_8.findall(text)) > strange:
        return "utf-8"  # with some damage: the lines it is in are rejected
    if strange < TELLING:
        return "cp1252"
    lines = b"\n".join(line for line in text.split(b"\n") if not line.isascii())
    best = from_bytes(lines, cp_isolation=["cp1252", "cp1251"]).best()
    return best.encoding if best is not None else "cp1252"


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

    Unless the text is `whole`, its last line may be cut off and does not count.
    """
    best, found = (0.0, 0), ","
    for delimiter in DELIMITERS:
        widths: list[int] = []
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                if row:
                    widths.append(len(row))
                if len(widths) > ENOUGH:
                    break
        except csv.Error:
            pass
        widths = widths if whole or len(widths) < 2 else widths[:-1]
        if widths and widths[0] > 1:
            score = widths.count(widths[0]) / len(widths), widths[0]
            if score > best:
                best, found = score, delimiter
    return found
