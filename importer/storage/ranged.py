"""An object of a bucket as a file that is read here and there, by requests for stretches of it."""

import io
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from importer.storage.parts import StorageProblem

log = logging.getLogger(__name__)

#: Bytes of the first stretch, and of the longest: each that follows on the one before is twice as long.
SHORTEST, LONGEST = 256 << 10, 8 << 20
#: Seconds between the tries to read one stretch; storage may be away for half a minute without an import noticing.
PAUSES = (0.2, 1.0, 3.0, 8.0, 15.0)

#: Reads so many bytes from a place on. Raises StorageProblem, which is tried again.
Fetch = Callable[[int, int], bytes]


class Ranged(io.RawIOBase):
    """`size` bytes that `fetch` brings. No line stays open between two stretches, however long the reader takes over one."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self._size = fetch, size
        self._at = self._begin = 0
        self._stretch = b""
        self._next = SHORTEST
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        """Have a try that waits for storage give up now; called by another thread."""
        self._interrupted.set()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, into: Any) -> int:
        if self._at >= self._size:
            return 0
        if not self._begin <= self._at < self._begin + len(self._stretch):
            self._read_stretch()
        within = self._at - self._begin
        piece = self._stretch[within : within + len(into)]
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _read_stretch(self) -> None:
        goes_on = self._at == self._begin + len(self._stretch)
        length = min(self._next if goes_on else SHORTEST, self._size - self._at)
        self._stretch = b""
        self._stretch, self._begin = self._tried(self._at, length), self._at
        self._next = min(LONGEST, max(SHORTEST, 2 * length))

    def _tried(self, begin: int, length: int) -> bytes:
        for pause in PAUSES:
            try:
                return self._fetch(begin, length)
            except StorageProblem as problem:
                log.warning("%s Trying again in %s s.", problem, pause)
                if self._interrupted.wait(pause):
                    raise
        return self._fetch(begin, length)
