"""Workbooks are read in a process of their own: cells as people would type them, row numbers, limits, damage."""

import datetime
import io
import zipfile

import psutil
import pytest
import xlsxwriter

from importer.readers import excel_rows
from importer.readers.excel_rows import WorkbookRows
from importer.values import BadFile

MANIFEST = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3"/>'
)


@pytest.fixture
def workbook(tmp_path):
    """Make a workbook of sheets {name: rows}, and open it."""
    opened = []

    def make(sheets: dict[str, list[list[object]]]) -> io.BufferedReader:
        write(sheets, tmp_path / "a.xlsx")
        opened.append((tmp_path / "a.xlsx").open("rb"))
        return opened[-1]

    yield make
    for file in opened:
        file.close()


def write(sheets, path) -> None:
    book = xlsxwriter.Workbook(path)
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for y, row in enumerate(rows):
            for x, cell in enumerate(row):
                if isinstance(cell, datetime.datetime):
                    sheet.write_datetime(y, x, cell, moment)
                elif isinstance(cell, datetime.date):
                    sheet.write_datetime(y, x, cell, day)
                elif cell is not None:
                    sheet.write(y, x, cell)
    book.close()


def ods(rows: list[list[str]]) -> io.BytesIO:
    """The smallest OpenDocument spreadsheet there is (OpenDocument 1.3, part 3)."""
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    body = "".join(f"<table:table-row>{''.join(map(cell.format, row))}</table:table-row>" for row in rows)
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.3"><office:body>'
        f'<office:spreadsheet><table:table table:name="Prices">{body}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", MANIFEST)
        packed.writestr("content.xml", content)
    target.seek(0)
    return target


def read(file, sheet="", size=100):
    rows = WorkbookRows(file, sheet)
    heading, resume = rows.heading()
    found = [(line, row) for batch in rows.batches(resume, size) for line, row in zip(batch.lines, batch.rows, strict=True)]
    rows.close()
    return heading, found


def test_cells_are_what_people_would_type(workbook):
    rows = [
        [],
        ["sku", "name", "when"],
        [17, 90.75, datetime.date(2024, 12, 31)],
        [],
        ["0017", True, datetime.datetime(2024, 12, 31, 9, 30)],
        [971535000000, "two\nlines"],
    ]
    heading, found = read(workbook({"Prices": rows}))
    assert heading == ["sku", "name", "when"]
    assert found == [
        (3, ["17", "90.75", "2024-12-31"]),
        (5, ["0017", "true", "2024-12-31 09:30:00"]),
        (6, ["971535000000", "two\nlines", ""]),
    ]


def test_a_sheet_is_chosen_by_name(workbook):
    file = workbook({"One": [["sku"], ["a"]], "Two": [["sku"], ["b"]]})
    assert excel_rows.sheets(file) == ["One", "Two"]
    assert read(file, "Two")[1] == [(2, ["b"])]
    with pytest.raises(BadFile, match="no sheet called “Three”"):
        read(file, "Three")


def test_an_opendocument_sheet_that_is_not_on_disk():
    assert read(ods([["sku", "name"], ["a", "Änne"]])) == (["sku", "name"], [(2, ["a", "Änne"])])


def test_reading_goes_on_at_a_row(workbook):
    file = workbook({"S": [["sku"], *[[f"s{n}"] for n in range(2_000)]]})
    first = WorkbookRows(file)
    _, resume = first.heading()
    batch = next(first.batches(resume, 700))
    first.close()
    assert 0 < batch.done < first.size
    later = WorkbookRows(file)
    again = [row[0] for each in later.batches(batch.resume, 700) for row in each.rows]
    later.close()
    assert [row[0] for row in batch.rows] + again == [f"s{n}" for n in range(2_000)]


def test_text_beyond_the_heading_is_not_lost(workbook):
    file = workbook({"S": [["sku", "name"], ["a", "b", None, "note"], ["c", "d", ""]]})
    assert read(file)[1] == [(2, ["a", "b", "", "note"]), (3, ["c", "d"])]


def test_what_is_no_workbook_is_refused_with_a_sentence():
    for content in (b"PK\x03\x04 nothing", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600):
        with pytest.raises(BadFile, match="The workbook"):
            WorkbookRows(io.BytesIO(content)).heading()


def test_a_bomb_is_refused_before_it_is_unpacked(settings):
    settings.LOADIFY_MAX_WORKBOOK = 10 << 20
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (11 << 20))
    with pytest.raises(BadFile, match="expands to 11 MiB; 10 MiB are allowed"):
        WorkbookRows(target)


def test_a_workbook_that_takes_too_much_memory_is_refused(tmp_path, settings):
    settings.LOADIFY_WORKBOOK_MEMORY = 200
    # Its reader makes room for all the cells between the first and the last: some 400 MiB.
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet()
    sheet.write(0, 0, "sku")
    sheet.write(200_000, 80, "x")
    book.close()
    with pytest.raises(BadFile, match="needs more than 200 MiB of memory"), (tmp_path / "a.xlsx").open("rb") as file:
        WorkbookRows(file).heading()


def test_no_process_is_left_behind(workbook):
    file = workbook({"S": [["sku"], *[[f"s{n}"] for n in range(5_000)]]})
    rows = WorkbookRows(file)
    rows.heading()
    [child] = [each for each in psutil.Process().children() if "importer.readers.workbook" in each.cmdline()]
    rows.close()
    assert not child.is_running()


def test_a_workbook_is_imported_whatever_it_is_called(load, workbook):
    rows = [["Name", "SKU", "Description"], ["One", 17, "x"], ["Two", None, "y"], ["Uno", "17", "z"]]
    with workbook({"Prices": rows}) as file:
        run = load(file.read(), name="prices.csv")
    assert (run.state, run.error) == ("done", "")
    assert (run.lines, run.created, run.superseded, run.rejected) == (3, 1, 1, 1)
    assert [(reject.line, reject.cells) for reject in run.rejects.all()] == [(3, ["Two", "", "y"])]
    assert run.step_done == run.step_total
