"""`python -m importer.readers.workbook`: the rows of one sheet of the workbook on standard input, as JSON lines.

A process of its own, because a workbook is taken into memory as a whole: it may have so much address space and no more. It
ends when nobody reads on. It needs neither Django nor settings, and so starts in a few hundredths of a second.

Written, one JSON value a line: {"sheets": [names], "rows": height}, then lists of [row, [cells]] with rows counted from 1 as a
spreadsheet counts them; or {"problem": sentence} in place of any of them.
"""

import argparse
import datetime
import json
import resource
import sys
from collections.abc import Iterable
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
    WorksheetNotFound,
)

#: Rows that are written at once, or fewer when they have more characters together than that.
PIECE = 500
PIECE_LENGTH = 1 << 20
#: Characters. Many cells may share one long text, so that a small file would fill the memory of whoever reads these lines.
LONGEST_ROW = 8 << 20


def text(value: Any) -> str:
    """A cell as people would type it: 17 and not 17.0, 0.3 and not 0.30000000000000004 (fifteen digits are what spreadsheets
    show), 2024-12-31, 36:30:00, true."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)


def sheets(workbook: CalamineWorkbook) -> list[str]:
    """The names of the sheets that hold cells, those that are hidden at the end."""
    tables = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    return [sheet.name for sheet in sorted(tables, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible)]


def tell(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def tell_rows(rows: Iterable[list[Any]], first: int) -> None:
    """Rows from number `first` on; those without any text are passed over."""
    piece: list[tuple[int, list[str]]] = []
    length = 0
    for number, row in enumerate(rows, 1):
        if number < first:
            continue
        cells = [value if type(value) is str else text(value) for value in row]
        if not any(cells):
            continue
        long = sum(map(len, cells))
        if long > LONGEST_ROW:
            raise CalamineError(f"row {number:,} has more than {LONGEST_ROW:,} characters")
        length += long
        piece.append((number, cells))
        if len(piece) >= PIECE or length > PIECE_LENGTH:
            tell(piece)
            piece, length = [], 0
    tell(piece)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sheet", default="", help="the first one by default")
    parser.add_argument("--first", type=int, default=1, help="the row to begin with")
    parser.add_argument("--mebibytes", type=int, required=True, help="address space this process may have")
    parser.add_argument("--names", action="store_true", help="the names of the sheets, and no rows")
    options = parser.parse_args()
    limit = options.mebibytes << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        workbook = CalamineWorkbook.from_filelike(sys.stdin.buffer)
        names = sheets(workbook)
        if not names:
            raise CalamineError("it has no sheets")
        sheet = None if options.names else workbook.get_sheet_by_name(options.sheet or names[0])
        tell({"sheets": names, "rows": sheet.total_height if sheet else 0})
        if sheet:
            tell_rows(sheet.iter_rows(), options.first)
    except BrokenPipeError:
        sys.exit(1)
    except WorksheetNotFound:
        tell({"problem": f"The workbook has no sheet called “{options.sheet}”."})
    except CalamineError as problem:
        tell({"problem": f"The workbook cannot be read ({str(problem).rstrip('.')}). Save the sheet as CSV and send that."})
    except MemoryError:
        # Said by the parent, who also sees the deaths that this process does not survive to tell of.
        sys.exit(3)


if __name__ == "__main__":
    main()
