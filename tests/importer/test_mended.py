"""Rejected lines go out as CSV and come back: mended ones land as they stood in the file, and nothing is asked twice."""

import csv
import io

import pytest

from importer import downloads, mapping, mended, preview
from importer.datasets import get
from importer.models import Import
from importer.options import Options
from importer.readers.formats import sniff
from products.models import Product

HEAD = ["sku", "name", "description", "active"]
#: Texts that a spreadsheet would run, or that look as if we had kept it from that.
ODD = ["=cmd|x", "'=cmd|x", "''+a", "-5", "'-5", "+49 30 12", "@home", "'@home", "\t=x", "\n-a", "'", "'plain", "＝x", " =x"]


def as_csv(rows) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def taken_home(run: Import) -> list[list[str]]:
    content = b"".join(downloads.rejects(run)).decode().removeprefix("\ufeff")
    return list(csv.reader(io.StringIO(content, newline="")))


def test_mended_cells_land_as_they_stood_in_the_file(load):
    rows = [[f"s{number:02}", "n", text, "perhaps"] for number, text in enumerate(ODD)]
    run = load(as_csv([HEAD, *rows]))
    assert run.rejected == len(ODD)
    for _ in range(2):
        # Sent again unchanged, they are rejected again, with the same cells.
        run = load(as_csv(taken_home(run)))
        assert [cells[2:] for cells in run.rejects.order_by("line").values_list("cells", flat=True)] == rows
    head, *lines = taken_home(run)
    again = load(as_csv([head, *([*cells[:5], "yes"] for cells in lines)]))
    assert (again.created, again.rejected) == (len(ODD), 0)
    assert list(Product.objects.order_by("sku").values_list("description", flat=True)) == ODD


def test_no_cell_that_is_taken_home_is_run_by_a_spreadsheet():
    for text in ODD:
        assert not mended._runs(mended.escaped(text))


def test_a_file_that_only_looks_like_rejected_lines_is_taken_as_it_is(load):
    load(as_csv([["line", "reason", *HEAD], ["1", "Because", "a", "'=n", "'+d", "yes"]]))
    assert list(Product.objects.values_list("name", "description")) == [("'=n", "'+d")]


def test_a_heading_that_a_spreadsheet_would_run_comes_back(load):
    run = load("=Extra,sku,name,description\n1,,n,d\n")
    assert taken_home(run)[0] == ["line", "reason", "'=Extra", "sku", "name", "description"]
    again = load(as_csv(taken_home(run)))
    assert again.checkpoint["heading"] == ["line", "reason", "=Extra", "sku", "name", "description"]


def test_a_line_whose_quote_never_closes_is_not_lost_when_it_is_rejected_twice(load):
    run = load('sku,name,description\na,One,d\nb,"Two,d\n')
    for _ in range(2):
        [cells] = run.rejects.values_list("cells", flat=True)
        assert cells[-1] == 'b,"Two,d'
        run = load(as_csv(taken_home(run)))


def test_a_broken_line_of_a_file_of_rejected_lines_is_kept_whole(load):
    run = load('line,reason,sku,name,description\n7,Line 7: it is wrong.,b,"Two,d\n')
    assert taken_home(run)[1][2:] == ['7,Line 7: it is wrong.,b,"Two,d']


@pytest.mark.parametrize("more", [[], ["x"]])
def test_all_cells_of_a_wide_line_are_taken_home(load, more):
    wide = [f"Extra {number}" for number in range(300)]
    run = load(as_csv([[*HEAD, *wide], ["a", "n", "d", "perhaps", *wide, *more]]))
    assert taken_home(run)[1][2:] == ["a", "n", "d", "perhaps", *wide, *more]


def plan(run_or_text) -> preview.Plan:
    content = io.BytesIO(run_or_text.encode())
    return preview.first_plan(content, get("products"), sniff(content, "file.csv"))


def test_rejected_lines_are_mapped_as_their_file_was(load, transactional_db):
    headings = ["Artikel", "Reason", "Text", "Aktiv"]
    places = {"sku": 0, "name": 1, "description": 2, "active": 3}
    text = as_csv([headings, ["a", "n", "d", "perhaps"]])
    mapping.remember(get("products"), headings, places, {"name": "keep"})
    home = as_csv(taken_home(load(text, options=Options(places=places))))
    suggestion = plan(home).suggestion
    assert (suggestion.places, suggestion.remembered) == ({name: place + 2 for name, place in places.items()}, True)
    # And the other way round: what is chosen for rejected lines is remembered for their file.
    mapping.remember(get("products"), ["line", "reason", *headings], {"sku": 4, "name": 3, "description": 2}, {})
    assert plan(text).suggestion.places == {"sku": 2, "name": 1, "description": 0}


def test_rejected_lines_of_a_file_that_fits_go_straight_on(load):
    home = as_csv(taken_home(load(as_csv([HEAD, ["a", "=n", "d", "perhaps"]]))))
    found = plan(home)
    assert found.is_perfect()
    [row] = preview.rows(get("products"), found, found.suggestion.places, {})
    assert [cell.text for cell in row.cells][:2] == ["a", "=n"]
