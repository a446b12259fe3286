"""What an export writes is imported again unchanged: any text, days and decimals, as CSV and as a workbook."""

import datetime
import io
import zipfile
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest
from django.core.files.storage import default_storage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from cards.models import CardEvent
from contacts.models import Person
from importer import control, datasets, export_control, export_workbook, exports, runner
from importer.intake import uploads
from importer.models import Export, Import
from importer.options import Options
from importer.states import ExportState
from products.models import Product
from students.datasets import answer_key
from students.models import StudentAnswer
from tests.importer.test_mended import ODD

#: What databases and XML can hold, with a liking for what makes formulas.
TEXT = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
        st.sampled_from(
            ["=", "'", "'=", "+", "-1", "1,5", "@x", "\t", "\r\n", "\n", '"', ",", "_x0041_", "\x01", "\ufeff", " "]
        ),
    ),
    max_size=4,
).map("".join)
_numbers = count()


def exported(dataset: str, format: str, **chosen) -> bytes:
    export = export_control.request_export(dataset, None, format=Export.Format(format), **chosen)
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.error) == (ExportState.DONE, "")
    with default_storage.open(export.path) as file:
        return file.read()


def imported(content: bytes, dataset: str, format: str, layout: str = "", **options) -> Import:
    file = uploads.keep(None, f"home.{format}", io.BytesIO(content))
    run = control.submit(file, dataset, None, layout=layout, options=Options(unasked=True, **options))
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error, run.rejected, list(run.rejects.values_list("reason", flat=True))) == ("done", "", 0, [])
    return run


def products() -> list[tuple[object, ...]]:
    return list(Product.objects.order_by("sku_key").values_list("sku", "name", "description", "active"))


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_any_text_comes_back(submit, format):
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(TEXT, TEXT, st.booleans()), min_size=1, max_size=40))
    def comes_back(rows):
        Product.objects.all().delete()
        for name, description, active in rows:
            sku = f"{next(_numbers)}{name[:20]}".strip()
            Product.objects.create(sku=sku, name=name.strip(), description=description, active=active)
        before = products()
        content = exported("products", format)
        run = imported(content, "products", format)
        assert (run.unchanged, run.updated) == (len(rows), 0)
        Product.objects.all().delete()
        assert imported(content, "products", format).created == len(rows)
        assert products() == before

    comes_back()


@pytest.mark.parametrize("format", ["csv", "xlsx"])
@pytest.mark.parametrize("escape", [True, False])
def test_what_looks_like_a_formula_comes_back(submit, format, escape):
    for number, text in enumerate(ODD):
        Product.objects.create(sku=f"{text.strip()}{number}", name=text.strip(), description=text)
    before = products()
    content = exported("products", format, escape=escape)
    Product.objects.all().delete()
    assert imported(content, "products", format).created == len(ODD)
    assert products() == before


def test_an_export_that_was_edited_is_known_by_its_first_line(submit):
    Product.objects.create(sku="a", name="=1", description="'=1")
    content = exported("products", "csv") + b"b,'=2,,true\r\n"
    Product.objects.all().delete()
    assert imported(content, "products", "csv").created == 2
    assert [row[:3] for row in products()] == [("a", "=1", "'=1"), ("b", "=2", "")]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.removeprefix(b"\xef\xbb\xbf"),
        lambda content: content.replace(b"sku,name,", b"SKU,name,"),
        lambda content: content.replace(b"sku,name,description", b"sku,description,name"),
    ],
)
def test_apostrophes_of_other_files_are_part_of_the_text(submit, change):
    imported(change("\ufeffsku,name,description,active\na,'=1,'=1,true\n".encode()), "products", "csv")
    assert [row[:3] for row in products()] == [("a", "'=1", "'=1")]


