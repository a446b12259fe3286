"""How a file that was exported here is known when it comes back: by its sha256, or by its first line."""

import codecs
from collections.abc import Sequence
from typing import IO

from importer.datasets import Dataset
from importer.mended import added, as_they_were
from importer.models import Export, StoredFile


def is_marked(content: IO[bytes]) -> bool:
    """Whether a file begins with the mark of UTF-8, as our CSV does; it is left at its beginning."""
    content.seek(0)
    marked = content.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    content.seek(0)
    return marked


def is_escaped(dataset: Dataset, sha256: str, marked: bool, headings: Sequence[str]) -> bool:
    """Whether apostrophes before formulas were put into the file by an export, and are no part of its cells.

    Of a file that was edited meanwhile, the mark of UTF-8 in front and exactly our headings tell; an export that leaves
    formulas as they are has no such mark.
    """
    known = Export.objects.filter(sha256=sha256).order_by("-pk").first() if sha256 else None
    if known is not None:
        return known.escape and known.format == Export.Format.CSV
    return marked and list(headings) == [column.name for column in dataset.columns]


def seems_escaped(
    dataset: Dataset, file: StoredFile, content: IO[bytes], headings: Sequence[str], rows: Sequence[list[str]]
) -> bool | None:
    """The same for a person to judge who sees the first `rows`; None when there is nothing to judge."""
    found = is_escaped(dataset, file.sha256, is_marked(content), headings)
    doubtful = not added(headings) and any(as_they_were(row) != row for row in rows)
    return found if found or doubtful else None
