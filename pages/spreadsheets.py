"""CSV that people open in a spreadsheet: the form of RFC 4180, and no cell that a spreadsheet would run as a formula."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO

#: Spreadsheets take a file for UTF-8 only when it begins with this.
BOM = "\ufeff"

# OWASP, CSV Injection (https://owasp.org/www-community/attacks/CSV_Injection): what may begin a formula, in full width, too,
# and characters that are skipped before it. Written out, so that Python and PostgreSQL understand the same by the patterns.
#: What Python takes for blank (str.isspace).
BLANKS = "".join(mark for mark in map(chr, range(0x3001)) if mark.isspace())
_MARKS = "=+@\uff1d\uff0b\uff0d\uff20-"
FORMULA = f"[{BLANKS}]*[{_MARKS}]|[\t\r\n]"
NUMBER = f"[{BLANKS}]*[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?[{BLANKS}]*"
#: With what cells begin that may be formulas, or such behind apostrophes.
SUSPECTS = f"{BLANKS}{_MARKS}'"
_FORMULA = re.compile(FORMULA)
_NUMBER = re.compile(NUMBER)


def harmless(cell: str) -> str:
    """`cell`, with an apostrophe in front when a spreadsheet would run it as a formula; a plain number is none."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as lines of CSV that end in CRLF (RFC 4180), harmless ones."""
    return raw_lines([harmless(cell) for cell in row] for row in rows)


def raw_lines(rows: Iterable[Sequence[str]]) -> str:
    """The same with every cell as it is."""
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
