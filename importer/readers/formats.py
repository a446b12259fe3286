"""How a file is to be read: what it is packed in, its encoding, its delimiter, its sheet, whether it has a heading line."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any, Protocol

from importer.readers.csv_rows import CsvRows
from importer.rows import Batch


@dataclass(frozen=True)
class Format:
    """`kind` is "csv" or "workbook"; `packed` is "", "gzip" or "zip"; `encoding` a Python codec; `sheet` a sheet's name."""

    kind: str = "csv"
    packed: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str = ""
    heading: bool = True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


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


def sniff(file: IO[bytes], name: str = "") -> Format:
    """Find out how an open, seekable file is to be read, by its bytes. Raises BadFile for what no reader here takes."""
    return Format()


def open_rows(file: IO[bytes], format: Format) -> Rows:
    """A reader for `file`. Raises BadFile."""
    return CsvRows(file)


def sheets(file: IO[bytes]) -> list[str]:
    """The names of a workbook's sheets, in their order. Raises BadFile."""
    return []
