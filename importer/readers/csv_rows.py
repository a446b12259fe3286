"""CSV as RFC 4180 and Python's csv module know it: bytes become batches of records with their line numbers.

The file is read in blocks that end at a line end, so memory stays flat, and the place after each batch is a byte offset
from which a later run can go on.
"""

import csv
import io
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO

from importer.rows import Batch, Rejected
from importer.values import BadFile

BLOCK = 1 << 20
LONGEST_LINE = 4 << 20
#: Bytes. A longer cell is taken for a quote that was never closed: its first line is rejected, reading goes on after it.
LONGEST_CELL = 1 << 20
#: A batch ends early when this many bytes were read for it, so that rows of any size fit the memory.
BATCH_BYTES = 4 << 20
START = {"offset": 0, "line": 1}
#: Given to the csv reader after the last line: inside a record it shows that a quote was still open when the file ended.
_END = "\x03end\x03"
_BOM = b"\xef\xbb\xbf"

csv.field_size_limit(LONGEST_CELL)


class CsvRows:
    """The records of an open, seekable binary file.

    Bytes that are not UTF-8 are kept as lone surrogates (PEP 383), for the cleaners to see. Blank lines are passed over.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def heading(self) -> tuple[list[str], dict[str, int]]:
        """The cells of the first line that is not blank, and from where to go on. Raises BadFile when there is none."""
        batch = next(self.batches(START, 1), Batch())
        if batch.rows:
            return batch.rows[0], batch.resume
        raise BadFile(batch.rejected[0].reason if batch.rejected else "The file is empty.")

    def batches(self, resume: dict[str, int], size: int) -> Iterator[Batch]:
        """Batches of about `size` records (a multiple of 500 when above it), from where `resume` says.

        Raises BadFile for a line over LONGEST_LINE.
        """
        while True:
            source = _Source(self.file, resume["offset"], resume["line"])
            reader = csv.reader(chain(chain.from_iterable(source.blocks()), [_END]))
            while True:
                batch, over = Batch(), False
                begin = source.line + reader.line_num
                full = source.offset + BATCH_BYTES
                try:
                    while not over and len(batch.rows) < size and source.offset < full:
                        for row in islice(reader, min(500, size)):
                            if row and row[-1].endswith(_END):
                                if row != [_END]:
                                    raise csv.Error("a quote is opened and never closed")
                                over = True
                                break
                            if row:
                                batch.rows.append(row)
                                batch.lines.append(begin)
                            begin = source.line + reader.line_num
                except csv.Error as problem:
                    text, resume = source.at(begin)
                    batch.rejected.append(Rejected(begin, [text], f"Line {begin}: {_sentence(problem)}"))
                    batch.resume, batch.done = resume, resume["offset"]
                    yield batch
                    break
                if batch.rows:
                    batch.resume = source.before(begin)
                    batch.done = batch.resume["offset"]
                    yield batch
                if over:
                    return


class _Source:
    """The lines of a file from a byte offset on; `line` is the number of the first one.

    It keeps the blocks that the csv reader may still be in, to tell at which byte a line begins.
    """

    def __init__(self, file: IO[bytes], offset: int, line: int) -> None:
        self.file = file
        self.line = line
        self.offset = offset
        self._next_line = line
        self._kept: list[tuple[int, int, str]] = []

    def blocks(self) -> Iterator[io.StringIO]:
        self.file.seek(self.offset)
        if self.offset == 0 and self.file.read(len(_BOM)) == _BOM:
            self.offset = len(_BOM)
        self.file.seek(self.offset)
        rest = b""
        while data := self.file.read(BLOCK):
            data = rest + data
            cut = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1
            rest = data[cut:]
            if len(rest) > LONGEST_LINE:
                raise BadFile(f"Line {self._next_line} is longer than {LONGEST_LINE >> 20} MiB.")
            if cut:
                yield self._block(data[:cut])
        if rest:
            yield self._block(rest)

    def _block(self, data: bytes) -> io.StringIO:
        text = data.decode("utf-8", "surrogateescape")
        self._kept.append((self._next_line, self.offset, text))
        self.offset += len(data)
        ends = text.count("\n") + text.count("\r") - text.count("\r\n")
        self._next_line += ends + (not text.endswith(("\n", "\r")))
        return io.StringIO(text if text.endswith(("\n", "\r")) else text + "\n", newline="")

    def before(self, line: int) -> dict[str, int]:
        """From where to read on so that `line` comes next; the blocks before it are let go."""
        while len(self._kept) > 1 and self._kept[1][0] <= line:
            self._kept.pop(0)
        if line >= self._next_line:
            return {"offset": self.offset, "line": self._next_line}
        first, offset, text = self._kept[0]
        behind = "".join(islice(io.StringIO(text, newline=""), line - first))
        return {"offset": offset + len(behind.encode("utf-8", "surrogateescape")), "line": line}

    def at(self, line: int) -> tuple[str, dict[str, int]]:
        """The text of `line`, and from where to read on after it."""
        start, after = self.before(line), self.before(line + 1)
        self.file.seek(start["offset"])
        data = self.file.read(min(after["offset"] - start["offset"], 2000))
        return data.decode("utf-8", "surrogateescape").rstrip("\r\n"), after


def _sentence(problem: csv.Error) -> str:
    if "field limit" in str(problem):
        return f"a quote is opened and not closed within {LONGEST_CELL >> 20} MiB."
    return f"{problem}."
