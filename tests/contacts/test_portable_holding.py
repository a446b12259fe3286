"""The rule of contacts on databases other than PostgreSQL, in processes of their own."""

from pathlib import Path

import pytest

from tests.elsewhere import told_by

HEADING = "Name,Phone Number,Email Address\n"
#: More lines than are looked at together, so that one slice must know of the one before.
FIRST = HEADING + "".join(f"n{n},0772{n:05},\n" for n in range(600)) + "same,077200001,\nlet through,077200002,\n,,x@y.am\n"
SECOND = HEADING + "again,+374 77 200001,\nnew,011223344,A@b.am\nmail,011223355,a@B.am\n"


def told(url: str, folder: Path) -> None:
    paths = [folder / "first.csv", folder / "second.csv"]
    for path, text in zip(paths, (FIRST, SECOND), strict=True):
        path.write_text(text, encoding="utf-8", newline="")
    site = told_by("tests.contacts.holding_site", url, folder, *paths, LOADIFY_HOLD_SECONDS="3")
    counts = [[report[name] for name in ("lines", "created", "held", "rejected")] for report in site["reports"]]
    assert counts == [[603, 600, 2, 1], [3, 1, 2, 0]]
    assert site["contacts"] == site["changes"] == 605
    assert site["close"] == []
    assert set(site["names"][-4:]) == {"new", "same", "again", "mail"}
    # “same” waits behind n1, and “again” behind “same”.
    assert site["names"].index("same") < site["names"].index("again")
    assert site["left"] == [0, 0]
    assert site["undo"] == "Undo needs PostgreSQL; this site runs on another database."


def test_sqlite_holds_contacts(tmp_path):
    told(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path)


@pytest.mark.slow
def test_mariadb_holds_contacts(mariadb_url, tmp_path):
    told(mariadb_url, tmp_path)
