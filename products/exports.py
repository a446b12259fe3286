"""Products as CSV, in the columns that an import reads, some thousand rows at a time.

Between two pieces nothing is held: no connection, no transaction, no lock. So a slow reader costs nobody anything, and rows
that change meanwhile are in the file as they were when their piece was read.
"""

from collections.abc import Iterator

from django.db import connections
from django.db.models import QuerySet

from importer.mended import escaped
from pages.spreadsheets import BOM, lines
from products.edits import FIELDS
from products.models import Product

#: Rows of a piece.
PIECE = 5_000


def csv(products: QuerySet[Product]) -> Iterator[bytes]:
    """The products as CSV in UTF-8, by key, piece by piece."""
    yield (BOM + lines([FIELDS])).encode()
    after: str | None = ""
    while after is not None:
        piece, after = _piece(products, after)
        yield piece


def _piece(products: QuerySet[Product], after: str) -> tuple[bytes, str | None]:
    """The rows after the key `after`, and the key of the last one; None when there are no more."""
    found = products.filter(sku_key__gt=after).order_by("sku_key").values_list("sku_key", *FIELDS)[:PIECE]
    rows = list(found)
    if not connections[products.db].in_atomic_block:
        connections[products.db].close()
    # With an apostrophe more than what needs none, so that an import takes back what it was (importer/exported.py).
    text = lines([*map(escaped, texts), "true" if active else "false"] for _, *texts, active in rows)
    return text.encode(), rows[-1][0] if len(rows) == PIECE else None
