"""Exports on PostgreSQL: what stands in the file, which rows, and how an export is stopped and goes on."""

import csv
import io

import pytest
from django.core.files.storage import default_storage

from importer import export_control, exports
from importer.models import Export
from importer.states import ExportState
from products.models import Product


@pytest.fixture(autouse=True)
def _storage(submit):
    """Files go into the test's own folder."""


def written(dataset: str = "products", **chosen) -> Export:
    export = export_control.request_export(dataset, None, **chosen)
    exports.run(export.pk)
    export.refresh_from_db()
    return export


def content(export: Export) -> bytes:
    assert (export.state, export.error) == (ExportState.DONE, "")
    with default_storage.open(export.path) as file:
        return file.read()


def cells(export: Export) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content(export).decode("utf-8-sig"), newline="")))


def test_export_writes_what_a_spreadsheet_would_run_behind_an_apostrophe():
    Product.objects.create(sku="b", name="=1+1", description="two\nlines", active=False)
    Product.objects.create(sku="A", name="'=1+1", description=" -x", active=True)
    Product.objects.create(sku="-12", name="é😀", description="")
    assert content(written()).decode() == (
        "\ufeffsku,name,description,active\r\nb,'=1+1,\"two\nlines\",false\r\nA,''=1+1,' -x,true\r\n-12,é😀,,true\r\n"
    )
