"""Where the bytes of an upload lie: a file in the default storage's folder that grows part by part.

This is the only place that knows the storage is a folder.
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from django.core.files.storage import default_storage

#: Bytes read and written at once.
BLOCK = 256 * 1024


def append(path: str, offset: int, blocks: Iterable[bytes]) -> int:
    """Write `blocks` at byte `offset` of the stored file `path` and bring them to the disk; returns the bytes written.

    What stood behind `offset` is overwritten: it is from a part that broke off before anybody was told it had arrived.
    When `blocks` raises, or the disk is full (OSError), the file ends at `offset` again. Raises FileNotFoundError when what
    should stand before `offset` is not there.
    """
    place = Path(default_storage.path(path))
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = 0
    with open(os.open(place, os.O_RDWR | (0 if offset else os.O_CREAT), 0o600), "r+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END) < offset:
            # Writing would leave a hole of NUL bytes.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))
        try:
            file.seek(offset)
            for block in blocks:
                rest = memoryview(block)
                while rest:
                    sent = file.write(rest)
                    written += sent
                    rest = rest[sent:]
            file.truncate(offset + written)
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(offset)
            raise
    if offset == 0:
        _sync_folder(place.parent)
    return written


def read(path: str) -> Iterable[bytes]:
    """The stored file `path`, block by block. Raises FileNotFoundError."""
    with open(default_storage.path(path), "rb") as file:
        while block := file.read(BLOCK):
            yield block


def delete(path: str) -> None:
    """Delete the stored file `path`; nothing happens when it is gone already."""
    default_storage.delete(path)


def _sync_folder(folder: Path) -> None:
    # A new file's bytes are safe only when its name in the folder is, too.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
