"""The CSV reader: records with the line they begin on, and a place to go on from after every batch."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.readers import csv_rows
from importer.readers.csv_rows import START, CsvRows
from importer.values import BadFile


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
    filler = "".join(f"{n},{'x' * 100}\n" for n in range(12_000))
    data = ('a,b\n1,"open\n' + filler).encode()
    assert len(filler) > csv_rows.LONGEST_CELL
    batches = list(CsvRows(io.BytesIO(data)).batches(START, 5_000))
    assert [(bad.line, bad.reason) for b in batches for bad in b.rejected] == [
        (2, "Line 2: a quote is opened and not closed within 1 MiB.")
    ]
    assert sum(len(b.rows) for b in batches) == 12_001


def test_a_line_over_the_limit_is_refused_with_its_number():
    data = b"a,b\n1,2\n" + b"x" * (csv_rows.LONGEST_LINE + csv_rows.BLOCK + 1)
    with pytest.raises(BadFile, match="Line 3 is longer than 4 MiB"):
        list(CsvRows(io.BytesIO(data)).batches(START, 500))


def test_huge_rows_make_small_batches():
    row = ("x" * 900_000 + ",y\n").encode()
    sizes = [len(batch.rows) for batch in CsvRows(io.BytesIO(row * 40)).batches(START, 5_000)]
    assert sum(sizes) == 40


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\x03"), max_size=12)
tables = st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=12)


@given(tables, st.sampled_from(["\n", "\r\n"]), st.integers(1, 5), st.sampled_from([7, 64, 1 << 20]))
def test_reading_on_from_any_batch_gives_the_rest(table, ending, size, block):
    """Blocks are made tiny so that records cross them; csv of the whole text is the reference."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending).writerows(table)
    data = text.getvalue().encode()
    expected = [row for row in csv.reader(io.StringIO(text.getvalue(), newline="")) if row]
    original = csv_rows.BLOCK
    csv_rows.BLOCK = block
    try:
        seen = []
        for batch in CsvRows(io.BytesIO(data)).batches(START, size):
            seen += batch.rows
            rest = [row for b in CsvRows(io.BytesIO(data)).batches(batch.resume, size) for row in b.rows]
            assert seen + rest == expected
        assert seen == expected
    finally:
        csv_rows.BLOCK = original
