"""Lists over the API: 25 items a page, and cursors that lead to the pages around."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from ninja import Schema

from api.problems import InTheWay
from pages.paging import Page

Item = TypeVar("Item")


class Listed(Schema, Generic[Item]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""

    items: list[Item]
    next: str | None
    previous: str | None


def listed(found: Page[Any], items: Iterable[Any] | None = None) -> dict[str, Any]:
    """A page as it is answered: its rows, or what was made of them, as `items`.

    Raises InTheWay (404) when the cursor is of another list or order, or was made up: a program that was given the first page
    instead would go round in circles. Past the end, where records were deleted meanwhile, the page is empty.
    """
    if found.astray == "unknown":
        sentence = "The cursor is of another list or order, or was made up; begin without one."
        raise InTheWay(sentence, 404, errors=[{"parameter": "cursor", "detail": sentence}])
    if found.astray:
        return {"items": [], "next": None, "previous": None}
    shown = found.rows if items is None else items
    return {"items": list(shown), "next": found.next or None, "previous": found.previous or None}
