"""Looks through files in storage for a person, record by record, in flat memory."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from django.core.files.storage import default_storage
from django.db.models import Prefetch, Q, QuerySet

from importer import datasets
from importer.models import Export, Import, StoredFile
from importer.readers.excel_rows import sheets
from importer.readers.formats import Format, open_rows, sniff
from importer.sought import Sought, personal_datasets
from importer.states import FINAL
from importer.values import BadFile

#: Records that are looked at together.
CHUNK = 5_000


class Unreadable(Exception):
    """No reader gets through the file, so nobody can tell whether the person is in it."""


@dataclass(frozen=True)
class Document:
    """A file in storage: where it lies, what people call it, since when it is there, its bytes, the row that has it, and the
    ways in which it was read."""

    path: str
    name: str
    at: datetime
    size: int
    row: StoredFile | Export
    ways: tuple[Format, ...] = ()


def documents() -> list[Document]:
    """Files that may have people in them, because imports that may tell of people were made of them, or because they were
    written of a dataset that does. Another place where files are kept adds its own here."""
    return [*_imported(), *_exported()]


def imports() -> QuerySet[Import]:
    """Imports that may tell of people: into datasets that do; and those that ended with nothing, whatever their dataset,
    because a list of people that was taken for something else ends so."""
    nothing = dict.fromkeys(("created", "updated", "unchanged", "held", "published"), 0)
    return Import.objects.filter(Q(dataset__in=_names()) | Q(state__in=FINAL, **nothing))


def _imported() -> Iterator[Document]:
    read = Prefetch("imports", Import.objects.only("file", "options", "checkpoint"))
    files = StoredFile.objects.filter(imports__in=imports(), deleted_at=None, size__gt=0)
    for file in files.distinct().order_by("pk").prefetch_related(read):
        known = [run.options.get("format") or run.checkpoint.get("format") for run in file.imports.all()]
        ways = tuple({Format(**way) for way in known if way})
        yield Document(file.path, file.name, file.created_at, file.size, file, ways)


def _exported() -> Iterator[Document]:
    for export in Export.objects.filter(dataset__in=_names()).exclude(path="").order_by("pk"):
        name = f"Export of {datasets.get(export.dataset).title.lower()}"
        yield Document(export.path, name, export.queued_at, export.bytes, export)


def _names() -> list[str]:
    return [dataset.name for dataset in personal_datasets()]


def holds(document: Document, sought: Sought) -> bool:
    """True when the file has the person in it, in whatever column, sheet or heading.

    Raises Unreadable; FileNotFoundError when storage has no such file.
    """
    with default_storage.open(document.path) as content:
        try:
            ways = document.ways or (sniff(content, document.name),)
            return any(sought.in_text(cells) for way in _every_sheet(content, ways) for cells in _records(content, way))
        except BadFile as problem:
            raise Unreadable(str(problem)) from problem


def _every_sheet(content: IO[bytes], ways: Iterable[Format]) -> Iterator[Format]:
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
