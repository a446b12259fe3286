"""CSV that people open in a spreadsheet: the form of RFC 4180, and no cell that a spreadsheet would run as a formula."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO

#: Spreadsheets take a file for UTF-8 only when it begins with this.
BOM = "\ufeff"

# OWASP, CSV Injection (https://owasp.org/www-community/attacks/CSV_Injection): what may begin a formula, in full width, too,
# and characters that are skipped before it.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"\s*[+-]?\d+([.,]\d+)*([eE][+-]?\d+)?\s*")


def harmless(cell: str) -> str:
    """`cell`, with an apostrophe in front when a spreadsheet would run it as a formula; a plain number is none."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as lines of CSV that end in CRLF (RFC 4180)."""
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()
