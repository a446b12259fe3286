"""What people take home from an import: the file as it came, and the rejected lines as CSV, to be mended and uploaded again.

Everything comes in pieces, and between two pieces nothing is held: no connection, no transaction.
"""

from collections.abc import Iterator, Sequence
from random import Random

from django.core.files.storage import default_storage
from django.db import connection

from importer import datasets
from importer.datasets import Dataset
from importer.mended import ADDED, added, escaped
from importer.models import Import, Reject
from importer.values import BadFile
from pages.spreadsheets import BOM, lines

#: Bytes of the original file, and rejected lines, that are read at once.
BLOCK, PIECE = 1 << 20, 2_000
#: Records of a sample.
SAMPLE = 20


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
    again = added(head)
    yield (BOM + lines([[*ADDED, *map(escaped, head[again:])]])).encode()
    after = 0
    while True:
        found = Reject.objects.filter(run=run, line__gt=after).order_by("line")
        piece = list(found.values_list("line", "reason", "cells")[:PIECE])
        if not connection.in_atomic_block:
            connection.close()
        if piece:
            yield lines(_row(line, reason, cells, again) for line, reason, cells in piece).encode()
        if len(piece) < PIECE:
            return
        after = piece[-1][0]


def _row(line: int, reason: str, cells: list[str], again: int) -> list[str]:
    # A record that could not be read is one cell, the whole of its line.
    return [str(line), reason, *map(escaped, cells[again:] if len(cells) > again else cells)]


def sample(dataset: Dataset) -> Iterator[bytes]:
    """A file of SAMPLE records for a dataset that can make them, the same each time."""
    assert dataset.sample
    yield (BOM + lines(dataset.sample(SAMPLE, Random(1)))).encode()


def heading(run: Import) -> Sequence[str]:
    """The heading of the file as it stood there; else names of columns where they were found, or in their usual order."""
    kept: Sequence[str] = run.checkpoint.get("heading", ())
    if kept:
        return kept
    places: dict[str, int] = run.checkpoint.get("places") or {}
    if not places:
        return _usual(run)
    names = [""] * max(run.checkpoint.get("width", 0), max(places.values()) + 1)
    for name, place in places.items():
        names[place] = name
    return names


def _usual(run: Import) -> list[str]:
    """The columns of such a file; none when its dataset was taken out."""
    try:
        return [column.name for column in datasets.of_old(run.dataset).seen_as(run.layout).columns]
    except BadFile:
        return []
