"""What people take home from an import: the file as it came, and the rejected lines as CSV, to be mended and uploaded again.

Everything comes in pieces, and between two pieces nothing is held: no connection, no transaction.
"""

from collections.abc import Iterator, Sequence

from django.core.files.storage import default_storage
from django.db import close_old_connections, connection

from importer import datasets
from importer.models import Import, Reject
from pages.spreadsheets import BOM, lines

#: Bytes of the original file, and rejected lines, that are read at once.
BLOCK, PIECE = 1 << 20, 2_000
#: The columns in front of those of the file. An import passes over headings it does not know, so they may stay.
ADDED = ["line", "reason"]


def original(path: str) -> Iterator[bytes]:
    """The bytes of a stored file. Raises FileNotFoundError."""
    with default_storage.open(path) as file:
        while block := file.read(BLOCK):
            yield block


def rejects(run: Import) -> Iterator[bytes]:
    """The rejected lines by line number, as CSV in UTF-8.

    Each has its number and the reason in front, then its cells as they were, as many as there were: a line that was
    rejected for its width is not made to fit.
    """
    head = heading(run)
    # A file of rejects that is rejected again already has the two columns in front.
    again = len(ADDED) if head[: len(ADDED)] == ADDED else 0
    yield (BOM + lines([[*ADDED, *head[again:]]])).encode()
    after = 0
    while True:
        found = Reject.objects.filter(run=run, line__gt=after).order_by("line")
        piece = list(found.values_list("line", "reason", "cells")[:PIECE])
        if not connection.in_atomic_block:
            close_old_connections()
        if piece:
            yield lines([str(line), reason, *cells[again:]] for line, reason, cells in piece).encode()
        if len(piece) < PIECE:
            return
        after = piece[-1][0]


def heading(run: Import) -> Sequence[str]:
    """The heading of the file as it stood there; else names of columns where they were found, or in their usual order."""
    kept: Sequence[str] = run.checkpoint.get("heading", ())
    if kept:
        return kept
    places: dict[str, int] = run.checkpoint.get("places") or {}
    if not places:
        return [column.name for dataset in datasets.all() if dataset.name == run.dataset for column in dataset.columns]
    names = [""] * max(run.checkpoint.get("width", 0), max(places.values()) + 1)
    for name, place in places.items():
        names[place] = name
    return names
