"""Whole imports on databases other than PostgreSQL, in processes of their own, against the plain reference."""

from pathlib import Path

import pytest

from tests.elsewhere import told_by
from tests.importer.reference import Catalogue

FIRST = (
    "sku,name,description\nA-1,one,x\nb,two,y\na-1,three,z\n,none,\nÉ,four,\nshort,row\n"
    + "straße,five,w\nSTRASSE,six,w\n"
    + "".join(f"n{number},name {number},text\n" for number in range(5_000))
)
SECOND = (
    "SKU,Name,Description,Active\nA-1,three,z,\nB,two,y,no\ne\u0301,four,\U0001f600,yes\nn7,name 7,text,perhaps\nnew,seven,,\n"
)


def told(url: str, folder: Path) -> None:
    """Import both files on the database at `url`, and compare everything that is told of it."""
    paths = [folder / "first.csv", folder / "second.csv"]
    for path, text in zip(paths, (FIRST, SECOND), strict=True):
        path.write_text(text, encoding="utf-8", newline="")
    site = told_by("tests.importer.portable_site", url, folder, *paths)
    catalogue = Catalogue()
    for found, text in zip(
        site["imports"], (FIRST, SECOND.replace("SKU,Name,Description,Active", "sku,name,description,active")), strict=True
    ):
        expected = catalogue.load(text)
        assert found["report"]["state"] == "done", found["report"]["error"]
        assert {name: found["report"][name] for name in expected["counts"]} == expected["counts"]
        assert found["rejected"] == expected["rejected"]
        assert found["changes"] == {str(line): before for line, before in expected["changes"].items()}
        assert found["staged"] == 0
    assert {key: tuple(row) for key, row in site["imports"][1]["rows"].items()} == catalogue.rows
    assert site["undo"] == "Undo needs PostgreSQL; this site runs on another database."
    assert site["states"] == ["paused", "cancelled"]
    assert site["found"] == ["A-1"]
    assert site["words"] == ["A-1"]
    assert site["exported"]["states"] == ["paused", "done"]
    assert site["exported"]["paused"]
    assert sorted(site["exported"]["skus"]) == sorted(row[0] for row in catalogue.rows.values())
    assert site["exported"]["unchanged"] == len(catalogue.rows)
    assert site["cleared"] == len(catalogue.rows)
    watched = site["watched"]
    assert "far slower than on PostgreSQL" in watched["doctor"]["Its version"], watched["doctor"]
    assert {"Clock", "Migrations", "Timetable", "Admin"} <= watched["doctor"].keys()
    assert "applied" in watched["doctor"]["Migrations"], watched["doctor"]
    assert 'loadify_imports{state="done"} 2.0' in watched["metrics"]
    assert watched["operations"] == 200


def test_sqlite(tmp_path):
    told(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path)


@pytest.mark.slow
def test_mariadb(mariadb_url, tmp_path):
    told(mariadb_url, tmp_path)
