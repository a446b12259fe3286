"""Products as CSV, in the columns that an import reads, some thousand rows at a time.

Between two pieces nothing is held: no connection, no transaction, no lock. So a slow reader costs nobody anything, and rows
that change meanwhile are in the file as they were when their piece was read.
"""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections
from django.db.models import QuerySet

from pages.spreadsheets import BOM, lines
from products.edits import FIELDS
from products.models import Product

#: Rows of a piece.
PIECE = 5_000


def csv(products: QuerySet[Product]) -> Iterator[bytes]:
    """The products as CSV in UTF-8, by key, piece by piece."""
    yield _heading()
    after: str | None = ""
    while after is not None:
        piece, after = _piece(products, after)
        yield piece


async def csv_slowly(products: QuerySet[Product]) -> AsyncIterator[bytes]:
    """The same for a server that waits for its clients: each piece is read when the one before is on its way."""
    yield _heading()
    after: str | None = ""
    while after is not None:
        piece, after = await sync_to_async(_piece)(products, after)
        yield piece


def _heading() -> bytes:
    return (BOM + lines([FIELDS])).encode()


def _piece(products: QuerySet[Product], after: str) -> tuple[bytes, str | None]:
    """The rows after the key `after`, and the key of the last one; None when there are no more."""
    found = products.filter(sku_key__gt=after).order_by("sku_key").values_list("sku_key", *FIELDS)[:PIECE]
    rows = list(found)
    if not connections[products.db].in_atomic_block:
        close_old_connections()
    text = lines([*texts, "true" if active else "false"] for _, *texts, active in rows)
    return text.encode(), rows[-1][0] if len(rows) == PIECE else None
