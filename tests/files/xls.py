"""Old Excel files (.xls), as small as they go: BIFF8 records ([MS-XLS]) in a compound file ([MS-CFB])."""

import datetime
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECTOR = 512
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
#: Streams below this lie elsewhere ([MS-CFB] §2.6.4), so ours are never shorter.
LEAST_STREAM = 4096
#: Numbers of the cell formats written below: plain, a day (built-in format 14), a moment (22).
PLAIN, DAY, MOMENT = 0, 1, 2


@dataclass(frozen=True)
class Formula:
    """A cell with a formula, of which only the stored result counts; `Formula(None)` has the error #N/A."""

    result: float | str | None


Cell = float | str | bool | datetime.date | Formula | None


def xls(sheets: Mapping[str, Sequence[Sequence[Cell]]], locked: bool = False) -> bytes:
    """A workbook of sheets {name: rows}; `locked` has the record of a file with a password ([MS-XLS] §2.4.117)."""
    return compound({"Workbook": _workbook(sheets, locked)})


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file of named streams, each in sectors of 512 bytes one after the other."""
    entries = [_entry("Root Entry", 5, END, 0, child=1)]
    fat: list[int] = []
    body = b""
    for place, (name, data) in enumerate(streams.items(), 1):
        data = data.ljust(max(LEAST_STREAM, -(-len(data) // SECTOR) * SECTOR), b"\0")
        begin, count = len(fat), len(data) // SECTOR
        fat += [*range(begin + 1, begin + count), END]
        body += data
        entries.append(_entry(name, 2, begin, len(data), right=place + 1 if place < len(streams) else FREE))
    directory = b"".join(entries).ljust(-(-len(entries) // 4) * SECTOR, b"\0")
    first_directory, count = len(fat), len(directory) // SECTOR
    fat += [*range(first_directory + 1, first_directory + count), END]
    tables = next(n for n in range(1, 110) if len(fat) + n <= n * SECTOR // 4)
    first_table = len(fat)
    fat += [FAT] * tables
    fat += [FREE] * (tables * SECTOR // 4 - len(fat))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, tables, first_directory, 0, LEAST_STREAM, END, 0, END, 0)
    header += struct.pack("<109I", *range(first_table, first_table + tables), *[FREE] * (109 - tables))
    return header + body + directory + struct.pack(f"<{len(fat)}I", *fat)


def _entry(name: str, kind: int, begin: int, size: int, right: int = FREE, child: int = FREE) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBB3I36xIQ", text, len(text), kind, 1, FREE, right, child, begin, size)


def _workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]], locked: bool) -> bytes:
    begin = _record(0x809, struct.pack("<4H2I", 0x600, 5, 0, 0, 0, 0))  # BOF
    if locked:
        begin += _record(0x2F, struct.pack("<3H48x", 1, 1, 1))  # FilePass: RC4
    begin += _record(0x22, b"\0\0")  # Date1904: no
    for format in (0, 14, 22):
        begin += _record(0xE0, struct.pack("<2H16x", 0, format))  # XF
    parts = [_sheet(rows) for rows in sheets.values()]
    names = [_text(name, "<B") for name in sheets]
    end = _record(0x0A, b"")  # EOF
    offset = len(begin) + sum(10 + len(name) for name in names) + len(end)
    for name, part in zip(names, parts, strict=True):
        begin += _record(0x85, struct.pack("<I2x", offset) + name)  # BoundSheet8
        offset += len(part)
    return begin + end + b"".join(parts)


def _sheet(rows: Sequence[Sequence[Cell]]) -> bytes:
    cells = b"".join(_cell(y, x, cell) for y, row in enumerate(rows) for x, cell in enumerate(row) if cell is not None)
    width = max(map(len, rows), default=0)
    size = _record(0x200, struct.pack("<2I3H", 0, len(rows), 0, width, 0))  # Dimensions
    return _record(0x809, struct.pack("<4H2I", 0x600, 0x10, 0, 0, 0, 0)) + size + cells + _record(0x0A, b"")


def _cell(y: int, x: int, cell: Cell) -> bytes:
    if isinstance(cell, Formula):
        return _formula(y, x, cell.result)
    if isinstance(cell, str):
        return _record(0x204, struct.pack("<3H", y, x, PLAIN) + _text(cell, "<H"))  # Label
    if isinstance(cell, bool):
        return _record(0x205, struct.pack("<3H2B", y, x, PLAIN, cell, 0))  # BoolErr
    format = MOMENT if isinstance(cell, datetime.datetime) else DAY if isinstance(cell, datetime.date) else PLAIN
    if isinstance(cell, datetime.date):
        moment = datetime.datetime.combine(cell, getattr(cell, "time", datetime.time)())
        cell = (moment - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)
    assert isinstance(cell, int | float)
    return _record(0x203, struct.pack("<3Hd", y, x, format, cell))  # Number


def _formula(y: int, x: int, result: float | str | None) -> bytes:
    stored = struct.pack("<d", result) if isinstance(result, int | float) else b""
    if isinstance(result, str):
        stored = b"\0\0\0\0\0\0\xff\xff"
    if result is None:
        stored = b"\2\0\x2a\0\0\0\xff\xff"
    tokens = struct.pack("<HBH", 3, 0x1E, 1)  # the number 1, which nobody works out
    record = _record(0x06, struct.pack("<3H", y, x, PLAIN) + stored + bytes(6) + tokens)
    return record + (_record(0x207, _text(result, "<H")) if isinstance(result, str) else b"")


def _text(text: str, length: str) -> bytes:
    """XLUnicodeString ([MS-XLS] §2.5.294), in UTF-16."""
    return struct.pack(length, len(text.encode("utf-16-le")) // 2) + b"\1" + text.encode("utf-16-le")


def _record(number: int, data: bytes) -> bytes:
    return struct.pack("<2H", number, len(data)) + data
