"""Cells that a spreadsheet would run, and the form of CSV."""

import csv
from io import StringIO

import pytest

from pages.spreadsheets import harmless, lines


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+cmd",
        "-2+3",
        "@SUM(A1)",
        " =1",
        "\t=1",
        "\tx",
        "\rx",
        "\nx",
        "\u00a0=1",
        "＝1+1",
        "＋1+1",
        "-",
        "--1",
        "+1-2",
        "-1e",
        "-1%",
    ],
)
def test_cell_that_would_run_gets_an_apostrophe(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["", "a", "a=1", "5 - 3", "'=1", "-5", "+5", " -5.25 ", "-1,234.50", "+1e6", "-1.5E-3", "0017"]
)
def test_other_cells_and_plain_numbers_stay(cell: str) -> None:
    assert harmless(cell) == cell


def test_lines_end_as_rfc_4180_wants_and_read_back_as_they_were() -> None:
    rows = [["a", 'say "hi"', "x,y"], ["b", "two\nlines", "trois\r\nlignes"], ["", "é😀", ""]]
    text = lines(rows)
    assert text.startswith('a,"say ""hi""","x,y"\r\n')
    assert list(csv.reader(StringIO(text, newline=""))) == rows
