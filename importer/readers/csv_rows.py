"""CSV as RFC 4180 and Python's csv module know it: bytes become batches of records with their line numbers.

The file is read in blocks and given out in batches of bounded size, so memory stays flat; the place after each batch is a
byte offset from which a later run can go on.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain, islice, pairwise
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from importer.readers.sniffing import HEADING_WITHIN, heading_at
from importer.rows import Batch, Rejected
from importer.values import BadFile, BadHeading

if TYPE_CHECKING:
    from _csv import Reader

BLOCK = 256 << 10
LONGEST_LINE = 4 << 20
#: Bytes. A longer cell is taken for a quote that was never closed: its first line is rejected, reading goes on after it.
LONGEST_CELL = 1 << 20
#: Bytes. A longer record, of many cells that are each short enough, is taken for the same.
LONGEST_RECORD = 8 << 20
#: Lines. A record of more is taken for the same.
LONGEST_IN_LINES = 1_000
#: So many lines with a quote that is not closed in time, and the quotation marks of the file mean something else.
MOST_UNCLOSED = 1_000
MOST_COLUMNS = 2_000
#: A batch ends early when this many bytes were read for it, so that rows of any size fit the memory.
BATCH_BYTES = 4 << 20
#: Given to the csv reader after the last line: inside a record it shows that a quote was still open when the file ended.
_END = "\x03end\x03"
#: A line that Excel reads and writes above the heading: it says what separates the cells.
SEPARATOR = re.compile(rb'"?sep=([,;|\t])"?[ \t]*(?:\r\n|\r|\n)', re.IGNORECASE)
_NOT_CLOSED = "a quote is opened and never closed."
_STRAY_QUOTE = "text follows the quotation mark that ends a cell; one inside a cell is written twice."
_TOO_MANY_LINES = f"a quote is opened and its record does not end within {LONGEST_IN_LINES:,} lines."
_BOM = b"\xef\xbb\xbf"

csv.field_size_limit(LONGEST_CELL)


class CsvRows:
    """The records of an open, seekable binary file.

    Bytes that are not UTF-8 are kept as lone surrogates (PEP 383), for the cleaners to see. Blank lines are passed over.
    """

    def __init__(self, file: IO[bytes], delimiter: str = ",", padded: bool = False) -> None:
        self.file = file
        self.delimiter = delimiter
        #: Blanks behind a delimiter are no part of the cell.
        self.padded = padded

    def heading(self) -> tuple[list[str], dict[str, int]]:
        """The cells of the heading line, as `heading_at` finds it, and from where to go on.

        Raises BadFile when there is none, BadHeading when it has more than MOST_COLUMNS cells.
        """
        begin = self.start()
        first = next(self.batches(begin, HEADING_WITHIN), Batch())
        if not first.rows:
            raise BadFile(first.rejected[0].reason if first.rejected else "The file is empty.")
        place = heading_at(first.rows)
        cells, line = first.rows[place], first.lines[place]
        if len(cells) > MOST_COLUMNS:
            raise BadHeading(f"Line {line}: the heading has {len(cells):,} cells; {MOST_COLUMNS:,} are allowed.")
        if not any(map(str.strip, cells)):
            raise BadFile(f"The first {HEADING_WITHIN} lines hold no text.")
        return cells, next(batch.resume for batch in self.batches(begin, 1) if line in batch.lines)

    def start(self) -> dict[str, int]:
        """From where to read on so that the first line that is not blank comes next, behind a byte order mark."""
        self.file.seek(0)
        offset = len(_BOM) if self.file.read(len(_BOM)) == _BOM else 0
        self.file.seek(offset)
        line = 1
        while block := self.file.read(BLOCK):
            if separator := SEPARATOR.match(block):
                return {"offset": offset + separator.end(), "line": line + 1}
            blank = block[: len(block) - len(block.lstrip(b"\r\n"))]
            offset += len(blank)
            line += blank.count(b"\n") + blank.count(b"\r") - blank.count(b"\r\n")
            if len(blank) < len(block):
                break
        return {"offset": offset, "line": line}

    def close(self) -> None:
        """Nothing to free; the file is its owner's."""

    def batches(self, resume: dict[str, int], size: int) -> Iterator[Batch]:
        """Batches of about `size` records (a multiple of 500 when above it), from where `resume` says.

        Raises BadFile for a line over LONGEST_LINE, and for more than MOST_UNCLOSED lines with a quote that is not closed in
        time.
        """
        source = _Source(self.file, resume["offset"], resume["line"])
        while source.unclosed < MOST_UNCLOSED:
            text = io.TextIOWrapper(cast(BinaryIO, source), "utf-8", "surrogateescape", newline="")
            source.reader = reader = csv.reader(
                chain(text, source.end()), delimiter=self.delimiter, skipinitialspace=self.padded, strict=True
            )
            yield from _batches(reader, source, size)
            if source.over:
                return
            source.again()
        raise BadFile(
            f"{MOST_UNCLOSED:,} lines up to line {source.line - 1:,} open a quotation mark that is not closed in time. "
            "The quotation marks of this file mean something else; send it with every inner one doubled."
        )


