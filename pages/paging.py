"""Pages of a long list by keyset: "the 25 rows after this one", which costs the same on the last page as on the first.

Totals of such lists are counted exactly only while they are small.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import BooleanField, F, Func, Model, QuerySet, Value
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual

Row = TypeVar("Row", bound=Model)
#: Runs an ordered query and returns its first rows, as many as are asked for.
Fetch: TypeAlias = Callable[[QuerySet[Row], int], list[Row]]

#: A condition on where a row stands in an order.
Comparison: TypeAlias = LessThan | LessThanOrEqual | GreaterThan | GreaterThanOrEqual

#: Up to here rows are counted one by one.
COUNTED = 10_000


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list in its order, and cursors to the pages around; a cursor is blank where there is no page.

    `astray` says that these are the first page because the cursor led nowhere, and why.
    """

    rows: list[Row]
    previous: str
    next: str
    astray: Literal["", "unknown", "past the end"] = ""


@dataclass(frozen=True)
class Total:
    """How many rows there are: exactly, about (from the database's statistics), or more than `number`."""

    number: int
    kind: str  # "exact", "about" or "more"


class _AsRow(Func):
    """SQL: (a, b, …), which all databases compare from left to right."""

    template = "(%(expressions)s)"
    output_field = BooleanField()


def first(rows: QuerySet[Row], number: int) -> list[Row]:
    return list(rows[:number])


def page(
    rows: QuerySet[Row],
    cursor: str,
    by: tuple[str, ...],
    size: int = 25,
    *,
    descending: bool = False,
    fetch: Fetch[Row] = first,
) -> Page[Row]:
    """The page of `rows` that `cursor` points to, in rising or falling order of `by`: columns, or annotations of `rows`.

    `by` must be unique together and never null. Cursors are signed: one that was made up, or is of another list or order,
    gives the first page, and so does one that points past the end. `fetch` runs the query.
    """
    backward, place = _place(rows, cursor, by, descending)
    falling = backward != descending
    wanted = rows.order_by(*(f"-{name}" if falling else name for name in by))
    found = fetch(wanted.filter(_beyond(rows, by, place, falling)) if place else wanted, size + 1)
    more = len(found) > size
    if place and (not found or (backward and not more)):
        # Rows were deleted, or a page back would be shorter than the others: begin at the beginning, with a full page.
        start = page(rows, "", by, size, descending=descending, fetch=fetch)
        return start if backward else replace(start, astray="past the end")
    shown = found[:size]
    if backward:
        shown.reverse()
    has_previous, has_next = (more, True) if backward else (bool(place), more)
    return Page(
        rows=shown,
        previous=cursor_at(rows, shown[0], by, descending=descending, backward=True) if has_previous else "",
        next=cursor_at(rows, shown[-1], by, descending=descending) if has_next else "",
        astray="unknown" if cursor and not place else "",
    )


def total(rows: QuerySet[Row], narrowed: bool) -> Total:
    """How many `rows` there are, without counting a big table; `narrowed` says that they are not the whole table."""
    if not narrowed:
        estimate = size_of_table(rows)
        if estimate > COUNTED:
            return about(estimate, digits=4)
    number = rows.order_by()[: COUNTED + 1].count()
    return Total(COUNTED, "more") if number > COUNTED else Total(number, "exact")


def about(number: float, digits: int) -> Total:
    """An estimate, to so many digits that count: 466,667 → 466,700."""
    whole = round(number)
    return Total(round(whole, digits - len(str(whole))), "about")


def size_of_table(rows: QuerySet[Row]) -> int:
    """Rows of the table by PostgreSQL's statistics, as of the last ANALYZE; 0 where nothing is known."""
    connection = connections[rows.db]
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        table = rows.model._meta.db_table
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [table])
        found = cursor.fetchone()
    return max(0, found[0]) if found else 0


def cursor_at(rows: QuerySet[Row], row: Row, by: tuple[str, ...], *, descending: bool = False, backward: bool = False) -> str:
    """The cursor of the page that begins after `row`, or, `backward`, of the one that ends before it."""
    # str() of a time keeps its microseconds, which JSON's usual encoders do not.
    return _signer(rows, by, descending).sign_object([backward, *(str(getattr(row, name)) for name in by)])


def _signer(rows: QuerySet[Row], by: tuple[str, ...], descending: bool) -> signing.Signer:
    way = "falling" if descending else "rising"
    return signing.Signer(salt=f"pages.paging {rows.model._meta.label_lower} {' '.join(by)} {way}")


def _place(rows: QuerySet[Row], cursor: str, by: tuple[str, ...], descending: bool) -> tuple[bool, list[object]]:
    """Whether the page ends at `cursor` or begins there, and the values of `by`; none at the start."""
    if not cursor:
        return False, []
    try:
        backward, *texts = _signer(rows, by, descending).unsign_object(cursor)
        return backward, [_field(rows, name).to_python(text) for name, text in zip(by, texts, strict=True)]
    except (signing.BadSignature, ValidationError, ValueError):
        return False, []


def _field(rows: QuerySet[Row], name: str) -> Any:
    annotation = rows.query.annotations.get(name)
    return annotation.output_field if annotation else rows.model._meta.get_field(name)


def _beyond(rows: QuerySet[Row], by: tuple[str, ...], place: list[object], falling: bool) -> Comparison:
    return _compared(LessThan if falling else GreaterThan, rows, by, place)


def up_to(rows: QuerySet[Row], by: tuple[str, ...], row: Row, falling: bool) -> Comparison:
    """The condition for the rows of a list up to this one; the list rises or falls by `by`."""
    place = [getattr(row, name) for name in by]
    return _compared(GreaterThanOrEqual if falling else LessThanOrEqual, rows, by, place)


def _compared(how: type[Comparison], rows: QuerySet[Row], by: tuple[str, ...], place: list[object]) -> Comparison:
    """(a, b) > (x, y), compared as rows, so that an index finds the place also among thousands of equal `a`."""
    here = _AsRow(*(F(name) for name in by))
    there = _AsRow(*(Value(value, output_field=_field(rows, name)) for name, value in zip(by, place, strict=True)))
    return how(here, there)
