"""Files as partners send them, each with what becomes of it."""

import gzip
import io
import tarfile
import zipfile
from dataclasses import dataclass, field

import xlsxwriter

from tests.files.xls import compound, xls
from tests.importer.test_workbooks import MANIFEST, ods

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


def workbook() -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate(ROWS.splitlines()):
            sheet.write_row(number, 0, line.split(","))
    return made.getvalue()


def opendocument() -> bytes:
    return ods([line.split(",") for line in ROWS.splitlines()]).getvalue()


def tar(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


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
    "a heading twice": (b"sku,name,name,description\na,b,c,d\n", Ends([], error="stands in the heading 2 times")),
    "no key": (b"name,description\na,b\n", Ends([], error="no column “sku”")),
    "no heading": (b"a,b,c\nd,e,f\n", Ends([], error="no column")),
    "2,001 columns": (b"," * 2_000 + b"\n", Ends([], error="2,000 are allowed")),
    "too many lines in a cell": (HEAD.encode() + b'a,"x,1\n' + b"\n" * 1_000 + b"b,y,2\n", Ends(["y"], {2: "1,000 lines"})),
    "1,000 lines in a cell": (HEAD.encode() + b'a,x,"' + b"z\n" * 999 + b'"\n', Ends(["x"])),
    "a byte Windows-1252 does not have": (HEAD.encode() + b"a,caf\xe9,1\nb,x\x81,2\n", Ends(["café"], {3: "Windows-1252"})),
    "half a pair in utf-16": (
        b"\xff\xfe" + HEAD.encode("utf-16-le") + b"a\0,\0\0\xd8,\0x\0\n\0" + "b,y,2\n".encode("utf-16-le"),
        Ends(["y"], {2: "not UTF-16 text"}),
    ),
    "3,000 cells in a line": (HEAD.encode() + b"," * 2_999 + b"\nb,y,2\n", Ends(["y"], {2: "3000 cells where"})),
    "a million cells in a line": (HEAD.encode() + b"," * 999_999 + b"\nb,y,2\n", Ends(["y"], {2: "1000000 cells"})),
    "a line of 5 MiB": (HEAD.encode() + b"a," + b"x" * (5 << 20) + b",1\n", Ends([], error="longer than 4 MiB")),
    "a zip of a long line": (zipped(a=HEAD.encode() + b"x" * (5 << 20)), Ends([], error="longer than 4 MiB")),
    "a 7z archive": (b"7z\xbc\xaf\x27\x1c", Ends([], error="a 7z archive")),
    "a RAR archive": (b"Rar!\x1a\x07", Ends([], error="a RAR archive")),
    "an xz archive": (b"\xfd7zXZ\0", Ends([], error="an xz archive")),
    "a bzip2 archive": (b"BZh91AY", Ends([], error="a bzip2 archive")),
    "a JPEG": (b"\xff\xd8\xff\xe0", Ends([], error="a picture")),
    "gzip of a zip": (gzip.compress(zipped(a=b"1")), Ends([], error="another packed file")),
    "gzip of semicolons": (gzip.compress(ROWS.replace(",", ";").encode()), FINE),
    "zip of tabs in utf-16": (zipped(a=ROWS.replace(",", "\t").encode("utf-16")), FINE),
    "CR in cp1252": (ROWS.replace("\n", "\r").encode("cp1252"), FINE),
    "semicolons in utf-16": (ROWS.replace(",", ";").encode("utf-16"), FINE),
    "CR LF inside a quoted cell": (HEAD.encode() + b'a,x,"1\r\n2"\r\n', Ends(["x"])),
    "every cell quoted": (b'"sku","name","description"\n"a","x","1"\n', Ends(["x"])),
    "a key of blanks": (HEAD.encode() + b"  ,x,1\nb,y,2\n", Ends(["y"], {2: "Line 2"})),
    "a key in three spellings": (HEAD.encode() + b"k,x,1\n K ,y,2\nk,z,3\n", Ends(["z"])),
    "a name too long": (HEAD.encode() + b"a," + b"x" * 300 + b",1\nb,y,2\n", Ends(["y"], {2: "characters long"})),
    "an emoji": ((HEAD + "a,Tee 🍵,1\n").encode(), Ends(["Tee 🍵"])),
    "a workbook": (workbook(), FINE),
    "an OpenDocument sheet": (opendocument(), FINE),
    "a workbook cut off": (workbook()[:-200], Ends([], error="damaged or cut off")),
    "a quotation mark inside a quoted cell": (
        HEAD.encode() + b'a,"5" pipe",x\nb,y,2\n',
        Ends(["y"], {2: "text follows the quotation mark"}),
    ),
    "an inch mark before the end of a cell": (
        HEAD.encode() + b'a,"Screen 15"",x\nb,"y",2\nc,"z",3\n',
        Ends(["y", "z"], {2: "text follows the quotation mark"}),
    ),
    "quotation marks behind backslashes": (
        HEAD.encode() + b'a,"5\\" pipe",x\nb,y,2\n',
        Ends(["y"], {2: "text follows the quotation mark"}),
    ),
    "blanks before the quotation marks": (b'sku, name, description\n"a", "x, y", "1"\n"b", "z", "2"\n', Ends(["x, y", "z"])),
    "curly quotation marks": ((HEAD + "a,“x”,1\n").encode(), Ends(["“x”"])),
    "Excel's line about the delimiter": (("sep=;\r\n" + ROWS.replace(",", ";")).encode(), FINE),
    "a title above the heading": (("Prices 2024\n\n" + ROWS.replace(",", ";")).encode(), FINE),
    "a title and empty rows of a spreadsheet": (("Prices 2024;;\n;;\n" + ROWS.replace(",", ";")).encode(), FINE),
    "comments above the heading": (("# made today\n# by hand\n" + ROWS).encode(), FINE),
    "a delimiter at the end of every line": (ROWS.replace("\n", ",\n").encode(), FINE),
    "a delimiter at the end of every row only": (
        HEAD.encode() + b"a,x,1,\nb,y,2,\n",
        Ends([], {2: "4 cells where the heading has 3", 3: "4 cells"}),
    ),
    "headings of a database": (b"product_sku,product_name,product_description,is_active\na,x,1,t\n", Ends(["x"])),
    "headings with line breaks": (b'"Article\nNumber",Title,Description\na,x,1\n', Ends(["x"])),
    "marks of direction": ("\u200esku,name,\u200fdescription\na,\u202bשלום\u202c,1\n".encode(), Ends(["\u202bשלום\u202c"])),
    "yes and no in other words": (
        b"sku,name,description,active\na,x,1,TRUE\nb,y,2, Off \nc,z,3,maybe\nd,w,4,\n",
        Ends(["w", "x", "y"], {4: "neither yes nor no"}),
    ),
    "prices with decimal commas": (b"sku;name;description;price\na;x;1.5;1.234,50\nb;y;2;0,99\n", Ends(["x", "y"])),
    "Cyrillic in utf-16 without a mark": ((HEAD + "а,Молоко,Свежее\n" * 20).encode("utf-16-be"), Ends(["Молоко"])),
    "Chinese in utf-16 without a mark": ((HEAD + "a,牛奶,非常好喝的牛奶\n" * 20).encode("utf-16-le"), Ends(["牛奶"])),
    "utf-32": (ROWS.encode("utf-32"), FINE),
    "cp1250": ((HEAD + "a,Žluťoučký kůň,Příliš úpěl ďábelské ódy\n" * 20).encode("cp1250"), Ends(["Žluťoučký kůň"])),
    "Shift JIS": ((HEAD + "a,牛乳,とても美味しい牛乳です\n" * 20).encode("shift_jis"), Ends(["牛乳"])),
    "DOS's end of a file": (ROWS.encode() + b"\x1a", Ends(rejects={4: "1 cell where"})),
    "a cell of 64 kB": (HEAD.encode() + b"a,x," + b"z" * 65_536 + b"\nb,y,2\n", Ends(["y"], {2: "65,536 characters"})),
    "LF CR": (ROWS.replace("\n", "\n\r").encode(), FINE),
    "line separators inside cells": ((HEAD + "a,x\u2028y\x85z,1\n").encode(), Ends(["x\u2028y\x85z"])),
    "blanks only": (b"  \n \n", Ends([], error="hold no text")),
    "delimiters only": (b";;\n;;\n", Ends([], error="hold no text")),
    "a web page called .xls": (b"\xef\xbb\xbf\r\n<html><table><tr><td>sku</td></tr></table>", Ends([], error="a web page")),
    "an Excel file in XML": (b'<?xml version="1.0"?>\n<Workbook xmlns="urn:x">', Ends([], error="an XML file")),
    "JSON": (b'[\n {"sku": "a"}]', Ends([], error="a JSON file")),
    "a tar archive": (tar("a.csv", ROWS.encode()), Ends([], error="a tar archive")),
    "a tar archive in gzip": (gzip.compress(tar("a.csv", ROWS.encode())), Ends([], error="a tar archive")),
    "a picture in a zip": (zipped(a=b"\x89PNG\r\n"), Ends([], error="a picture")),
    "a program": (b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" * 50, Ends([], error="neither text nor a workbook")),
    "a text document": (zipped(**{"[Content_Types].xml": b"x", "word/document.xml": b"x"}), Ends([], error="office program")),
    "a zip with hidden files": (zipped(**{"p/a.csv": ROWS.encode(), "p/.DS_Store": b"x", "p/Thumbs.db": b"x"}), FINE),
    "gzip with something behind it": (gzip.compress(ROWS.encode()) + b"more", Ends([], error="damaged or cut off")),
    "gzip with zeros behind it": (gzip.compress(ROWS.encode()) + bytes(512), FINE),
    "an old workbook": (xls({"Prices": [line.split(",") for line in ROWS.splitlines()]}), FINE),
    "an old workbook with a title": (xls({"S": [["Prices"], [], *[line.split(",") for line in ROWS.splitlines()]]}), FINE),
    "an old workbook with a password": (xls({"S": [["sku"]]}, locked=True), Ends([], error="protected by a password")),
    "a workbook with a password": (
        compound({"EncryptionInfo": b"x", "EncryptedPackage": b"y" * 9_000}),
        Ends([], error="protected by a password"),
    ),
    "an OpenDocument sheet with a password": (
        ods([["sku"]], MANIFEST.replace("/>", "><manifest:encryption-data/></manifest:manifest>")).getvalue(),
        Ends([], error="protected by a password"),
    ),
    "an old text document": (compound({"WordDocument": b"x"}), Ends([], error="The workbook cannot be read")),
}
