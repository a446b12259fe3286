"""The CSV reader: records with the line they begin on, and a place to go on from after every batch."""

import csv
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.readers import csv_rows
from importer.readers.csv_rows import CsvRows
from importer.values import BadFile, BadHeading

START = {"offset": 0, "line": 1}


def read(data: bytes, size: int = 500) -> list[tuple[int, list[str]]]:
    batches = CsvRows(io.BytesIO(data)).batches(START, size)
    return [pair for batch in batches for pair in zip(batch.lines, batch.rows, strict=True)]


def test_lines_are_counted_as_an_editor_counts_them():
    data = b'a,b\r\n1,"two\r\nlines"\r\n\r\n3,4\n5,6'
    assert read(data) == [(1, ["a", "b"]), (2, ["1", "two\r\nlines"]), (5, ["3", "4"]), (6, ["5", "6"])]


def test_a_file_of_carriage_returns_is_read():
    assert read(b"a,b\r1,2\r3,4") == [(1, ["a", "b"]), (2, ["1", "2"]), (3, ["3", "4"])]


def test_a_byte_order_mark_is_no_part_of_the_heading():
    heading, resume = CsvRows(io.BytesIO(b"\xef\xbb\xbfsku,name\nx,y\n")).heading()
    assert heading == ["sku", "name"]
    assert resume == {"offset": 12, "line": 2}


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\r\n"])
def test_an_empty_file_is_refused(data):
    with pytest.raises(BadFile, match="The file is empty"):
        CsvRows(io.BytesIO(data)).heading()


def test_a_quote_left_open_rejects_its_line_and_reading_goes_on():
    data = b'a,b\n1,"open\n2,x\n3,y\n'
    (batch, *more) = CsvRows(io.BytesIO(data)).batches(START, 500)
    assert [(bad.line, bad.cells, bad.reason) for bad in batch.rejected] == [
        (2, ['1,"open'], "Line 2: a quote is opened and never closed.")
    ]
    assert [row for b in more for row in b.rows] == [["2", "x"], ["3", "y"]]
    assert [line for b in more for line in b.lines] == [3, 4]


def test_a_cell_without_end_rejects_its_first_line_only():
    filler = "".join(f"{n},{'x' * 2_000}\n" for n in range(600))
    data = ('a,b\n1,"open\n' + filler).encode()
    assert len(filler) > csv_rows.LONGEST_CELL
    batches = list(CsvRows(io.BytesIO(data)).batches(START, 5_000))
    assert [(bad.line, bad.reason) for b in batches for bad in b.rejected] == [
        (2, "Line 2: a quote is opened and not closed within 1 MiB.")
    ]
    assert sum(len(b.rows) for b in batches) == 601


@pytest.mark.parametrize("closed", [False, True])
def test_a_cell_of_too_many_lines_rejects_its_first_line_only(closed):
    text = 'a,b\n0,"short"\n1,"open\n' + "x,y\n" * csv_rows.LONGEST_IN_LINES + ('z"\n' if closed else "") + "9,end\n"
    batches = list(CsvRows(io.BytesIO(text.encode())).batches(START, 5_000))
    assert [(bad.line, bad.cells) for b in batches for bad in b.rejected] == [(3, ['1,"open'])]
    assert batches[0].rejected[0].reason == ("Line 3: a quote is opened and its record does not end within 1,000 lines.")
    rows = [row for b in batches for row in b.rows]
    assert rows[:3] == [["a", "b"], ["0", "short"], ["x", "y"]]
    assert rows[-1] == ["9", "end"]
    assert [line for b in batches for line in b.lines][2] == 4


def test_a_cell_of_as_many_lines_as_are_allowed_is_a_cell():
    cell = "\n".join("x" * csv_rows.LONGEST_IN_LINES)
    assert read(f'a,"{cell}"\nb,"{cell}"\nc,d\n'.encode()) == [(1, ["a", cell]), (1_001, ["b", cell]), (2_001, ["c", "d"])]


