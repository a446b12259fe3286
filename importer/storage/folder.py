"""Storage in a folder of this machine, or one that all machines share."""

import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path

from django.core.files.storage import FileSystemStorage

from importer.storage.parts import Parts


class FolderStorage(FileSystemStorage):
    """A file that grows is a file that grows: nothing has to be remembered of it."""

    def begin(self, path: str) -> None:
        self.append(path, 0, (), {}, 0)

    def append(self, path: str, offset: int, blocks: Iterable[bytes], parts: Parts, size: int) -> tuple[int, Parts]:
        place = Path(self.path(path))
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
        return written, {}

    def finish(self, path: str, parts: Parts, size: int) -> None:
        pass

    def put(self, path: str, blocks: Iterable[bytes]) -> int:
        try:
            return self.append(path, 0, blocks, {}, 0)[0]
        except BaseException:
            self.delete(path)
            raise

    def give_up(self, path: str, parts: Parts) -> None:
        self.delete(path)

    def old(self, folder: str, older: float) -> Iterable[str]:
        try:
            entries = list(os.scandir(self.path(folder)))
        except FileNotFoundError:
            return []
        return [entry.name for entry in entries if time.time() - entry.stat(follow_symlinks=False).st_mtime > older]

    def forget_parts(self, older: float, known: Iterable[str]) -> int:
        return 0


def _sync_folder(folder: Path) -> None:
    # A new file's bytes are safe only when its name in the folder is, too.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