def _batches(reader: "Reader", source: "_Source", size: int) -> Iterator[Batch]:
    """Batches up to the end of the file, or up to a record that cannot be read; its line is rejected in the last one."""
    first = source.line - 1
    while not source.over:
        rows: list[list[str]] = []
        source.ends = ends = [reader.line_num]
        add, end = rows.append, ends.append
        strays: list[int] = []
        problem = ""
        try:
            while not source.ended and len(rows) < size and not source.full:
                try:
                    for row in islice(reader, min(500, size)):
                        add(row)
                        end(reader.line_num)
                        if source.full:
                            break
                except csv.Error as error:
                    if source.ended or reader.line_num > ends[-1] + 1 or not _is_stray(error):
                        raise
                    # A record of one line: the csv reader goes on with the next.
                    strays.append(first + reader.line_num)
                    add([])
                    end(reader.line_num)
            source.over = source.ended
        except csv.Error as error:
            problem = _sentence(error, reader.line_num - ends[-1])
            source.unclosed += problem != _STRAY_QUOTE
        if source.over:
            ends.pop()
            rows.pop()
        if ends[-1] - ends[0] >= len(rows) + LONGEST_IN_LINES:
            # A record may be too long; usually it is several that have a few lines each.
            lengths = [end - begin for begin, end in pairwise(ends)]
            long = next((i for i, lines in enumerate(lengths) if lines > LONGEST_IN_LINES), None)
            if long is not None:
                del rows[long:], ends[long + 1 :]
                strays = [line for line in strays if line <= first + ends[-1]]
                source.unclosed += not problem
                source.over, problem = False, _TOO_MANY_LINES
        batch = Batch(lines=[first + line + 1 for line in ends[:-1]], rows=rows)
        batch.rejected = [
            Rejected(line, [text], f"Line {line}: {_STRAY_QUOTE}")
            for line, text in zip(strays, source.texts(strays), strict=True)
        ]
        if [] in rows:
            batch.lines = [line for line, row in zip(batch.lines, rows, strict=True) if row]
            batch.rows = [row for row in rows if row]
        batch.done = source.go_to(first + ends[-1] + 1)
        if problem:
            # The line on which the trouble began is rejected; reading goes on with the next one.
            bad = source.line
            batch.rejected.append(Rejected(bad, source.texts([bad]), f"Line {bad}: {problem}"))
            batch.done = source.go_to(bad + 1)
        batch.resume = {"offset": batch.done, "line": source.line}
        if batch.rows or batch.rejected:
            yield batch
        if problem:
            return


