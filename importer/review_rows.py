"""The rows that a review shows, a page at a time: what would be updated, created or switched off, what stands there twice."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from importer.loaders.postgres import PostgresLoader
from importer.loaders.sql import quoted, rows
from pages.differences import Piece, differences

SIZE = 25
#: Texts up to this long are shown whole, before and after.
SHORT = 60
Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Slice(Generic[Shown]):
    """Some rows, and cursors to those around; a cursor is blank where there are none."""

    rows: list[Shown]
    previous: str
    next: str


@dataclass(frozen=True)
class Field:
    """A column of a row: what it is (None for a new row), and what it would be."""

    name: str
    before: Any
    after: Any

    @property
    def pieces(self) -> list[Piece]:
        """What changes within a long text; nothing where before and after are better shown whole."""
        if not isinstance(self.before, str) or not isinstance(self.after, str):
            return []
        return differences(self.before, self.after) if max(len(self.before), len(self.after)) > SHORT else []


@dataclass(frozen=True)
class Planned:
    """A row that would be updated (`fields` are those that change) or created, or switched off for want of a line."""

    line: int | None
    key: str
    fields: list[Field]


@dataclass(frozen=True)
class Double:
    """A key that stands in `number` lines, of which `lines` are the last few as (line, the key as it is spelled there)."""

    number: int
    winner: int
    lines: list[tuple[int, str]]

    @property
    def earlier(self) -> int:
        """Lines before those of `lines`."""
        return self.number - len(self.lines)


@dataclass(frozen=True)
class Asked:
    """Which rows: a piece of the key, folded; a column that changes; and the cursor of a page."""

    piece: str = ""
    column: str = ""
    cursor: str = ""


def updated(loader: PostgresLoader, asked: Asked) -> Slice[Planned]:
    """Rows that would be updated, in the order of their keys."""
    where = "p.existing AND (%(piece)s = '' OR strpos(p.key, %(piece)s) > 0)"
    if asked.column in loader.names:
        where += f" AND p.changed & {1 << loader.names.index(asked.column)} <> 0"
    live = ", ".join(f"t.{column}" for column in loader.columns)
    join = f"{loader.staged()} JOIN {loader.table} t ON t.{loader.key} = p.key"
    found = _slice(
        f"SELECT p.seq, p.line, {_spelled(loader, 't')}, p.changed, {_staged(loader)}, {live}", join, loader, where, asked
    )
    return Slice([_changes(loader, row) for row in found.rows], found.previous, found.next)


def created(loader: PostgresLoader, asked: Asked) -> Slice[Planned]:
    """Rows that would be created, in the order of their keys."""
    where = "NOT p.existing AND (%(piece)s = '' OR strpos(p.key, %(piece)s) > 0)"
    select = f"SELECT p.seq, p.line, {_spelled(loader, 's')}, {_staged(loader)}"
    found = _slice(select, loader.staged(), loader, where, asked)
    new = [
        Planned(line, key, [Field(name, None, value) for name, value in zip(loader.names, values, strict=True)])
        for _, line, key, *values in found.rows
    ]
    return Slice(new, found.previous, found.next)


def missing(loader: PostgresLoader, asked: Asked) -> Slice[Planned]:
    """Rows that would be switched off because the file does not have them, in the order of their keys."""
    switch = loader.dataset.switch
    join = f"JOIN {loader.table} t ON t.{loader.key} = p.key AND t.{quoted(switch)}"
    where = "(%(piece)s = '' OR strpos(p.key, %(piece)s) > 0)"
    found = _slice(f"SELECT p.seq, {_spelled(loader, 't')}", join, loader, where, asked, loader.missing)
    off = [Field(switch, True, False)]
    return Slice([Planned(None, key, off) for _, key in found.rows], found.previous, found.next)


def doubles(loader: PostgresLoader, asked: Asked) -> Slice[Double]:
    """Keys that stand in the file more than once, with the lines that spell them."""
    where = "%(piece)s = '' OR strpos(p.key, %(piece)s) > 0"
    found = _slice("SELECT p.seq, p.n, p.line, p.lines::text[]", "", loader, f"({where})", asked, loader.doubles)
    groups = []
    for _, number, winner, places in found.rows:
        lines = rows(
            f"""SELECT s."#line", {_spelled(loader, "s")} FROM {loader.stage} s
                WHERE s.ctid = ANY(%(places)s::tid[]) ORDER BY s."#line" DESC""",
            {"places": places},
        )
        groups.append(Double(number, winner, [(line, key) for line, key in lines]))
    return Slice(groups, found.previous, found.next)


def _slice(select: str, join: str, loader: PostgresLoader, where: str, asked: Asked, table: str = "") -> Slice[tuple[Any, ...]]:
    """A page of plan rows `p` by number. Cursors are "after-12" and "before-12"; one that was made up gives the first page."""
    way, _, number = asked.cursor.partition("-")
    backward = way == "before" and number.isdecimal()
    seq = int(number) if number.isdecimal() and len(number) < 18 else 0
    found = rows(
        f"""{select} FROM {table or loader.plan} p {join}
            WHERE {where} AND p.seq {"<" if backward else ">"} %(seq)s
            ORDER BY p.seq {"DESC" if backward else ""} LIMIT {SIZE + 1}""",
        {"piece": asked.piece, "seq": seq},
    )
    shown = found[:SIZE][::-1] if backward else found[:SIZE]
    more = len(found) > SIZE
    has_previous, has_next = (more, True) if backward else (seq > 0, more)
    return Slice(
        shown,
        f"before-{shown[0][0]}" if shown and has_previous else "",
        f"after-{shown[-1][0]}" if shown and has_next else "",
    )


def _changes(loader: PostgresLoader, row: tuple[Any, ...]) -> Planned:
    _, line, key, changed, *values = row
    width = len(loader.names)
    sides = zip(loader.names, values[width:], values[:width], strict=True)
    return Planned(line, key, [Field(*side) for place, side in enumerate(sides) if changed >> place & 1])


def _staged(loader: PostgresLoader) -> str:
    return ", ".join(f"s.{column}" for column in loader.columns)


def _spelled(loader: PostgresLoader, table: str) -> str:
    return f"{table}.{quoted(loader.dataset.key.column)}"
