"""Workbooks (.xlsx, .xls, .ods): a child process reads the sheet, and its rows become batches with their row numbers."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from importer.readers.csv_rows import MOST_COLUMNS
from importer.readers.sniffing import HEADING_WITHIN, heading_at
from importer.readers.zips import DAMAGED, open_zip
from importer.rows import Batch
from importer.values import BadFile, BadHeading

ROOT = Path(__file__).resolve().parents[2]
#: The mark of Microsoft's older files ([MS-CFB] §2.2): .xls, and workbooks that a password protects.
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: What a new workbook becomes under a password: a stream of this name in an old file ([MS-OFFCRYPTO] §2.3.4), whose list of
#: names stands near its beginning or its end.
_LOCKED = "EncryptedPackage".encode("utf-16-le")
_NAMES_WITHIN = 1 << 20
#: The same of old ones: a FilePass record right after the first ([MS-XLS] §2.1.7.20.3).
_LOCKED_OLD = re.compile(rb"\x09\x08\x10\0\0\x06\x05\0.{12}(\x86\0\0\0)?\x2f\0", re.DOTALL)
LOCKED = "The workbook is protected by a password; save it without one and send it again."


class WorkbookRows:
    """The rows of one sheet of an open workbook; `sheet` is its name, "" for the first. `close` ends the child process.

    Rows without any text are passed over. A row has as many cells as the widest one of the sheet; those that are empty at its
    end carry no meaning, so rows are cut or filled to the width of the first.
    """

    def __init__(self, file: IO[bytes], sheet: str = "") -> None:
        check_openable(file)
        self.file = file
        self.sheet = sheet
        self.size = _size(file)
        self.width = 0
        self._child: Child | None = None

    def heading(self) -> tuple[list[str], dict[str, int]]:
        """The cells of the heading row, as `heading_at` finds it, and from where to go on. Raises BadFile, BadHeading."""
        first = self._child_at(1).look(HEADING_WITHIN)
        if not first:
            raise BadFile("The sheet is empty.")
        row, found = first[heading_at([cells for _, cells in first])]
        cells = list(found)
        while cells and not cells[-1].strip():
            cells.pop()
        if len(cells) > MOST_COLUMNS:
            raise BadHeading(f"Row {row}: the heading has {len(cells):,} cells; {MOST_COLUMNS:,} are allowed.")
        if not cells:
            raise BadFile(f"The first {HEADING_WITHIN} rows hold no text.")
        self.width = len(cells)
        return cells, {"row": row + 1, "width": self.width}

    def start(self) -> dict[str, int]:
        """From where to read on so that the first row comes next."""
        self.heading()
        return {"row": 1, "width": self.width}

    def batches(self, resume: dict[str, int], size: int) -> Iterator[Batch]:
        """Batches of about `size` rows; `Batch.done` is the part of the file's bytes that fits the part of rows read."""
        width = resume.get("width", 0)
        for batch in self._rows(resume, size):
            batch.rows = [_fitted(row, width) for row in batch.rows]
            batch.resume |= {"width": width}
            yield batch

    def close(self) -> None:
        if self._child:
            self._child.close()
            self._child = None

    def _rows(self, resume: dict[str, int], size: int) -> Iterator[Batch]:
        child = self._child_at(resume["row"])
        while rows := child.take(size):
            done = self.size * child.next_row // max(child.about["rows"], child.next_row)
            yield Batch([number for number, _ in rows], [cells for _, cells in rows], [], {"row": child.next_row}, done)

    def _child_at(self, row: int) -> "Child":
        if self._child is None or not self._child.go_to(row):
            self.close()
            self._child = Child(self.file, "--sheet", self.sheet, "--first", str(row))
        return self._child