class _Source(io.BufferedIOBase):
    """The bytes of a file from an offset on, of which `line` is the number of the first line.

    It keeps what was read since then, to tell at which byte a later line begins.
    """

    def __init__(self, file: IO[bytes], offset: int, line: int) -> None:
        self.file = file
        self.line = line
        #: The csv reader has seen the last line; everything was read.
        self.ended = self.over = False
        #: Enough was read for a batch.
        self.full = False
        #: The csv reader, which counts lines, and its count at the end of each record of this batch.
        self.reader: Reader | None = None
        self.ends: list[int] = []
        #: Lines so far with a quote that was not closed in time.
        self.unclosed = 0
        self._offset = offset
        self._kept = b""
        #: How many of the kept bytes the csv reader was given.
        self._given = 0
        self._unended = 0
        file.seek(offset)

    def end(self) -> Iterator[str]:
        """What the csv reader gets after the last line."""
        self.ended = True
        yield _END

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        """A whole block, whatever `size` the text layer asks for: it takes what it gets.

        Raises csv.Error, which the csv reader passes on, when the record that is being read is too long.
        """
        if self.reader is not None and self.ends and self.reader.line_num - self.ends[-1] > LONGEST_IN_LINES:
            raise csv.Error(_TOO_MANY_LINES)
        data = self._kept[self._given : self._given + BLOCK] or self._read()
        self._given += len(data)
        self.full = self._given >= BATCH_BYTES
        if self._given > BATCH_BYTES + LONGEST_RECORD:
            raise csv.Error(f"a quote is opened and its record does not end within {LONGEST_RECORD >> 20} MiB")
        return data

    def _read(self) -> bytes:
        data = self.file.read(BLOCK)
        ended = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._unended = len(data) - ended - 1 + (self._unended if ended < 0 else 0)
        if self._unended > LONGEST_LINE:
            line = self.line + self._kept.count(b"\n")
            raise BadFile(f"Line {line} is longer than {LONGEST_LINE >> 20} MiB.")
        self._kept += data
        return data

    def go_to(self, line: int) -> int:
        """Forget what lies before `line`; returns the byte at which it begins."""
        length = self._length(line - self.line)
        self._kept = self._kept[length:]
        self._given -= length
        self._offset += length
        self.line = line
        self.full = self._given >= BATCH_BYTES
        return self._offset

    def again(self) -> None:
        """Give a new csv reader what is kept once more."""
        self._given = 0
        self.ended = self.full = False

    def close(self) -> None:
        """Nothing: a text layer that is thrown away must not take the bytes with it."""

    def texts(self, lines: list[int]) -> list[str]:
        """The text of some of the lines that are kept."""
        if not lines:
            return []
        kept = list(islice(io.StringIO(self._kept.decode("utf-8", "surrogateescape"), newline=""), lines[-1] - self.line + 1))
        return [kept[line - self.line].rstrip("\r\n") for line in lines]

    def _length(self, lines: int) -> int:
        """Bytes of the first `lines` lines that are kept."""
        if self._kept.count(b"\r") == self._kept.count(b"\r\n"):
            rest = self._kept.split(b"\n", lines)[lines:]
            return len(self._kept) - len(rest[0]) if rest else len(self._kept)
        text = io.StringIO(self._kept.decode("utf-8", "surrogateescape"), newline="")
        return len("".join(islice(text, lines)).encode("utf-8", "surrogateescape"))


def _is_stray(problem: csv.Error) -> bool:
    return "expected after" in str(problem)


def _sentence(problem: csv.Error, lines: int) -> str:
    if lines > LONGEST_IN_LINES:
        return _TOO_MANY_LINES
    if _is_stray(problem):
        return _STRAY_QUOTE
    if "end of data" in str(problem):
        return _NOT_CLOSED
    if "field limit" in str(problem):
        return f"a quote is opened and not closed within {LONGEST_CELL >> 20} MiB."
    return f"{problem}."