def test_a_person_may_say_what_apostrophes_mean(submit):
    plain = b"sku,name,description\na,'=1,\n"
    imported(plain, "products", "csv", escaped=True)
    assert products()[0][1] == "=1"
    imported("\ufeffsku,name,description,active\na,'=1,,true\n".encode(), "products", "csv", escaped=False)
    assert products()[0][1] == "'=1"


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_days_and_decimals_come_back(submit, format):
    for number, day in enumerate(
        [datetime.date(1850, 1, 1), datetime.date(1900, 2, 28), datetime.date(1900, 3, 1), datetime.date(2024, 2, 29)]
    ):
        name, cgpa = f"=n{number}", Decimal(["0", "3.5", "9.99", "10"][number])
        StudentAnswer.objects.create(name=name, cgpa=cgpa, date_recorded=day, answer_key=answer_key(name, day.isoformat()))
    fields = ("name", "address", "discipline", "cgpa", "date_recorded", "answer_key")
    before = list(StudentAnswer.objects.order_by("pk").values_list(*fields))
    content = exported("students", format)
    assert imported(content, "students", format).unchanged == 4
    StudentAnswer.objects.all().delete()
    assert imported(content, "students", format).created == 4
    assert list(StudentAnswer.objects.order_by("date_recorded").values_list(*fields)) == before


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_an_export_of_a_dataset_with_layouts_has_a_layout_of_its_own(submit, format):
    partner = b"ID ,Card ID,User Contact,Timestamp,Comment\n7,c-1,'0501234567',13-01-2024 09:30 PM,=busy\n"
    partner += b"8,C-2,,2024-01-14 10:00:00.5,\n"
    assert imported(partner, "cards", "csv", layout="exceptions").created == 2
    fields = ("reference", "card_id", "stage", "phone", "at", "comment", "event_key")
    before = list(CardEvent.objects.order_by("event_key").values_list(*fields))
    content = exported("cards", format)
    assert imported(content, "cards", format, layout="export").unchanged == 2
    CardEvent.objects.all().delete()
    assert imported(content, "cards", format, layout="export").created == 2
    assert list(CardEvent.objects.order_by("event_key").values_list(*fields)) == before


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_people_come_back(submit, format):
    Person.objects.create(name="=Ada", email="ada@example.com")
    content = exported("people", format)
    assert imported(content, "people", format).unchanged == 1
    Person.objects.all().delete()
    assert imported(content, "people", format).created == 1
    assert list(Person.objects.values_list("name", "email", "email_key")) == [("=Ada", "ada@example.com", "ada@example.com")]


def test_more_rows_than_a_sheet_holds_go_on_in_the_next_one(submit, monkeypatch):
    monkeypatch.setattr(export_workbook, "MOST_ROWS", 3)
    for number in range(5):
        Product.objects.create(sku=f"s{number}", name="")
    content = io.BytesIO(exported("products", "xlsx"))
    book = CalamineWorkbook.from_filelike(content)
    assert book.sheet_names == ["Products", "Products 2", "Products 3"]
    found = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert [[row[0] for row in rows] for rows in found] == [["sku", "s0", "s1"], ["sku", "s2", "s3"], ["sku", "s4"]]


def test_a_sheet_is_called_like_its_dataset_as_far_as_excel_lets_it(monkeypatch):
    monkeypatch.setattr(export_workbook, "MOST_ROWS", 2)
    out = io.BytesIO()
    orders = replace(datasets.get("people"), title="'Orders' [2024/25]: all that is on its way")
    export_workbook.write_workbook(orders, iter([io.BytesIO(b"Ann,a@b.am\r\nBen,b@b.am\r\n")]), out, True, lambda rows: None)
    out.seek(0)
    assert CalamineWorkbook.from_filelike(out).sheet_names == ["Orders' 2024 25 all that", "Orders' 2024 25 all that 2"]


def test_cells_of_a_workbook_are_text_numbers_and_days_and_no_formulas(submit):
    StudentAnswer.objects.create(
        name="=1+1", address="https://example.com", cgpa="3.50", date_recorded="2024-02-29", answer_key="a"
    )
    content = exported("students", "xlsx")
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    assert book.get_sheet_by_index(0).to_python()[1] == ["=1+1", "https://example.com", "", 3.5, datetime.date(2024, 2, 29)]
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        sheet, styles = (packed.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet1", "styles"))
    assert "<f>" not in sheet and "hyperlink" not in sheet
    assert styles.count('quotePrefix="1"') == 1
    raw = exported("students", "xlsx", escape=False)
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        assert "quotePrefix" not in packed.read("xl/styles.xml").decode()


def test_a_workbook_may_be_larger_than_an_old_zip_holds(submit, monkeypatch):
    Product.objects.create(sku="a", name="One", description="x" * 30_000)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 20_000)
    assert imported(exported("products", Export.Format.XLSX), "products", "xlsx").unchanged == 1


def test_a_workbook_counts_characters_as_excel_does(submit):
    Product.objects.create(sku="fits", name="", description="😀" * 16_383)
    assert exported("products", Export.Format.XLSX)
    Product.objects.create(sku="long", name="", description="😀" * 16_384)
    export = export_control.request_export("products", None, format=Export.Format.XLSX)
    exports.run(export.pk)
    export.refresh_from_db()
    assert export.state == ExportState.FAILED
    assert "The description of the row with the sku “long” has 32,768 characters" in export.error


def test_a_workbook_refuses_what_no_cell_can_hold(submit):
    Product.objects.create(sku="short", name="", description="x" * 32_767)
    exported("products", "xlsx")
    Product.objects.create(sku="long", name="", description="x" * 32_768)
    export = export_control.request_export("products", None, format=Export.Format.XLSX)
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.error) == (
        ExportState.FAILED,
        "The description of the row with the sku “long” has 32,768 characters; a cell of a workbook holds 32,767. "
        "Export these rows as CSV.",
    )
