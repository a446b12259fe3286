"""Files as partners send them: each is imported, and ends as it is written down here."""

import gzip
import io

import pytest

from importer.readers import unpacked
from importer.readers.formats import Format, open_rows, sniff
from importer.values import BadFile
from products.models import Product
from tests.files.corpus import FILES, HEAD, zipped


@pytest.mark.parametrize("name", FILES)
def test_file_ends_as_it_is_written_down(load, name: str):
    content, ends = FILES[name]
    run = load(content)
    assert ends.error in run.error and bool(run.error) == bool(ends.error)
    assert run.state == ("failed" if ends.error else "done")
    assert sorted(Product.objects.values_list("name", flat=True)) == sorted(ends.names)
    rejects = dict(run.rejects.values_list("line", "reason"))
    assert rejects.keys() == ends.rejects.keys()
    assert all(part in rejects[line] for line, part in ends.rejects.items())


@pytest.mark.parametrize("packed", ["gzip", "zip"])
def test_reading_on_in_a_packed_file_gives_the_rest_and_stays_below_its_size(packed: str):
    text = HEAD + "".join(f"k{n},Café {n},x\n" for n in range(60_000))
    data = gzip.compress(text.encode("cp1252")) if packed == "gzip" else zipped(a=text.encode("cp1252"))
    how = sniff(io.BytesIO(data))
    assert how == Format(packed=packed, encoding="cp1252")
    rows = open_rows(io.BytesIO(data), how)
    first, *rest = rows.batches(rows.heading()[1], 5_000)
    assert 0 < first.done < rest[-1].done <= len(data)
    later = list(open_rows(io.BytesIO(data), how).batches(first.resume, 5_000))
    assert [batch.rows for batch in later] == [batch.rows for batch in rest]
    assert later[-1].rows[-1] == ["k59999", "Café 59999", "x"]


def test_packed_file_that_unpacks_to_too_much_is_refused(settings):
    settings.LOADIFY_MAX_FILE_SIZE = 1_000_000
    data = gzip.compress((HEAD + "a,b,c\n" * 300_000).encode())
    rows = open_rows(io.BytesIO(data), Format(packed="gzip"))
    with pytest.raises(BadFile, match="unpacks to more than 1,000,000 bytes"):
        list(rows.batches(rows.start(), 5_000))


def test_packed_file_that_unpacks_to_a_thousandfold_is_refused(monkeypatch):
    monkeypatch.setattr(unpacked, "RATIO_FROM", 1 << 20)
    monkeypatch.setattr(unpacked, "MOST_RATIO", 100)
    data = gzip.compress(b"a,b,c\n" * 1_000_000)
    rows = open_rows(io.BytesIO(data), Format(packed="gzip"))
    with pytest.raises(BadFile, match="100 times its size"):
        list(rows.batches(rows.start(), 5_000))


def test_format_is_put_into_words():
    assert Format(delimiter=";", encoding="cp1252", packed="gzip").words == "CSV, Windows-1252, semicolons, gzip"
    assert Format(kind="workbook", sheet="Prices").words == "Workbook, sheet “Prices”"
