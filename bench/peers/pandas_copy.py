"""pandas: `read_csv`, then `to_sql` by COPY, the `method` that its documentation gives for PostgreSQL."""

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas
from sqlalchemy import create_engine

from products.models import sku_key

NAME = "pandas `to_sql` by COPY"
CLEAN = False
#: Rows that `to_sql` hands over at a time; all at once take half a gigabyte and are no faster.
CHUNK = 50_000


def by_copy(table: Any, connection: Any, columns: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """One chunk, as COPY takes it."""
    text = StringIO()
    csv.writer(text).writerows(rows)
    text.seek(0)
    with connection.connection.cursor() as cursor:
        names = ", ".join(f'"{name}"' for name in columns)
        force = "(FORMAT csv, FORCE_NOT_NULL (name, description))"
        cursor.copy_expert(f'COPY "{table.name}" ({names}) FROM STDIN WITH {force}', text)


def load(path: Path, url: str) -> None:
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    frame["sku"] = frame["sku"].str.strip()
    frame["name"] = frame["name"].str.strip()
    frame["sku_key"] = frame["sku"].map(sku_key)
    frame = frame.drop_duplicates("sku_key", keep="last")
    frame["active"] = True
    frame["created_at"] = frame["updated_at"] = pandas.Timestamp.now("UTC")
    engine = create_engine(url.replace("postgres://", "postgresql+psycopg2://", 1))
    frame.to_sql("products_product", engine, if_exists="append", index=False, method=by_copy, chunksize=CHUNK)
    engine.dispose()
