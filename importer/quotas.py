"""How much room there is for files: what may be stored in all, by one person, and what stays free on a disk of our own.

Checked when a file begins, with all of what is still to come of others. Two files that begin in the same moment may both
find room for the last one.
"""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import F, Sum
from django.utils import timezone

from importer.models import Export, StoredFile
from importer.values import quote
from pages.templatetags.figures import size as in_words

#: An upload of which no part came for so long brings nothing more, as far as the disk's room goes.
ACTIVE = timedelta(minutes=10)
#: With less than this part of a quota left, or this many times the reserve of a disk, people are warned.
LOW, DISK_LOW = 0.2, 4


@dataclass(frozen=True)
class Room:
    """What one limit leaves: `used` of `limit` bytes; `whose` begins a sentence about it."""

    whose: str
    used: int
    limit: int
    #: With fewer bytes left than these, people are warned.
    low: float
    #: What to do about it.
    remedy: str

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def percent(self) -> int:
        return min(100, 100 * self.used // self.limit) if self.limit else 100

    def warning(self) -> str:
        """A sentence when it is nearly full; else ""."""
        if self.left > self.low:
            return ""
        full = f"{self.whose} {self.percent} % full" if self.left else f"{self.whose} full"
        return f"{full}: {in_words(self.used)} of {in_words(self.limit)} are used. {self.remedy}"

    def refusal(self, name: str, size: int) -> str:
        """A sentence when `size` bytes more do not fit; else ""."""
        if self.left and size <= self.left:
            return ""
        taken = f"{in_words(self.used)} of {in_words(self.limit)} are used, and {quote(name)} has {in_words(size)}"
        return f"There is no room for the file. {self.whose} too full: {taken}. {self.remedy}"


def refusal(owner_id: int | None, name: str, size: int) -> str:
    """A sentence with the figures when a file of `size` bytes cannot be kept; else ""."""
    return next((sentence for room in rooms(owner_id) if (sentence := room.refusal(name, size))), "")


def warnings(owner_id: int | None) -> list[str]:
    """Sentences about each limit that will soon be reached: a person's own, and those of everybody."""
    return [sentence for room in rooms(owner_id) if (sentence := room.warning())]


def rooms(owner_id: int | None) -> list[Room]:
    """Every limit that is set, at most two queries each; a person's own first."""
    found = []
    if settings.LOADIFY_PERSON_QUOTA and owner_id is not None:
        remedy = f"{_when_files_go()} Ask an admin for more room."
        found.append(_quota("Your part of the storage is", owner_id, settings.LOADIFY_PERSON_QUOTA, remedy))
    if settings.LOADIFY_STORAGE_QUOTA:
        remedy = f"{_when_files_go()} An admin can raise LOADIFY_STORAGE_QUOTA."
        found.append(_quota("The storage is", None, settings.LOADIFY_STORAGE_QUOTA, remedy))
    if (folder := local_folder()) and settings.LOADIFY_DISK_RESERVE:
        found.append(_disk(folder))
    return found


def local_folder() -> Path | None:
    """Where files lie, when that is a disk of this machine; None for a storage elsewhere, which looks after its own room."""
    try:
        return Path(default_storage.path(""))
    except NotImplementedError:
        return None


def nearest(folder: Path) -> Path:
    """The folder itself, or where it will lie once it is made."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _disk(folder: Path) -> Room:
    """The disk without its reserve; what unfinished uploads still bring counts as used."""
    disk = shutil.disk_usage(nearest(folder))
    # Of which something came of late: who begins and sends nothing keeps nobody else out.
    active = timezone.now() + timedelta(hours=settings.LOADIFY_UPLOAD_HOURS) - ACTIVE
    unfinished = StoredFile.objects.filter(completed_at=None, deleted_at=None, expires_at__gt=active)
    to_come = unfinished.aggregate(bytes=Sum(F("size") - F("received")))["bytes"] or 0
    reserve = settings.LOADIFY_DISK_RESERVE
    used, limit = disk.total - disk.free + to_come, max(0, disk.total - reserve)
    return Room("The server's disk is", used, limit, DISK_LOW * reserve, "An admin has to make room on it.")


def _quota(whose: str, owner_id: int | None, limit: int, remedy: str) -> Room:
    return Room(whose, _stored(owner_id), limit, LOW * limit, remedy)


def _stored(owner_id: int | None) -> int:
    """Bytes of files and exports that are kept, of one person or in all; an upload counts in full from its beginning."""
    files, exports = StoredFile.objects.filter(deleted_at=None), Export.objects.exclude(path="")
    if owner_id is not None:
        files, exports = files.filter(owner_id=owner_id), exports.filter(owner_id=owner_id)
    kept: int = files.aggregate(bytes=Sum("size"))["bytes"] or 0
    made: int = exports.aggregate(bytes=Sum("bytes"))["bytes"] or 0
    return kept + made


def _when_files_go() -> str:
    days = settings.LOADIFY_FILE_DAYS
    return f"Files are deleted {days} days after their import has ended." if days else "Files are kept for ever here."
