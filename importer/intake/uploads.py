"""Files that people send: begun, continued part by part, completed, given up. Knows tus 1.0 in all but its HTTP."""

import errno
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any, Protocol
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction
from django.db.models import ProtectedError, QuerySet
from django.http import UnreadablePostError
from django.utils import timezone

from accounts.models import User
from importer import maintenance, quotas
from importer.intake import identity
from importer.models import StoredFile, uuid7
from importer.storage.parts import BLOCK, StorageProblem, growing
from importer.values import BadFile, ImportProblem, quote
from pages.templatetags.figures import size as in_words

log = logging.getLogger(__name__)

#: The most one PATCH may carry, in bytes. The web server holds a request in memory, so a part must stay small.
LARGEST_PART = 16 * 1024 * 1024
#: Names as tus writes them.
CHECKSUMS = ("sha1", "sha256")
_LOST = "What had arrived of {} is not in storage any more. Begin it again."
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's error code when NOWAIT would have to wait


class UploadProblem(ImportProblem):
    """A part, or a file, that cannot be taken; its text is a sentence."""


class TooLarge(UploadProblem):
    """The file, or one part of it, is larger than allowed."""


class WrongOffset(UploadProblem):
    """The part does not begin where the upload stands."""


class WrongChecksum(UploadProblem):
    """The part changed on its way."""


class Busy(UploadProblem):
    """Somebody else, most likely another tab, is sending a part of the same upload."""


class Expired(UploadProblem):
    """Nobody went on with the upload in time, or what had arrived of it is not in storage any more."""


class DiskFull(UploadProblem):
    """There is no room for the file, or for a part of it; the parts before that are safe."""


class StorageAway(UploadProblem, StorageProblem):
    """Storage does not answer, or it is not the one that the other machines of this site have."""


class InUse(UploadProblem):
    """The file belongs to an import and stays."""


class Stream(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True)
class Checksum:
    """What the sender says a part's bytes add up to: a name out of CHECKSUMS, and the raw digest."""

    name: str
    digest: bytes


def begin(owner: User, name: str, size: int) -> StoredFile:
    """Make room for a file of `size` bytes that will come in parts; one of no bytes is complete at once.

    Raises TooLarge above LOADIFY_MAX_FILE_SIZE, DiskFull, and Closed while no new imports are taken.
    """
    _check_size(name, size)
    _admit(owner, name, size)
    file = _new(owner, name, size)
    with _sentence_of_storage(file):
        growing().begin(file.path)
    file.save()
    if size == 0:
        complete(file)
    return file


def find(owner: User, public_id: UUID) -> StoredFile:
    """The upload that `owner` began. Raises StoredFile.DoesNotExist (for others, too), Expired."""
    return _alive(_of(owner).get(public_id=public_id))


def append(
    owner: User, public_id: UUID, offset: int, stream: Stream, length: int | None, checksum: Checksum | None = None
) -> StoredFile:
    """Take the part that begins at byte `offset`: at most `length` bytes of `stream`, or all of it.

    The row is locked meanwhile, and says that bytes have arrived only when they are on the disk. What came of a part
    that broke off is kept, unless a checksum says that it is not whole. The last byte completes the file.
    Raises StoredFile.DoesNotExist, Expired, Busy, WrongOffset, TooLarge, WrongChecksum, DiskFull; none of them loses
    bytes that had arrived before.
    """
    if length is not None and length > LARGEST_PART:
        raise TooLarge(f"The part has {in_words(length)}; one request may carry {in_words(LARGEST_PART)}.")
    with transaction.atomic():
        file = _alive(_locked(owner, public_id))
        if offset != file.received:
            raise WrongOffset(f"The part begins at byte {offset:,}, but {file.received:,} bytes of the file are here.")
        blocks = _Blocks(stream, min(file.size - offset, LARGEST_PART), checksum)
        try:
            with _sentence_of_storage(file):
                stored, file.parts = growing().append(file.path, offset, blocks, file.parts, file.size)
        except FileNotFoundError as error:
            raise Expired(_LOST.format(quote(file.name))) from error
        file.received += stored
        file.expires_at = _deadline()
        file.save(update_fields=["received", "parts", "expires_at"])
    if file.received == file.size:
        complete(file)
    return file


