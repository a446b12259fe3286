"""How a file is to be read: what it is packed in, its encoding, its delimiter, its sheet, whether it has a heading line."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from os import SEEK_END
from typing import IO, Any, Protocol

from importer.readers import excel_rows
from importer.readers.csv_rows import SEPARATOR, CsvRows
from importer.readers.sniffing import delimiter_of, encoding_of, is_binary, is_padded
from importer.readers.unpacked import Unpacked, UnpackedRows
from importer.rows import Batch
from importer.values import BadFile

#: Bytes that are looked at, at each place.
SAMPLE = 64 << 10
_OTHERS = {
    b"%PDF-": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\xfd7zXZ": "an xz archive",
    b"BZh": "a bzip2 archive",
    b"(\xb5/\xfd": "a Zstandard archive",
    b"SQLite format": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"{\\rtf": "a text document (RTF)",
}
#: The same in a text, of which blanks at the beginning do not count.
_OTHER_TEXTS = {
    re.compile(r"(?is)(<\?xml.{0,200})?<(!doctype html|html|head|body|table|meta|div)\b"): "a web page (HTML)",
    re.compile(r"<\?xml|<!--|<[A-Za-z:]+[\s>]"): "an XML file",
    re.compile(r'\[?\s*\{\s*"'): "a JSON file",
}
#: Where a tar archive says so (POSIX.1-2017, pax, ustar).
_TAR = slice(257, 262)
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
    "shift_jis": "Shift JIS",
}


@dataclass(frozen=True)
class Format:
    """`kind` is "csv" or "workbook"; `packed` is "", "gzip" or "zip"; `encoding` a Python codec; `sheet` a sheet's name;
    `padded` says that blanks behind a delimiter are no part of the cell."""

    kind: str = "csv"
    packed: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str = ""
    heading: bool = True
    padded: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def encoding_name(self) -> str:
        """For people: “Windows-1252”."""
        return _ENCODINGS.get(self.encoding, self.encoding.replace("cp", "Windows-"))

    @property
    def words(self) -> str:
        """For people: “CSV, UTF-8, semicolons”."""
        if self.kind == "workbook":
            return f"Workbook, sheet “{self.sheet}”" if self.sheet else "Workbook, first sheet"
        parts = ["CSV", self.encoding_name, _DELIMITERS.get(self.delimiter, self.delimiter), self.packed]
        return ", ".join(filter(None, parts))


class Rows(Protocol):
    """A reader at work on one file."""

    def heading(self) -> tuple[list[str], dict[str, int]]:
        """The cells of the first line that is not blank, and from where to go on. Raises BadFile, BadHeading."""
        ...

    def start(self) -> dict[str, int]:
        """From where to read on so that the first line comes next."""
        ...

    def batches(self, resume: dict[str, int], size: int) -> Iterator[Batch]:
        """Batches of about `size` records, from where `resume` says; `Batch.done` counts bytes of the file, or its like."""
        ...

    def close(self) -> None:
        """Free what the reader holds besides the file."""
        ...


def sniff(file: IO[bytes], name: str = "") -> Format:
    """Find out how an open, seekable file is to be read, by its bytes. Raises BadFile for what no reader here takes."""
    file.seek(0)
    magic = file.read(8)
    if excel_rows.is_workbook(file):
        return Format(kind="workbook")
    packed = "gzip" if magic.startswith(b"\x1f\x8b") else "zip" if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")) else ""
    samples = [Unpacked(file, packed, "utf-8").read(SAMPLE)] if packed else _pieces(file)
    if packed and samples[0].startswith((b"PK\x03\x04", b"\x1f\x8b", excel_rows.OLE)):
        raise BadFile(f"The {packed} file holds another packed file or a workbook; take that out and send it by itself.")
    encoding = encoding_of(samples)
    text = samples[0].decode(encoding, "replace").lstrip("\ufeff\r\n")
    _check_is_table(samples[0], text)
    told = SEPARATOR.match(text.encode("utf-8", "surrogatepass"))
    delimiter = told[1].decode() if told else delimiter_of(text, len(samples[0]) < SAMPLE)
    return Format(packed=packed, encoding=encoding, delimiter=delimiter, padded=is_padded(text, delimiter))


def _check_is_table(data: bytes, text: str) -> None:
    """Raises BadFile when the beginning of a file, as bytes and as text, is that of something else."""
    what = next((what for mark, what in _OTHERS.items() if data.startswith(mark)), "")
    what = what or next((what for mark, what in _OTHER_TEXTS.items() if mark.match(text.lstrip())), "")
    if data[_TAR] == b"ustar":
        what = "a tar archive"
    if what:
        raise BadFile(f"This is {what}, no table; save it as CSV and send that.")
    if is_binary(text):
        raise BadFile("This is neither text nor a workbook; save it as CSV and send that.")


def _pieces(file: IO[bytes]) -> list[bytes]:
    """The head of a file, and when it is longer a piece from its middle and its end."""
    size = file.seek(0, SEEK_END)
    pieces = []
    for place in (0, size // 2, size - SAMPLE) if size > SAMPLE else (0,):
        file.seek(place)
        pieces.append(file.read(SAMPLE))
    return pieces


def open_rows(file: IO[bytes], format: Format) -> Rows:
    """A reader for `file`. Raises BadFile."""
    if format.kind == "workbook":
        return excel_rows.WorkbookRows(file, format.sheet)
    if format.packed or format.encoding not in ("utf-8", "utf-8-sig"):
        return UnpackedRows(Unpacked(file, format.packed, format.encoding), format.delimiter, format.padded)
    return CsvRows(file, format.delimiter, format.padded)
