"""Rejected lines that were taken home as CSV and come back: two columns in front of those of the file, and cells in which an
apostrophe keeps a spreadsheet from running them as formulas. What comes back unchanged is what it was.
"""

from collections.abc import Sequence

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
    return [*cells[:skip], *map(_as_it_was, cells[skip:])] if skip else cells


def row(cells: list[str]) -> list[str]:
    """A row of a file with the heading of rejected lines, as it was; one that does not begin as we begin it stays."""
    skip = len(ADDED)
    if len(cells) <= skip or not cells[1].startswith(f"Line {cells[0]}:"):
        return cells
    return [*cells[:skip], *map(_as_it_was, cells[skip:])]


def _as_it_was(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _runs(cell.lstrip("'")) else cell


def _runs(cell: str) -> bool:
    return harmless(cell) != cell
