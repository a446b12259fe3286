"""Zip archives, opened with bounded memory: what a hostile one lists is not taken in as a whole."""

import zipfile
import zlib
from typing import IO, Any, cast

from importer.values import BadFile

#: Bytes. A longer list of contents is of some 10,000 files or more.
MOST_LISTED = 1 << 20
#: What zipfile raises for an archive that is damaged, locked, or packed in a way it does not know.
DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError, zlib.error)


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """An archive to read from. Raises BadFile when it lists too many files, and one of DAMAGED when it cannot be read."""
    return zipfile.ZipFile(cast(IO[bytes], _Guarded(file)))


class _Guarded:
    """A file of which only small pieces are read at a time; zipfile reads the list of contents as one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def read(self, size: int = -1) -> bytes:
        if size > MOST_LISTED:
            raise BadFile("The zip file lists many thousand files; send one at a time.")
        return self.file.read(size)
