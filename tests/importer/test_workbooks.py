"""Workbooks are read in a process of their own: cells as people would type them, row numbers, limits, damage."""

import datetime
import io
import zipfile
from contextlib import closing

import psutil
import pytest
import xlsxwriter

from importer.options import Options
from importer.readers import excel_rows
from importer.readers import workbook as child
from importer.readers.excel_rows import WorkbookRows
from importer.readers.formats import Format, sniff
from importer.values import BadFile
from products.models import Product
from tests.files.xls import Formula, compound, xls

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


def ods(rows: list[list[object]], manifest: str = MANIFEST) -> io.BytesIO:
    """The smallest OpenDocument spreadsheet there is (OpenDocument 1.3, part 3)."""
    body = "".join(f"<table:table-row>{''.join(map(ods_cell, row))}</table:table-row>" for row in rows)
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.3"><office:body>'
        f'<office:spreadsheet><table:table table:name="Prices">{body}</table:table>'
        '<table:table table:name="Two"><table:table-row><table:table-cell office:value-type="string"><text:p>x</text:p>'
        "</table:table-cell></table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", manifest)
        packed.writestr("content.xml", content)
    target.seek(0)
    return target


def ods_cell(value: object) -> str:
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, datetime.date):
        kind = f'office:value-type="date" office:date-value="{value.isoformat()}"'
    elif isinstance(value, int | float):
        kind = f'office:value-type="float" office:value="{value}"'
    else:
        kind = 'office:value-type="string"'
    return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"


def read(file, sheet="", size=100):
    rows = WorkbookRows(file, sheet)
    with closing(rows):
        heading, resume = rows.heading()
        batches = list(rows.batches(resume, size))
    return heading, [pair for batch in batches for pair in zip(batch.lines, batch.rows, strict=True)]


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


OLD_AND_OPEN = [
    ["sku", "name", "description", "when"],
    [17, "Mug", 90.75, datetime.date(2024, 12, 31)],
    [None, None, None, None],
    ["0017", "Cup", "ü", datetime.datetime(2024, 12, 31, 9, 30)],
]


@pytest.mark.parametrize("make", [lambda rows: xls({"Prices": rows, "Two": [["x"]]}), lambda rows: ods(rows).getvalue()])
def test_old_and_opendocument_workbooks_are_read_cell_by_cell(make):
    data = make([[None], *OLD_AND_OPEN])
    assert sniff(io.BytesIO(data), "a.csv") == Format(kind="workbook")
    assert excel_rows.sheets(io.BytesIO(data)) == ["Prices", "Two"]
    heading, found = read(io.BytesIO(data))
    assert heading == ["sku", "name", "description", "when"]
    assert found == [(3, ["17", "Mug", "90.75", "2024-12-31"]), (5, ["0017", "Cup", "ü", "2024-12-31 09:30:00"])]
    assert read(io.BytesIO(data), "Two")[0] == ["x"]


@pytest.mark.parametrize("make", [lambda rows: xls({"One": [["cover"]], "Prices": rows}), lambda rows: ods(rows).getvalue()])
def test_old_and_opendocument_workbooks_are_imported(load, make):
    chosen = {"kind": "workbook", "sheet": "Prices"}
    run = load(make(OLD_AND_OPEN), options=Options(format=Format(**chosen).as_json()))
    assert (run.state, run.error, run.lines, run.created) == ("done", "", 2, 2)
    rows = Product.objects.order_by("sku").values_list("sku", "name", "description")
    assert list(rows) == [("0017", "Cup", "ü"), ("17", "Mug", "90.75")]


def test_of_a_formula_the_stored_result_is_read():
    rows = [["sku", "name"], [Formula(17.0), Formula("ab")], ["a", Formula(None)]]
    assert read(io.BytesIO(xls({"S": rows})))[1] == [(2, ["17", "ab"]), (3, ["a", ""])]


@pytest.mark.parametrize(
    "data",
    [
        xls({"S": [["sku"]]}, locked=True),
        compound({"EncryptionInfo": b"x", "EncryptedPackage": b"y" * 9_000}),
        ods(
            [["sku"]],
            MANIFEST.replace(
                "/>", "><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>"
            ),
        ).getvalue(),
    ],
    ids=["xls", "xlsx", "ods"],
)
def test_a_workbook_with_a_password_is_refused_with_a_sentence(data):
    assert sniff(io.BytesIO(data)).kind == "workbook"
    with pytest.raises(BadFile, match="protected by a password"):
        WorkbookRows(io.BytesIO(data)).heading()
    with pytest.raises(BadFile, match="protected by a password"):
        excel_rows.sheets(io.BytesIO(data))


def test_sheets_that_are_hidden_or_pictures_are_not_taken_for_the_first(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("Lists").hide()
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Data!$A$1:$A$2"})
        book.add_chartsheet("Chart").set_chart(chart)
        sheet = book.add_worksheet("Data")
        sheet.activate()
        sheet.write_row(0, 0, ["sku", "name"])
        sheet.set_first_sheet()
    with (tmp_path / "a.xlsx").open("rb") as file:
        assert excel_rows.sheets(file) == ["Data", "Lists"]
        assert read(file)[0] == ["sku", "name"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (19.989999999999998, "19.99"),
        (17.0, "17"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (datetime.timedelta(hours=36, minutes=5), "36:05:00"),
        (datetime.time(9, 30), "09:30:00"),
    ],
)
def test_numbers_and_times_look_as_in_a_spreadsheet(value, text):
    assert child.text(value) == text


def test_titles_above_the_heading_are_passed_over(workbook):
    rows = [["Prices 2024"], [], ["sku", "name"], ["a", "b"], ["c", "d"]]
    reader = WorkbookRows(workbook({"S": rows}))
    heading, resume = reader.heading()
    started = reader._child
    assert (heading, resume) == (["sku", "name"], {"row": 4, "width": 2})
    assert [row for batch in reader.batches(resume, 100) for row in batch.rows] == [["a", "b"], ["c", "d"]]
    assert reader._child is started, "the workbook is read once"
    reader.close()


def test_one_long_text_in_many_cells_does_not_fill_the_memory(workbook):
    rows = [["sku", "name"], *[[f"a{n}", "x" * 32_767] for n in range(2_000)]]
    file = workbook({"S": rows})
    lines: list[int] = []
    reader = WorkbookRows(file)
    reader.heading()
    taken = reader._child._process.stdout
    while line := taken.readline():
        lines.append(len(line))
    reader.close()
    assert max(lines) < 2 << 20


def test_a_row_of_too_many_characters_is_refused(workbook):
    with pytest.raises(BadFile, match="row 2 has more than 8,388,608 characters"):
        read(workbook({"S": [["sku"], ["x" * 32_767] * 300]}))


def test_a_zip_that_lists_very_many_files_is_refused_before_they_are_counted():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for number in range(25_000):
            packed.writestr(f"{number}", b"")
    with pytest.raises(BadFile, match="many thousand files"):
        sniff(target)
