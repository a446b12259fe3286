"""Undo of a large import over a larger catalogue, with edits after it. LOADIFY_FULL=1: 200,000 rows over 500,000."""

import os
import random
from pathlib import Path

import pytest
from django.db import connection

from importer import control, runner
from importer.models import Change, Import
from importer.states import State
from products import edits
from products.models import Product
from products.samples import sample
from tests.importer.conftest import query
from tests.importer.workers import submit

FULL = os.environ.get("LOADIFY_FULL") == "1"
EXISTING, LINES, EDITED = (500_000, 200_000, 1_000) if FULL else (50_000, 20_000, 100)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def run_file(path: Path) -> Import:
    run = submit(path)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.DONE, run.error
    return run


def write(path: Path, records: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        for record in records:
            file.write(",".join('"' + cell.replace('"', '""') + '"' for cell in record) + "\n")
    return path


def test_undo_gives_back_the_earlier_table_but_for_rows_edited_since(tmp_path):
    head, *records = list(sample(EXISTING, random.Random(7)))
    run_file(write(tmp_path / "catalogue.csv", [head, *records]))
    query_done("CREATE TABLE before AS SELECT * FROM products_product")
    try:
        changed = [[name + " new", sku.swapcase(), text + "."] for name, sku, text in records[: LINES * 9 // 10]]
        fresh = [["Fresh", f"fresh-{number}", ""] for number in range(LINES - len(changed))]
        run = run_file(write(tmp_path / "partner.csv", [head, *changed, *fresh]))
        assert run.created == len(fresh)
        assert run.updated > LINES / 2
        touched = list(Change.objects.filter(run=run).values_list("row_id", flat=True))
        edited = sorted(random.Random(1).sample(touched, EDITED))
        for pk in edited:
            edits.change(pk, {"description": "by hand"}, None)
        control.undo(run, None)
        runner.run(run.pk)
        run.refresh_from_db()
        assert run.state == State.UNDONE, run.error
        assert (run.undo["kept"], run.undo["gone"]) == (EDITED, 0)
        assert run.undo["restored"] + run.undo["removed"] == len(touched) - EDITED
        assert list(Change.objects.filter(run=run).order_by("row_id").values_list("row_id", flat=True)) == edited
        assert differing("before", "products_product") <= set(edited)
        assert differing("products_product", "before") == set(edited)
        assert Product.objects.filter(description="by hand").count() == EDITED
    finally:
        query_done("DROP TABLE before")


def differing(table: str, other: str) -> set[int]:
    """Numbers of the rows of `table` that `other` has not, or not byte for byte."""
    return {row[0] for row in query(f"SELECT id FROM (SELECT * FROM {table} EXCEPT SELECT * FROM {other}) d")}


def query_done(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