def complete(file: StoredFile) -> None:
    """Give a file whose bytes are all here its sha256 and its time of completion; does nothing the second time.

    Raises BadFile when bytes are missing, Expired when they are not in storage any more.
    """
    if file.completed_at:
        return
    if file.received != file.size:
        raise BadFile(f"Only {file.received:,} of the {file.size:,} bytes of {quote(file.name)} have arrived.")
    digest, size = hashlib.sha256(), 0
    try:
        with _sentence_of_storage(file):
            growing().finish(file.path, file.parts, file.size)
            with default_storage.open(file.path) as content:
                while block := content.read(BLOCK):
                    digest.update(block)
                    size += len(block)
    except FileNotFoundError as error:
        raise Expired(_LOST.format(quote(file.name))) from error
    if size != file.size:
        raise Expired(_LOST.format(quote(file.name)))
    file.sha256, file.parts = digest.hexdigest(), {}
    file.completed_at = timezone.now()
    file.save(update_fields=["sha256", "parts", "completed_at"])


def check_there(file: StoredFile) -> None:
    """Raises BadFile when the file was deleted, which it says, or is not in storage any more."""
    if file.fate:
        raise BadFile(f"{file.fate} Upload it again.")
    if not default_storage.exists(file.path):
        raise BadFile("The file is not in storage any more; upload it again.")


def check_size(file: StoredFile, content: IO[bytes]) -> None:
    """Raises BadFile when the stored bytes, open as `content`, are not as many as arrived."""
    found = content.seek(0, os.SEEK_END)
    if found != file.size:
        raise BadFile(f"The file in storage has {found:,} bytes now; {file.size:,} had arrived. Upload it again.")


def check_digest(file: StoredFile, content: IO[bytes], between: Callable[[], None]) -> None:
    """Raises BadFile when the stored bytes are not those that arrived. `between` is called all the time, and may raise."""
    content.seek(0)
    digest = hashlib.sha256()
    while block := content.read(BLOCK):
        digest.update(block)
        between()
    if digest.hexdigest() != file.sha256:
        raise BadFile("The file in storage is not the one that arrived any more; upload it again.")


def keep(owner: User | None, name: str, stream: Stream, public_id: UUID | None = None) -> StoredFile:
    """Copy a whole file from `stream` into storage, and return it complete.

    For the plain form, the command line and folders. Raises TooLarge (nothing is kept), DiskFull, and Closed while no new
    imports are taken.
    """
    _admit(owner, name, _length(stream))
    file = _new(owner, name, 0, public_id)
    digest = hashlib.sha256()
    with _sentence_of_storage(file):
        file.size = file.received = growing().put(file.path, _watched(file.name, stream, digest.update))
    file.sha256 = digest.hexdigest()
    file.completed_at = timezone.now()
    file.save()
    return file


def forget(owner: User, public_id: UUID) -> None:
    """Delete an upload and its bytes. Raises StoredFile.DoesNotExist, Busy, InUse."""
    with transaction.atomic():
        _delete(_locked(owner, public_id))


def give_up(public_id: UUID) -> None:
    """Delete a file that is of nobody and that no import was made of, and its bytes; nothing happens when it is not there."""
    with transaction.atomic():
        for file in StoredFile.objects.select_for_update().filter(public_id=public_id, owner=None):
            _delete(file)


def forget_abandoned() -> int:
    """Delete uploads that nobody went on with, and files that no import was made of; returns how many those were."""
    gone = 0
    for pk in StoredFile.objects.filter(expires_at__lt=timezone.now(), imports=None).values_list("pk", flat=True):
        with transaction.atomic():
            rows = StoredFile.objects.select_for_update(skip_locked=True).filter(pk=pk, expires_at__lt=timezone.now())
            for file in rows:
                try:
                    _delete(file)
                except InUse:
                    continue
                gone += 1
    return gone


