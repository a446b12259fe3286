"""Files as partners send them: each is imported, and ends as it is written down here."""

import gzip
import io
import zipfile
from dataclasses import dataclass, field

import pytest

from importer.readers import unpacked
from importer.readers.formats import Format, open_rows, sniff
from importer.values import BadFile
from products.models import Product

HEAD = "sku,name,description\n"
ROWS = HEAD + "a-1,Café,Crème brûlée\na-2,Tee,Grün\n"


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


def locked() -> bytes:
    data = bytearray(zipped(a=ROWS.encode()))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


@dataclass(frozen=True)
class Ends:
    """`names` of the products there are afterwards; `rejects` {line: part of the reason}; `error` part of the sentence."""

    names: list[str] = field(default_factory=lambda: ["Café", "Tee"])
    rejects: dict[int, str] = field(default_factory=dict)
    error: str = ""


FINE = Ends()
FILES: dict[str, tuple[bytes, Ends]] = {
    "utf-8": (ROWS.encode(), FINE),
    "utf-8 with a mark": (ROWS.encode("utf-8-sig"), FINE),
    "utf-16 little with a mark": (b"\xff\xfe" + ROWS.encode("utf-16-le"), FINE),
    "utf-16 big with a mark": (b"\xfe\xff" + ROWS.encode("utf-16-be"), FINE),
    "utf-16 little": (ROWS.encode("utf-16-le"), FINE),
    "utf-16 big": (ROWS.encode("utf-16-be"), FINE),
    "utf-16 cut off": (b"\xff\xfe" + ROWS.encode("utf-16-le") + b"a", Ends(rejects={4: "1 cell where"})),
    "cp1252": (ROWS.encode("cp1252"), FINE),
    "cp1252 euro": ((HEAD + "a,5 €,“x”\n").encode("cp1252"), Ends(["5 €"])),
    "cp1251": (
        (HEAD + "a,Молоко свежее,Очень вкусное молоко из деревни каждый день\n" * 9).encode("cp1251"),
        Ends(["Молоко свежее"]),
    ),
    "semicolons": (ROWS.replace(",", ";").encode(), FINE),
    "semicolons with commas in the cells": (b"sku;name;description\na;x, y;1,5\nb;z;2,5, 3\n", Ends(["x, y", "z"])),
    "tabs": (ROWS.replace(",", "\t").encode(), FINE),
    "pipes": (ROWS.replace(",", "|").encode(), FINE),
    "pipes with inches": (b'sku|name|description\na|5" pipe|x\nb|6" pipe|y\n', Ends(['5" pipe', '6" pipe'])),
    "semicolons in cp1252 with CRLF": (ROWS.replace(",", ";").replace("\n", "\r\n").encode("cp1252"), FINE),
    "CR": (ROWS.replace("\n", "\r").encode(), FINE),
    "CRLF": (ROWS.replace("\n", "\r\n").encode(), FINE),
    "mixed ends": (b"sku,name,description\r\na,x,1\nb,y,2\rc,z,3\r\n", Ends(["x", "y", "z"])),
    "no end of the last line": (ROWS.rstrip().encode(), FINE),
    "blank lines": (b"\n\n" + ROWS.replace("\n", "\n\n").encode(), FINE),
    "heading in capitals with blanks": (ROWS.replace("sku,name", " SKU , Name").encode(), FINE),
    "columns in another order": (b"description,name,sku\nx,Tee,a\n", Ends(["Tee"])),
    "unknown columns": (b"colour,sku,name,description\nred,a,Tee,x\n", Ends(["Tee"])),
    "quotes inside a quoted cell": (HEAD.encode() + b'a,"5"" pipe",x\n', Ends(['5" pipe'])),
    "lines inside a quoted cell": (HEAD.encode() + b'a,"one\ntwo",x\n', Ends(["one\ntwo"])),
    "a quote never closed": (HEAD.encode() + b'a,"x,1\nb,y,2\n', Ends(["y"], {2: "a quote is opened and never closed"})),
    "too few cells": (HEAD.encode() + b"a,x\nb,y,2\n", Ends(["y"], {2: "2 cells where the heading has 3"})),
    "too many cells": (HEAD.encode() + b"a,x,1,2\nb,y,2\n", Ends(["y"], {2: "4 cells where the heading has 3"})),
    "an empty key": (HEAD.encode() + b",x,1\nb,y,2\n", Ends(["y"], {2: "Line 2"})),
    "a NUL": (HEAD.encode() + b"a,x\0,1\nb,y,2\n", Ends(["y"], {2: "Line 2"})),
    "the same key twice": (HEAD.encode() + b"a,x,1\nA,y,2\n", Ends(["y"])),
    "a mark inside a key": (HEAD.encode() + "a\ufeff,x,1\na,y,2\n".encode(), Ends(["y"])),
    "a formula": (HEAD.encode() + b"a,=1+1,x\n", Ends(["=1+1"])),
    "some damage in UTF-8": ((HEAD + "a,éé,é\n").encode() + b"b,\xff,1\n", Ends(["éé"], {3: "UTF-8"})),
    "gzip": (gzip.compress(ROWS.encode()), FINE),
    "gzip of cp1252": (gzip.compress(ROWS.encode("cp1252")), FINE),
    "gzip of utf-16": (gzip.compress(ROWS.encode("utf-16")), FINE),
    "gzip in two parts": (gzip.compress(HEAD.encode()) + gzip.compress(b"a,x,1\n"), Ends(["x"])),
    "gzip cut off": (gzip.compress(ROWS.encode())[:-12], Ends([], error="damaged or cut off")),
    "zip": (zipped(a=ROWS.encode()), FINE),
    "zip from a Mac": (zipped(**{"a.csv": ROWS.encode(), "__MACOSX/._a.csv": b"x"}), FINE),
    "zip of two": (zipped(a=b"1", b=b"2"), Ends([], error="holds 2 files: “a”, “b”")),
    "zip of none": (zipped(), Ends([], error="empty")),
    "zip in a zip": (zipped(a=zipped(b=b"1")), Ends([], error="another packed file")),
    "zip with a password": (locked(), Ends([], error="password")),
    "zip cut off": (zipped(a=ROWS.encode())[:-30], Ends([], error="damaged or cut off")),
    "a PDF": (b"%PDF-1.7\n", Ends([], error="This is a PDF")),
    "a picture": (b"\x89PNG\r\n\x1a\n", Ends([], error="This is a picture")),
    "heading only": (HEAD.encode(), Ends([], error="a heading line and nothing else")),
    "blank lines only": (b"\n\r\n\n", Ends([], error="empty")),
    "a heading twice": (b"sku,name,name,description\na,b,c,d\n", Ends([], error="stands there 2 times")),
    "no key": (b"name,description\na,b\n", Ends([], error="no column “sku”")),
    "no heading": (b"a,b,c\nd,e,f\n", Ends([], error="no column")),
    "2,001 columns": (b"," * 2_000 + b"\n", Ends([], error="2,000 are allowed")),
}


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
