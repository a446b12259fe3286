"""Looks through files in storage for a person, record by record, in flat memory."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import IO

from django.core.files.storage import default_storage

from importer.models import Import, StoredFile
from importer.readers.excel_rows import sheets
from importer.readers.formats import Format, open_rows, sniff
from importer.sought import Sought, personal_datasets
from importer.values import BadFile

#: Records that are looked at together.
CHUNK = 5_000


class Unreadable(Exception):
    """No reader gets through the file, so nobody can tell whether the person is in it."""


def holds(path: str, name: str, sought: Sought, known: Iterable[Format] = ()) -> bool:
    """True when the file at `path` in storage has the person in it, in whatever column, sheet or heading.

    `known` are the ways in which it was read before; without any its bytes tell. Raises Unreadable; FileNotFoundError when
    storage has no such file.
    """
    with default_storage.open(path) as content:
        try:
            ways = set(known) or {sniff(content, name)}
            return any(sought.in_text(cells) for way in _every_sheet(content, ways) for cells in _records(content, way))
        except BadFile as problem:
            raise Unreadable(str(problem)) from problem


def _every_sheet(content: IO[bytes], ways: set[Format]) -> Iterator[Format]:
    """An import reads one sheet of a workbook; the person may stand in another."""
    if any(way.kind == "workbook" for way in ways):
        yield from (Format(kind="workbook", sheet=sheet) for sheet in sheets(content))
    yield from (way for way in ways if way.kind != "workbook")


def _records(content: IO[bytes], way: Format) -> Iterator[list[str]]:
    """All records of a file, with those that are not taken, and the lines in front of the heading."""
    with closing(open_rows(content, way)) as reader:
        for batch in reader.batches(reader.start(), CHUNK):
            yield from batch.rows
            yield from (rejected.cells for rejected in batch.rejected)


def candidates() -> list[StoredFile]:
    """Files that may have people in them, because they were imported into a dataset that tells who people are."""
    names = [dataset.name for dataset in personal_datasets()]
    found = StoredFile.objects.filter(imports__dataset__in=names, deleted_at=None, size__gt=0, completed_at__isnull=False)
    return list(found.distinct().order_by("pk"))


def ways(file: StoredFile) -> list[Format]:
    """How imports have read the file."""
    formats = [run.options.get("format") or run.checkpoint.get("format") for run in Import.objects.filter(file=file)]
    return [Format(**known) for known in formats if known]
