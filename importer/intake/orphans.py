"""Clears out of storage what no upload, file or import knows of."""

from collections.abc import Iterable, Iterator
from itertools import islice

from django.conf import settings
from django.core.files.storage import default_storage

from importer.models import StoredFile
from importer.storage.parts import growing


def forget() -> int:
    """Delete from storage what no row knows of, because a process died before it could make the row, or storage was away when
    the row went; returns how many those were. Raises StorageProblem."""
    older = settings.LOADIFY_UPLOAD_HOURS * 3600
    still = StoredFile.objects.filter(completed_at=None).exclude(parts={}).values_list("path", flat=True)
    gone = growing().forget_parts(older, list(still))
    for names in _batched(growing().old("uploads", older), 500):
        # What is too short to be a part lies beside its file, under its name and more.
        paths = {name: f"uploads/{name.partition('.')[0]}" for name in names}
        known = set(StoredFile.objects.filter(path__in=set(paths.values())).values_list("path", flat=True))
        for name, path in paths.items():
            if path not in known:
                default_storage.delete(f"uploads/{name}")
                gone += 1
    return gone


def _batched(names: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, size)):
        yield batch