class Child:
    """The process that reads the workbook; `close` ends it, also while another thread waits for what it says."""

    def __init__(self, file: IO[bytes], *arguments: str) -> None:
        self._kept: list[tuple[int, list[str]]] = []
        self.next_row = 1
        self._copy: IO[bytes] | None = None
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "importer.readers.workbook",
                "--mebibytes",
                str(settings.LOADIFY_WORKBOOK_MEMORY),
                *arguments,
            ],
            stdin=self._on_disk(file),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2"},
        )
        if "--first" in arguments:
            self.next_row = int(arguments[arguments.index("--first") + 1])

    @cached_property
    def about(self) -> dict[str, Any]:
        """What it says first, when it has read the workbook: the names of its "sheets", and how many "rows" the sheet has."""
        try:
            found: dict[str, Any] = self._next()
        except BaseException:
            self.close()
            raise
        return found

    def look(self, count: int) -> list[tuple[int, list[str]]]:
        """The next `count` rows, fewer at the end; [] when there are no more. They stay to be taken."""
        # It tells of the workbook before any row.
        _ = self.about
        while len(self._kept) < count and (piece := self._next()):
            self._kept += [(number, cells) for number, cells in piece]
        return self._kept[:count]

    def go_to(self, row: int) -> bool:
        """Pass over the rows before `row`, as far as they were looked at; False when it cannot be reached from here."""
        if row != self.next_row:
            if row < self.next_row or not self._kept or row > self._kept[-1][0] + 1:
                return False
            self._kept = [kept for kept in self._kept if kept[0] >= row]
            self.next_row = row
        return True

    def take(self, count: int) -> list[tuple[int, list[str]]]:
        """The next `count` rows, fewer at the end; [] when there are no more."""
        taken, self._kept = self.look(count), self._kept[count:]
        if taken:
            self.next_row = taken[-1][0] + 1
        return taken

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        if self._copy:
            self._copy.close()

    def _on_disk(self, file: IO[bytes]) -> int:
        """A descriptor of the file from its start; a file that is elsewhere is copied."""
        file.seek(0)
        try:
            found = file.fileno()
        except OSError:
            self._copy = tempfile.TemporaryFile()  # noqa: SIM115  closed with the child
            shutil.copyfileobj(file, self._copy)
            self._copy.seek(0)
            return self._copy.fileno()
        os.lseek(found, 0, os.SEEK_SET)
        return found

    def _next(self) -> Any:
        """The next JSON value of the child, None after the last. Raises BadFile with its sentence, or ours when it died."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            code = self._process.wait()
            if code == 0:
                return None
            raise BadFile(
                f"The workbook needs more than {settings.LOADIFY_WORKBOOK_MEMORY:,} MiB of memory, or breaks its reader. "
                "Save the sheet as CSV and send that."
            )
        value = json.loads(line)
        if isinstance(value, dict) and "problem" in value:
            raise BadFile(value["problem"])
        return value


def sheets(file: IO[bytes]) -> list[str]:
    """The names of a workbook's sheets, in their order. Raises BadFile."""
    check_openable(file)
    child = Child(file, "--names")
    try:
        names: list[str] = child.about["sheets"]
    finally:
        child.close()
    return names


def is_workbook(file: IO[bytes]) -> bool:
    """By its bytes, whatever it is called: an old Excel file, or a zip with the parts of a new or an OpenDocument one."""
    file.seek(0)
    magic = file.read(len(OLE))
    if not magic.startswith(b"PK\x03\x04"):
        return magic == OLE
    try:
        with open_zip(file) as packed:
            names = set(packed.namelist())
            if {"mimetype", "content.xml"} <= names:
                return b"spreadsheet" in packed.open("mimetype").read(100)
            return bool(names & {"xl/workbook.xml", "xl/workbook.bin"})
    except DAMAGED:
        return False


def check_openable(file: IO[bytes]) -> None:
    """Raises BadFile when a workbook is locked with a password, or a zipped one says that it is larger than
    LOADIFY_MAX_WORKBOOK; what it does not say, the limit on memory finds."""
    size, locked = _size(file), False
    file.seek(0)
    head = file.read(_NAMES_WITHIN)
    if head.startswith(OLE):
        file.seek(max(0, size - _NAMES_WITHIN))
        if _LOCKED in head or _LOCKED in file.read() or _LOCKED_OLD.search(head):
            raise BadFile(LOCKED)
    if not head.startswith(b"PK"):
        return
    try:
        with open_zip(file) as packed:
            size = sum(each.file_size for each in packed.infolist())
            if "META-INF/manifest.xml" in packed.namelist():
                # OpenDocument 1.3, part 2, §4.8.
                locked = b"encryption-data" in packed.open("META-INF/manifest.xml").read(_NAMES_WITHIN)
    except DAMAGED:
        raise BadFile("The workbook is damaged: its parts cannot be found. Save it again and send it.") from None
    if locked:
        raise BadFile(LOCKED)
    if size > settings.LOADIFY_MAX_WORKBOOK:
        raise BadFile(
            f"The workbook expands to {size / 2**20:,.0f} MiB; {settings.LOADIFY_MAX_WORKBOOK / 2**20:,.0f} MiB are allowed. "
            "Save the sheet as CSV and send that."
        )


def _fitted(row: list[str], width: int) -> list[str]:
    """The row with `width` cells, unless there is text beyond them: then all of it, for the sentence about it."""
    if len(row) < width:
        return row + [""] * (width - len(row))
    return row if any(row[width:]) else row[:width]


def _size(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)
