"""PostgreSQL's own bulk load, from finished rows."""

from pathlib import Path

from bench import raw_copy

NAME = "psql `\\copy`"
CLEAN = True


def load(path: Path, url: str) -> None:
    raw_copy.copy(url, path, "products_product", header=True)