def test_a_cell_of_too_many_lines_is_noticed_before_a_mebibyte_is_read():
    file = io.BytesIO(b'a,b\n1,"open\n' + b"x,y\n" * 300_000)
    batch = next(CsvRows(file).batches(START, 5_000))
    assert batch.rejected[0].line == 2
    assert file.tell() <= 2 * csv_rows.BLOCK


def test_a_line_over_the_limit_is_refused_with_its_number():
    data = b"a,b\n1,2\n" + b"x" * (csv_rows.LONGEST_LINE + csv_rows.BLOCK + 1)
    with pytest.raises(BadFile, match="Line 3 is longer than 4 MiB"):
        list(CsvRows(io.BytesIO(data)).batches(START, 500))


def test_huge_rows_make_small_batches():
    row = ("x" * 900_000 + ",y\n").encode()
    sizes = [len(batch.rows) for batch in CsvRows(io.BytesIO(row * 40)).batches(START, 5_000)]
    assert sum(sizes) == 40
    assert max(sizes) <= 6


def test_text_that_looks_like_the_end_is_a_row_like_any_other():
    data = b"a\n" + b"x\n" * 498 + b"\x03end\x03\n" + b"y\n" * 1_000
    assert len(read(data)) == 1_500
    assert read(data)[499] == (500, ["\x03end\x03"])


def test_blank_lines_before_the_heading_cost_nothing():
    data = b"\xef\xbb\xbf" + b"\r\n" * 100_000 + b"a,b\r\n1,2\r\n"
    rows = CsvRows(io.BytesIO(data))
    heading, resume = rows.heading()
    assert heading == ["a", "b"]
    assert resume == {"offset": 200_008, "line": 100_002}
    assert [batch.lines for batch in rows.batches(resume, 500)] == [[100_002]]


def test_a_heading_of_too_many_columns_is_refused():
    with pytest.raises(BadHeading, match="the heading has 2,001 cells; 2,000 are allowed"):
        CsvRows(io.BytesIO(b"," * 2_000 + b"\n")).heading()


def test_a_record_of_short_cells_that_never_ends_rejects_its_first_line_only():
    data = b"a,b\n" + b'a,"b","' + (b"x" * 20_000 + b'\n","b","') * 700
    batches = CsvRows(io.BytesIO(data)).batches(START, 5_000)
    first = next(batch for batch in batches if batch.rejected)
    assert [(bad.line, bad.reason) for bad in first.rejected] == [
        (2, "Line 2: a quote is opened and its record does not end within 8 MiB.")
    ]


def test_quotation_marks_that_mean_something_else_end_the_file_with_a_sentence(monkeypatch):
    monkeypatch.setattr(csv_rows, "MOST_UNCLOSED", 3)
    data = (b'a,"b\n' + b"a,b\n" * csv_rows.LONGEST_IN_LINES) * 5
    with pytest.raises(BadFile, match="3 lines up to line 2,003 open a quotation mark"):
        list(CsvRows(io.BytesIO(data)).batches(START, 500))


STRAY = "text follows the quotation mark that ends a cell; one inside a cell is written twice."


def read_all(data: bytes, size: int = 500) -> tuple[list[tuple[int, list[str]]], list[tuple[int, list[str], str]]]:
    good, bad = [], []
    for batch in CsvRows(io.BytesIO(data)).batches(START, size):
        good += list(zip(batch.lines, batch.rows, strict=True))
        bad += [(each.line, each.cells, each.reason) for each in batch.rejected]
    return good, bad


@pytest.mark.parametrize("size", [1, 2, 500])
def test_a_quotation_mark_inside_a_cell_rejects_the_line_and_nothing_is_guessed(size):
    good, bad = read_all(b'a,b\n1,"5" pipe"\n\n2,x\n3,"6\\" pipe"\r\n4,5" pipe\n5,"7"" pipe"', size)
    assert good == [(1, ["a", "b"]), (4, ["2", "x"]), (6, ["4", '5" pipe']), (7, ["5", '7" pipe'])]
    assert bad == [(2, ['1,"5" pipe"'], f"Line 2: {STRAY}"), (5, ['3,"6\\" pipe"'], f"Line 5: {STRAY}")]


