"""Pages of a long list by keyset: "the 25 rows after this one", which costs the same on the last page as on the first.

Totals of such lists are counted exactly only while they are small.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)

#: Up to here rows are counted one by one.
COUNTED = 10_000


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list in its order, and cursors to the pages around; a cursor is blank where there is no page."""

    rows: list[Row]
    previous: str
    next: str


@dataclass(frozen=True)
class Total:
    """How many rows there are: exactly, about (from the database's statistics), or more than `number`."""

    number: int
    kind: str  # "exact", "about" or "more"


def page(rows: QuerySet[Row], cursor: str, by: tuple[str, ...], size: int = 25) -> Page[Row]:
    """The page of `rows` that `cursor` points to, in rising order of the columns `by`.

    `by` must be unique together and never null. Cursors are signed: one that was made up, or is of another list, gives
    the first page, and so does one that points past the end.
    """
    backward, place = _place(rows, cursor, by)
    order = [f"-{name}" for name in by] if backward else list(by)
    wanted = rows.order_by(*order)
    found = list((wanted.filter(_beyond(by, place, backward)) if place else wanted)[: size + 1])
    more = len(found) > size
    if place and (not found or (backward and not more)):
        # Rows were deleted, or a page back would be shorter than the others: begin at the beginning, with a full page.
        return page(rows, "", by, size)
    shown = found[:size]
    if backward:
        shown.reverse()
    has_previous, has_next = (more, True) if backward else (bool(place), more)
    return Page(
        rows=shown,
        previous=_cursor(shown[0], by, backward=True) if has_previous else "",
        next=_cursor(shown[-1], by, backward=False) if has_next else "",
    )


def total(rows: QuerySet[Row], narrowed: bool) -> Total:
    """How many `rows` there are, without counting a big table; `narrowed` says that they are not the whole table."""
    if not narrowed:
        estimate = _estimate(rows)
        if estimate > COUNTED:
            return Total(_rounded(estimate), "about")
    number = rows.order_by()[: COUNTED + 1].count()
    return Total(COUNTED, "more") if number > COUNTED else Total(number, "exact")


def _estimate(rows: QuerySet[Row]) -> int:
    """Rows of the table by PostgreSQL's statistics, as of the last ANALYZE; 0 where nothing is known."""
    connection = connections[rows.db]
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        table = rows.model._meta.db_table
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [table])
        found = cursor.fetchone()
    return max(0, found[0]) if found else 0


def _rounded(number: int) -> int:
    """To four digits that count: 466,667 → 466,700."""
    return int(round(number, 4 - len(str(number))))


def _signer(rows: QuerySet[Row], by: tuple[str, ...]) -> signing.Signer:
    return signing.Signer(salt=f"pages.paging {rows.model._meta.label_lower} {' '.join(by)}")


def _cursor(row: Row, by: tuple[str, ...], backward: bool) -> str:
    values = [row._meta.get_field(name).value_to_string(row) for name in by]  # type: ignore[union-attr]
    return _signer(type(row)._default_manager.all(), by).sign_object([backward, *values])


def _place(rows: QuerySet[Row], cursor: str, by: tuple[str, ...]) -> tuple[bool, list[object]]:
    """Whether the page ends at `cursor` or begins there, and the values of the columns `by`; none at the start."""
    if not cursor:
        return False, []
    try:
        backward, *texts = _signer(rows, by).unsign_object(cursor)
        fields = [rows.model._meta.get_field(name) for name in by]
        return backward, [field.to_python(text) for field, text in zip(fields, texts, strict=True)]  # type: ignore[union-attr]
    except (signing.BadSignature, ValidationError, ValueError):
        return False, []


def _beyond(by: tuple[str, ...], place: list[object], backward: bool) -> Q:
    """(a, b) > (x, y), written as a >= x AND (a > x OR (a = x AND b > y)): the first half is what an index goes by."""
    way = "lt" if backward else "gt"
    further = Q()
    equal = Q()
    for name, value in zip(by, place, strict=True):
        further |= equal & Q(**{f"{name}__{way}": value})
        equal &= Q(**{name: value})
    return further if len(by) == 1 else Q(**{f"{by[0]}__{way}e": place[0]}) & further
