"""A bucket into which partners put files, each under the name of its dataset: which are new, and where they go afterwards.

The id of a file comes from what storage says of it, so whoever finds it there after a process was killed can tell whether it
was stored and submitted already, and the same name with another file in it is another one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid5

from django.core.files.base import ContentFile
from django.core.files.storage import storages

from importer.intake import uploads
from importer.intake.folder import ASIDE, DONE, FAILED, REASON, UNFINISHED, numbered
from importer.models import StoredFile

if TYPE_CHECKING:
    # A site without buckets does without boto3 in memory.
    from importer.storage.inbox import InboxStorage

#: Under it the ids of objects are made (RFC 9562 §5.5).
_IDS = UUID("8a2a7e5c-0d0b-5f4e-9b52-6b1c2c6a9d11")


@dataclass(frozen=True)
class Found:
    """An object that waits; `path` is its name within the part of the bucket that is looked into."""

    inbox: "InboxStorage"
    path: str
    etag: str
    public_id: UUID
    size: int
    #: Called all the time while it is copied, and may raise.
    between: Callable[[], None]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def dataset(self) -> str:
        """The name of the folder that it lies in; "" for what lies in none."""
        return self.path.partition("/")[0] if "/" in self.path else ""

    def store(self) -> StoredFile:
        """Its copy in storage, made now unless that has happened before. Raises FileNotFoundError when it was taken back or
        replaced, TooLarge, DiskFull, StorageAway, StorageProblem."""
        stored = StoredFile.objects.filter(public_id=self.public_id).first()
        if stored:
            return stored
        with self.inbox.open_version(self.path, self.etag) as content:
            return uploads.keep(None, self.name, _Watched(content, self.size, self.between), self.public_id)

    def put_away(self, folder: str, reason: str = "") -> str:
        """Move it to DONE or FAILED, a `reason` beside it; a name that is taken gets a number. Returns where it is."""
        for number in count(1):
            within, _, name = self.path.rpartition("/")
            target = "/".join(part for part in (folder, within, numbered(name, number)) if part)
            if self.inbox.copy_once(self.path, self.etag, target, str(self.public_id)):
                break
        if reason:
            self.inbox.delete(f"{target}{REASON}")
            self.inbox.save(f"{target}{REASON}", ContentFile(f"{reason}\n".encode()))
        # Last, so that whoever finishes after us finds it until everything is where it belongs.
        self.inbox.delete_version(self.path, self.etag)
        return target


def waiting(between: Callable[[], None]) -> Iterator[Found]:
    """The objects of LOADIFY_BUCKET that are to be imported, by name. Objects appear whole, so none is waited for."""
    inbox = cast("InboxStorage", storages["inbox"])
    for path, entry in _listed(inbox):
        name = path.rpartition("/")[2]
        if not name or name.startswith(ASIDE):
            continue
        if not name.lower().endswith((*UNFINISHED, REASON)):
            said = f"{inbox.bucket_name} {path} {entry['ETag']} {entry['LastModified'].isoformat()}"
            yield Found(inbox, path, entry["ETag"], uuid5(_IDS, said), entry["Size"], between)


def _listed(inbox: "InboxStorage") -> Iterator[tuple[str, dict[str, Any]]]:
    """All but what is done and failed, of which there is more every day."""
    yield from inbox.top()
    for folder in sorted(set(inbox.listdir("")[0]) - {DONE, FAILED}):
        yield from inbox.objects(folder)


class _Watched:
    """A stream that tells whenever it is read from."""

    def __init__(self, content: Any, size: int, tell: Callable[[], None]) -> None:
        self.size = size
        self._content, self._tell = content, tell

    def read(self, size: int = -1) -> bytes:
        self._tell()
        return bytes(self._content.read(size))
