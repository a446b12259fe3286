"""Deletes the files of imports that ended long ago, and the cells of their rejected lines; the history itself stays.

First the row says that the file was deleted, then its bytes go: a file may be marked and still there for a while, but is never
gone without a word. Every step may be done twice.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from importer.loaders.sql import itself
from importer.models import Import, Reject, StoredFile
from importer.values import without_quotes

log = logging.getLogger(__name__)

#: Rejected lines that are emptied at once.
PIECE = 2_000


def delete_old() -> int:
    """Delete the files whose imports all ended more than LOADIFY_FILE_DAYS ago; returns how many those were."""
    gone = 0
    if settings.LOADIFY_FILE_DAYS > 0:
        before = timezone.now() - timedelta(days=settings.LOADIFY_FILE_DAYS)
        old = StoredFile.objects.filter(deleted_at=None, created_at__lt=before, imports__isnull=False).distinct()
        gone = sum(_retire(pk, before) for pk in list(old.values_list("pk", flat=True)))
    delete_marked()
    return gone


def _retire(pk: int, before: datetime) -> bool:
    """Mark one file as deleted, unless an import needs it or ended after `before`."""
    with transaction.atomic():
        # In the order in which retry locks them; who wants to import the file anew waits for its row.
        runs = list(Import.objects.select_for_update(of=itself()).filter(file=pk).order_by("pk"))
        file = StoredFile.objects.select_for_update().get(pk=pk)
        new = Import.objects.filter(file=pk).exclude(pk__in=[run.pk for run in runs]).exists()
        if new or file.fate or not all(run.is_final and (run.finished_at or run.queued_at) < before for run in runs):
            return False
        for run in runs:
            empty_rejects(run)
        mark(file, StoredFile.Why.RETENTION)
    return True


def empty_rejects(run: Import) -> None:
    """Take their cells from the rejected lines of an import, and what their reasons quote; the lines and reasons stay."""
    after = 0
    while piece := list(Reject.objects.filter(run=run, line__gt=after).order_by("line")[:PIECE]):
        for reject in piece:
            empty(reject)
        Reject.objects.bulk_update(piece, ["cells", "reason"])
        after = piece[-1].line


def empty(reject: Reject) -> None:
    reject.cells, reject.reason = [], without_quotes(reject.reason)


def mark(file: StoredFile, why: StoredFile.Why) -> None:
    """Say of a file whose row is locked that it was deleted; `delete_marked` deletes it once that has been committed."""
    file.deleted_at, file.deleted_why = timezone.now(), why
    file.save(update_fields=["deleted_at", "deleted_why"])


def delete_marked() -> int:
    """Take the files that were deleted out of storage; one that storage keeps hold of is tried again the next time."""
    gone = 0
    for file in StoredFile.objects.filter(deleted_at__isnull=False).exclude(path=""):
        if deleted(file.path):
            gone += StoredFile.objects.filter(pk=file.pk).update(path="")
    return gone


def deleted(path: str) -> bool:
    """Delete a path from storage, be it there or not; False, and a line in the log, when storage does not let it go."""
    try:
        default_storage.delete(path)
    except Exception:
        # Whatever a storage raises: its host is away, it forbids deleting, the disk is read-only.
        log.warning("Storage does not delete %s; it is tried again later.", path, exc_info=True)
        return False
    return True