class _Blocks:
    """The bytes of one part, counted against what may come and, at its end, checked against its checksum."""

    def __init__(self, stream: Stream, most: int, checksum: Checksum | None) -> None:
        if checksum and checksum.name not in CHECKSUMS:
            raise WrongChecksum(f"The checksum {quote(checksum.name)} is not known here; {' and '.join(CHECKSUMS)} are.")
        self.stream, self.most, self.checksum = stream, most, checksum

    def __iter__(self) -> Iterator[bytes]:
        digest = hashlib.new(self.checksum.name) if self.checksum else None
        left = self.most
        while block := self._read():
            left -= len(block)
            if left < 0:
                raise TooLarge(f"The part is longer than the {self.most:,} bytes that may come here.")
            if digest:
                digest.update(block)
            yield block
        if digest and self.checksum and digest.digest() != self.checksum.digest:
            raise WrongChecksum("The part does not add up to its checksum; it changed on its way. Send it again.")

    def _read(self) -> bytes:
        try:
            return self.stream.read(BLOCK)
        except UnreadablePostError:
            # The line was cut. tus 1.0, PATCH: keep as much as has arrived (a checksum, if any, then fails).
            return b""


@contextmanager
def _sentence_of_storage(file: StoredFile) -> Iterator[None]:
    """Turns "no space left" while a file is written into DiskFull, and what storage raises into StorageAway."""
    try:
        identity.check()
        yield
    except StorageProblem as problem:
        raise StorageAway(str(problem)) from problem
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        safe = f"{in_words(file.received)} of {quote(file.name)} are safe; go on when there is room again."
        nothing = f"{quote(file.name)} could not be kept; try again when there is room."
        raise DiskFull(f"The server's disk is full. {safe if file.received else nothing}") from error


def _watched(name: str, stream: Stream, see: Callable[[bytes], None]) -> Iterator[bytes]:
    size = 0
    while block := stream.read(BLOCK):
        size += len(block)
        _check_size(name, size)
        see(block)
        yield block


def _check_size(name: str, size: int) -> None:
    if size > settings.LOADIFY_MAX_FILE_SIZE:
        raise TooLarge(
            f"{quote(name)} has {in_words(size)} or more; files of up to {in_words(settings.LOADIFY_MAX_FILE_SIZE)} are taken."
        )


def _admit(owner: User | None, name: str, size: int) -> None:
    """Raises Closed while no new imports are taken, DiskFull when a quota leaves no room for `size` bytes."""
    maintenance.check()
    if sentence := quotas.refusal(owner.pk if owner else None, clean_name(name), size):
        raise DiskFull(sentence)


def _length(stream: Any) -> int:
    """Bytes that a whole file has, as far as it is known before it is read; else 0."""
    try:
        return os.fstat(stream.fileno()).st_size
    except (AttributeError, OSError):
        return int(getattr(stream, "size", None) or 0)


def _new(owner: User | None, name: str, size: int, public_id: UUID | None = None) -> StoredFile:
    public_id = public_id or uuid7()
    return StoredFile(
        public_id=public_id,
        owner_id=owner.pk if owner else None,
        name=clean_name(name),
        path=f"uploads/{public_id}",
        size=size,
        expires_at=_deadline(),
    )


def clean_name(name: str) -> str:
    """The last part of a file's name, without folders and marks that cannot be shown, at most 255 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(mark for mark in last if mark.isprintable()).strip()[:255] or "unnamed"


def _of(owner: User) -> QuerySet[StoredFile]:
    return StoredFile.objects.filter(owner_id=owner.pk)


def _locked(owner: User, public_id: UUID) -> StoredFile:
    try:
        return _of(owner).select_for_update(nowait=True).get(public_id=public_id)
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", _LOCK_NOT_AVAILABLE) != _LOCK_NOT_AVAILABLE:
            raise
        raise Busy("Another part of this file is being written, perhaps from another tab. Try again shortly.") from error


def _alive(file: StoredFile) -> StoredFile:
    if file.expires_at and file.expires_at < timezone.now() and not file.completed_at:
        raise Expired(f"The upload of {quote(file.name)} was not gone on with in time. Begin it again.")
    return file


def _delete(file: StoredFile) -> None:
    """Row first; the bytes go when that has committed, because until then an import may still claim the file."""
    try:
        file.delete()
    except ProtectedError as error:
        raise InUse(f"{quote(file.name)} belongs to an import and cannot be taken back.") from error
    transaction.on_commit(lambda: _give_up(file))


def _give_up(file: StoredFile) -> None:
    try:
        growing().give_up(file.path, file.parts)
    except (StorageProblem, OSError) as problem:
        log.warning("%s stays in storage until the timetable finds it: %s", file.path, problem)


def _deadline() -> datetime:
    return timezone.now() + timedelta(hours=settings.LOADIFY_UPLOAD_HOURS)
