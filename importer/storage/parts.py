"""What uploads ask of storage: files that grow part by part, wherever they lie."""

from collections.abc import Iterable
from typing import Any, Protocol, cast

from django.core.files.storage import default_storage

from importer.values import ImportProblem

#: Bytes read and written at once.
BLOCK = 256 * 1024

#: What a storage has to remember of a file that is still growing: JSON, kept in the file's row. Only the storage reads it.
Parts = dict[str, Any]


class StorageProblem(ImportProblem):
    """A storage that is not this machine's disk is away or refuses; the text is a sentence, and trying again may help."""


class Growing(Protocol):
    """Storage as uploads need it, besides what every storage of Django's can do. `path` is a name in storage."""

    def begin(self, path: str) -> None:
        """Make room for a file that will grow. Raises OSError when there is none, StorageProblem."""

    def append(self, path: str, offset: int, blocks: Iterable[bytes], parts: Parts, size: int) -> tuple[int, Parts]:
        """Store `blocks` behind the first `offset` bytes, in a way that a crash of this machine does not undo.

        Returns the bytes stored, and what to remember; until that is remembered, the file counts as `offset` bytes long, and
        what came behind them is written over the next time. `size` is what the file will have in the end (bytes).
        When `blocks` raises, nothing is stored. Raises FileNotFoundError when the first `offset` bytes are not there, OSError,
        StorageProblem.
        """

    def finish(self, path: str, parts: Parts, size: int) -> None:
        """Make one file of all that was appended; may be done twice. Raises FileNotFoundError when some of it is not there."""

    def put(self, path: str, blocks: Iterable[bytes]) -> int:
        """Store a whole file, and return its bytes. When `blocks` raises, nothing is stored. Raises OSError."""

    def give_up(self, path: str, parts: Parts) -> None:
        """Delete the file and all that was appended, be it there or not."""

    def old(self, folder: str, older: float) -> Iterable[str]:
        """The names of the files in a folder that nobody has written to for `older` seconds."""

    def forget_parts(self, older: float, known: Iterable[str]) -> int:
        """Give up what was begun more than `older` seconds ago and that nobody knows of any more, for `known` are all that
        are still growing; returns how many those were."""


def interrupt(file: Any) -> None:
    """Have another thread that reads the open `file` wait no longer, should storage be away."""
    getattr(file, "interrupt", lambda: None)()


def growing() -> Growing:
    """The storage of this site."""
    return cast(Growing, default_storage)
