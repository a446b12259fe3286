"""What was taken home as CSV and comes back: cells in which an apostrophe keeps a spreadsheet from running them as formulas,
and before rejected lines two columns more. What comes back unchanged is what it was.
"""

from collections.abc import Callable, Sequence

from importer.values import fold
from pages.spreadsheets import harmless

#: The columns in front; `added` tells a file that has them, and no import takes them for its own.
ADDED = ["line", "reason"]


def added(heading: Sequence[str]) -> int:
    """How many columns in front are not of the file: 2 in a file of rejected lines, else 0."""
    return len(ADDED) if list(map(fold, heading[: len(ADDED)])) == ADDED else 0


def escaped(cell: str) -> str:
    """`cell` with one apostrophe more when it would be a formula, be it behind apostrophes of its own."""
    return f"'{cell}" if _runs(cell.lstrip("'")) else cell


def heading(cells: list[str]) -> list[str]:
    """The heading of a file that may be one of rejected lines, its own headings as they were."""
    skip = added(cells)
    return [*cells[:skip], *map(as_it_was, cells[skip:])] if skip else cells


def row(cells: list[str]) -> list[str]:
    """A row of a file with the heading of rejected lines, as it was; one that does not begin as we begin it stays."""
    skip = len(ADDED)
    if len(cells) <= skip or not cells[1].startswith(f"Line {cells[0]}:"):
        return cells
    return [*cells[:skip], *map(as_it_was, cells[skip:])]


def way_back(headings: Sequence[str], exported: bool) -> Callable[[list[str]], list[str]] | None:
    """What makes the rows of a file with these headings what they were; None where they are that already.

    `exported` says that the apostrophes of the file were put there by an export.
    """
    if added(headings):
        return row
    return as_they_were if exported else None


def as_they_were(cells: list[str]) -> list[str]:
    """A row of an export, as it was."""
    return list(map(as_it_was, cells))


def as_it_was(cell: str) -> str:
    """The way back from `escaped`."""
    return cell[1:] if cell.startswith("'") and _runs(cell.lstrip("'")) else cell


def _runs(cell: str) -> bool:
    return harmless(cell) != cell
