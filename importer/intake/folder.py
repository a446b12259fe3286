"""A folder into which partners put files: which of them are finished, whose turn it is, and where they go afterwards.

A file is taken by moving it to `.taken/<id>/`, and the id becomes that of the StoredFile. So whoever finds it there after a
process was killed can tell whether it was stored and submitted already. While a process is at a file it has it locked, and
the lock goes with the process.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO
from uuid import UUID

from importer.intake import uploads
from importer.models import StoredFile, uuid7

DONE, FAILED, TAKEN = "done", "failed", ".taken"
#: How programs call files that they have not finished.
UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".tmp", "~")
#: Hidden files, and the marks that a spreadsheet leaves beside a workbook which somebody has open.
ASIDE = (".", "~$")
#: Behind the name of a file in FAILED it makes the name of the file that says why.
REASON = ".reason.txt"
#: The most bytes in a name that leave room for REASON, within the 255 of nearly every file system.
_LONGEST = 255 - len(REASON)


@dataclass(frozen=True)
class Claimed:
    """A file that this process has; `place` is where it lies now."""

    root: Path
    place: Path
    content: IO[bytes]

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def public_id(self) -> UUID:
        return UUID(self.place.parent.name)

    def store(self) -> StoredFile:
        """Its copy in storage, made now unless that has happened before. Raises TooLarge, DiskFull."""
        stored = StoredFile.objects.filter(public_id=self.public_id).first()
        return stored or uploads.keep(None, self.name, self.content, self.public_id)

    def put_away(self, folder: str, reason: str = "") -> Path:
        """Move it to DONE or FAILED, a `reason` beside it; a name that is taken gets a number. Returns where it is."""
        target = _moved_to(self.root / folder, self.place)
        if reason:
            target.with_name(f"{target.name}{REASON}").write_text(f"{reason}\n", encoding="utf-8")
        # Last, so that whoever finishes after us finds it still taken until everything is where it belongs.
        self.place.unlink(missing_ok=True)
        # A network folder may keep the file under a hidden name for as long as it is open; `taken` then tidies up.
        with suppress(OSError):
            self.place.parent.rmdir()
        return target


def finished(root: Path, quiet: float) -> list[str]:
    """The names of the files in `root` that nobody has written to for `quiet` seconds, in their order."""
    names = []
    with os.scandir(root) as entries:
        for entry in entries:
            # Reasons come back with the files that somebody moves out of FAILED to have them tried again.
            if entry.name.startswith(ASIDE) or entry.name.lower().endswith((*UNFINISHED, REASON)):
                continue
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False) and _is_quiet(entry.stat(follow_symlinks=False), quiet):
                    names.append(entry.name)
    return sorted(names)


def _is_quiet(found: os.stat_result, quiet: float) -> bool:
    # Not the time of modification, which copying may carry over from elsewhere: this one moves with every write.
    return time.time() - found.st_ctime >= quiet


@contextmanager
def claim(root: Path, name: str, quiet: float = 0) -> Iterator[Claimed | None]:
    """Take a file for this process; None when somebody else was quicker, or has written to it for less than `quiet` seconds.

    Raises OSError when it cannot be moved or read.
    """
    with _locked(root / name) as content:
        if content is None or not _is_quiet(os.fstat(content.fileno()), quiet):
            yield None
            return
        place = root / TAKEN / str(uuid7()) / name
        place.parent.mkdir(parents=True)
        try:
            (root / name).rename(place)
        except FileNotFoundError:
            # Its owner took it back.
            yield None
            return
        # Else its owner put another one in its place this very moment; that one is taken now, and had at the next look.
        yield Claimed(root, place, content) if _is_still(place, content) else None


@contextmanager
def claim_again(root: Path, place: Path) -> Iterator[Claimed | None]:
    """The same for a file that was taken before; None while the process that has it is alive."""
    with _locked(place) as content:
        yield None if content is None else Claimed(root, place, content)


def taken(root: Path) -> list[Path]:
    """The files that are taken, by this process or another, alive or not, in the order of taking."""
    places = []
    for folder in sorted((root / TAKEN).glob("*-*-*-*-*")):
        # What is there and was not put there by us has no id.
        with suppress(OSError, ValueError):
            UUID(folder.name)
            found = sorted(folder.iterdir())
            places += [place for place in found if place.is_file() and not place.is_symlink()]
            # Left by a process that was killed after the file had gone on; a new one is about to get its file.
            if not found and time.time() - folder.stat().st_mtime > 60:
                folder.rmdir()
    return places


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes] | None]:
    """The file, open and locked; None when somebody else has it, or it is not there any more."""
    try:
        content = _open_alone(path)
    except (FileNotFoundError, BlockingIOError):
        yield None
        return
    with content:
        yield content if _is_still(path, content) else None


def _open_alone(path: Path, access: int = os.O_RDONLY) -> IO[bytes]:
    """Open and lock a file, but no link to one somewhere else. Raises BlockingIOError when somebody else has it."""
    opened = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        os.close(opened)
        # Over a network only a file that is open for writing can be locked (flock(2)).
        if problem.errno == errno.EBADF and access == os.O_RDONLY:
            return _open_alone(path, os.O_RDWR)
        raise
    return os.fdopen(opened, "rb")


def _is_still(path: Path, content: IO[bytes]) -> bool:
    """Whether the file that is open was not moved on before the lock was had."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(content.fileno()))
    except FileNotFoundError:
        return False


def _moved_to(folder: Path, place: Path) -> Path:
    """Where the file of `place` lies in `folder` from now on: under its name, or one with a number where that is taken."""
    folder.mkdir(exist_ok=True)
    for number in count(1):
        target = folder / numbered(place.name, number)
        try:
            # Unlike renaming it fails when the name is taken, were it this very moment.
            os.link(place, target)
        except FileExistsError:
            if not (target.exists() and target.samefile(place)):
                continue
        except OSError:
            # A file system without links, or another one than that of the folder.
            if target.exists():
                continue
            _rename(place, target)
        return target
    raise AssertionError("numbers have no end")


def _rename(place: Path, target: Path) -> None:
    try:
        place.rename(target)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        # Under a hidden name until it is whole; always the same one, however often it breaks off.
        coming = target.with_name(f".{place.parent.name}")
        shutil.copy2(place, coming)
        coming.rename(target)


def numbered(name: str, number: int) -> str:
    """`name` with a number in front of its suffix, from 2 on; cut where it is too long for more to stand behind it."""
    stem, suffix = os.path.splitext(name)
    if len(suffix) > 10:
        stem, suffix = name, ""
    end = suffix if number == 1 else f"-{number}{suffix}"
    while len(os.fsencode(stem + end)) > _LONGEST:
        stem = stem[:-1]
    return stem + end