def test_a_cell_that_ends_in_an_inch_mark_does_not_swallow_the_next_line():
    good, bad = read_all(b'a,b,c\n1,"Screen 15"",x\n2,"y",z\n3,"w",v\n')
    assert good == [(1, ["a", "b", "c"]), (3, ["2", "y", "z"]), (4, ["3", "w", "v"])]
    assert bad == [(2, ['1,"Screen 15"",x'], f"Line 2: {STRAY}")]


def test_many_lines_with_stray_quotation_marks_are_rejected_one_by_one():
    data = b"a,b\n" + b'1,"x" y\n2,"z"",w\n3,"v"\n' * 2_000
    good, bad = read_all(data)
    assert (len(good), len(bad)) == (2_001, 4_000)


def test_a_rejected_line_is_not_read_from_the_file_again():
    file = io.BytesIO(b'a,b\n1,"x"",y\n' + b'2,"z"\n' * 100_000)
    places = []
    seek = file.seek
    file.seek = lambda offset, whence=0: places.append(offset) or seek(offset, whence)  # type: ignore[method-assign]
    assert sum(len(batch.rows) for batch in CsvRows(file).batches(START, 5_000)) == 100_001
    assert places == [0]


@pytest.mark.parametrize("first", [b"sep=;\n", b'"sep=;"\r\n', b"\xef\xbb\xbfSEP=;\r"])
def test_the_line_by_which_excel_says_the_delimiter_is_no_record(first):
    rows = CsvRows(io.BytesIO(first + b"a;b\n1;2\n"), ";")
    heading, resume = rows.heading()
    assert (heading, resume["line"]) == (["a", "b"], 3)


def test_titles_comments_and_empty_rows_above_the_heading_are_passed_over():
    rows = CsvRows(io.BytesIO(b"Prices 2024,,\n,,\n# made today\n\nsku,name,note\n1,2,3\n4,5,6\n7,,\n8,9,\n"))
    heading, resume = rows.heading()
    assert (heading, resume["line"]) == (["sku", "name", "note"], 6)
    assert [row for batch in rows.batches(resume, 500) for row in batch.rows][0] == ["1", "2", "3"]


def test_a_file_of_one_column_has_its_heading_on_the_first_line():
    assert CsvRows(io.BytesIO(b"sku\n1\n2\n")).heading()[0] == ["sku"]


def test_a_file_whose_first_lines_hold_no_text_is_refused():
    with pytest.raises(BadFile, match="The first 20 lines hold no text"):
        CsvRows(io.BytesIO(b" ,,\n,,\n" * 20)).heading()


def test_a_line_of_100_mb_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n")
        file.truncate(100_000_000)
    tracemalloc.start()
    with path.open("rb") as file, pytest.raises(BadFile, match="Line 2 is longer than 4 MiB"):
        list(CsvRows(file).batches(START, 500))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
tables = st.lists(st.lists(cells, max_size=3), min_size=1, max_size=12)


@given(tables, st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 5), st.sampled_from([7, 64, 1 << 20]))
def test_reading_on_from_any_batch_gives_the_rest(table, ending, size, block):
    """Blocks are made tiny so that records cross them; csv of the whole text is the reference."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending).writerows(table)
    data = text.getvalue().encode()
    reader = csv.reader(io.StringIO(text.getvalue(), newline=""))
    expected, begin = [], 1
    for row in reader:
        if row:
            expected.append((begin, row))
        begin = reader.line_num + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "BLOCK", block)
        seen: list[tuple[int, list[str]]] = []
        for batch in CsvRows(io.BytesIO(data)).batches(START, size):
            seen += zip(batch.lines, batch.rows, strict=True)
            later = CsvRows(io.BytesIO(data)).batches(batch.resume, size)
            rest = [pair for b in later for pair in zip(b.lines, b.rows, strict=True)]
            assert seen + rest == expected
        assert seen == expected
