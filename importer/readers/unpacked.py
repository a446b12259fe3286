"""Files that are packed, or not in UTF-8, as a stream of UTF-8 bytes for the CSV reader."""

import codecs
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from django.conf import settings

from importer.readers.csv_rows import CsvRows
from importer.readers.zips import open_zip
from importer.rows import Batch
from importer.values import BadFile, quote

BLOCK = 256 << 10
#: No table packs better than this; what does is meant to fill disks.
MOST_RATIO = 1_000
#: Bytes. Below this nobody asks how well a file is packed: it costs nothing to read.
RATIO_FROM = 100 << 20
#: What systems add to a zip unasked: forks of macOS, hidden files, pictures and settings of folders.
_LITTER = re.compile(r"^__MACOSX/|(^|/)(\.[^/]*|thumbs\.db|desktop\.ini)$", re.IGNORECASE)
#: Members by which the documents of office programs are told.
_OFFICE = {"[Content_Types].xml", "mimetype"}

#: An impossible byte of UTF-8 for what cannot be decoded: the cleaners reject the cell it is in.
codecs.register_error("loadify.undecodable", lambda error: ("\udcff", cast(UnicodeDecodeError, error).end))


def zipped(file: IO[bytes]) -> zipfile.ZipInfo:
    """The one file in a zip, besides what systems put there. Raises BadFile when there is not exactly one, or it is locked."""
    try:
        with open_zip(file) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and not _LITTER.search(info.filename)]
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as problem:
        raise BadFile("The zip file is damaged or cut off; pack it again.") from problem
    if not members:
        raise BadFile("The zip file is empty; one file is needed in it.")
    if _OFFICE & {info.filename for info in members}:
        raise BadFile("This is a document of an office program, no table; save it as CSV and send that.")
    if len(members) > 1:
        names = ", ".join(quote(info.filename) for info in members[:5]) + (" and others" if len(members) > 5 else "")
        raise BadFile(f"The zip file holds {len(members):,} files: {names}. Send one at a time.")
    if members[0].flag_bits & 1:
        raise BadFile(f"{quote(members[0].filename)} in the zip file is locked with a password; send it without one.")
    return members[0]


class Unpacked:
    """A file unpacked and decoded, to be read forwards; going back means reading again from the start.

    Raises BadFile while reading: for a damaged file, and for one that unpacks to more than is allowed.
    """

    def __init__(self, file: IO[bytes], packed: str, encoding: str) -> None:
        self.file = file
        self.packed = packed
        self.encoding = encoding
        self._begin()

    def _begin(self) -> None:
        self.file.seek(0)
        self._source = self._unpack()
        self._at = self._unpacked = 0
        self._left = b""
        self._ended = False
        utf_8 = codecs.lookup(self.encoding).name == "utf-8"
        errors = "surrogateescape" if utf_8 else "loadify.undecodable"
        self._decoder = None if utf_8 else codecs.getincrementaldecoder(self.encoding)(errors)

    def _unpack(self) -> IO[bytes]:
        if self.packed == "gzip":
            return cast(IO[bytes], gzip.GzipFile(fileobj=self.file, mode="rb"))
        if self.packed == "zip":
            member = zipped(self.file)
            try:
                return open_zip(self.file).open(member)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as problem:
                raise BadFile(f"{quote(member.filename)} in the zip file cannot be unpacked; pack it again.") from problem
        return self.file

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end."""
        parts, length = [self._left], len(self._left)
        while length < size and not self._ended:
            parts.append(self._more())
            length += len(parts[-1])
        data = b"".join(parts)
        self._left = data[size:]
        self._at += min(size, length)
        return data[:size]

    def seek(self, offset: int) -> int:
        if offset < self._at:
            self._begin()
        while self._at < offset and self.read(min(BLOCK, offset - self._at)):
            pass
        return self._at

    def place(self) -> int:
        """How many bytes of the stored file were read."""
        return self.file.tell()

    def _more(self) -> bytes:
        try:
            data = self._source.read(BLOCK)
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile, NotImplementedError) as problem:
            if not self.packed:
                raise
            raise BadFile(f"The {self.packed} file is damaged or cut off; pack it again.") from problem
        self._ended = not data
        self._unpacked += len(data)
        if self.packed:
            self._guard()
        return self._decoder.decode(data, self._ended).encode("utf-8", "surrogateescape") if self._decoder else data

    def _guard(self) -> None:
        if self._unpacked > settings.LOADIFY_MAX_FILE_SIZE:
            raise BadFile(
                f"The {self.packed} file unpacks to more than {settings.LOADIFY_MAX_FILE_SIZE:,} bytes, the most allowed."
            )
        if self._unpacked > RATIO_FROM and self._unpacked > MOST_RATIO * self.place():
            raise BadFile(f"The {self.packed} file unpacks to more than {MOST_RATIO:,} times its size; no table does that.")


class UnpackedRows(CsvRows):
    """The records of a packed or recoded file; `Batch.done` counts bytes of the file as it is stored."""

    def __init__(self, stream: Unpacked, delimiter: str, padded: bool = False) -> None:
        super().__init__(cast(IO[bytes], stream), delimiter, padded)
        self.stream = stream

    def batches(self, resume: dict[str, int], size: int) -> Iterator[Batch]:
        for batch in super().batches(resume, size):
            batch.done = self.stream.place()
            yield batch
