"""Whether this process sees the storage in which the files of its database lie, and no other.

Storage carries a text of its own, `.storage-id`, and the database knows it. A second machine with a disk of its own, or
with a mistyped bucket, would else take uploads that no other machine can read, and call files lost that are there.
"""

import uuid

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from importer.models import StorageMark
from importer.storage.parts import StorageProblem

NAME = ".storage-id"

#: Once it was the right one it stays so for the life of the process.
_known = False


class OtherStorage(StorageProblem):
    """The storage of this process is not that of the database."""

    def __init__(self) -> None:
        super().__init__(
            "The storage that this machine sees is not the one in which the files of this database lie. Machines that work "
            "together share a bucket (STORAGE_URL), or a folder that is the same for all (LOADIFY_DATA_DIR)."
        )


def check() -> None:
    """Compare the marks, or make them the first time. Raises OtherStorage, StorageProblem."""
    global _known
    if not _known:
        _check()
        _known = True


def _check() -> None:
    wanted = StorageMark.objects.filter(pk=1).values_list("text", flat=True).first()
    found = _read()
    if wanted is None:
        try:
            with transaction.atomic():
                # A new database takes the mark that storage has. Who comes at the same time waits here until ours is there.
                mark = StorageMark.objects.create(pk=1, text=found or str(uuid.uuid4()))
                if not found:
                    default_storage.delete(NAME)  # an empty one, from a process that was killed
                    default_storage.save(NAME, ContentFile(mark.text.encode()))
        except IntegrityError:
            _check()
    elif found != wanted:
        raise OtherStorage


def _read() -> str:
    try:
        with default_storage.open(NAME) as file:
            return str(file.read(100), "ascii", "replace").strip()
    except FileNotFoundError:
        return ""
