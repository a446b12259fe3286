"""Every dataset comes out the same on PostgreSQL, SQLite and MariaDB: dates, moments, decimals, layouts, the first row kept."""

from pathlib import Path
from typing import Any

import pytest

from tests.elsewhere import told_by
from tests.importer.datasets_site import told
from tests.site import ROOT

FILES = ROOT / "tests" / "files"
LAYOUTS = {"pickup": "pickup", "delivery-exceptions": "exceptions", "delivered": "delivered", "returned": "returned"}
PEOPLE = "name,email\nAnn,Ann@X.am\nAnna, ann@x.AM \nBen,ben@x.am\nNobody,\n" + "".join(
    f"P{number},p{number % 700}@x.am\n" for number in range(1_500)
)
AGAIN = "name,email\nSomebody else,ANN@x.am\nCleo,cleo@x.am\n"
STUDENTS = (
    "name,address,discipline,cgpa,date_recorded\nAnn,1 Road,Civil,7.5,31-12-2024\nann,2 Road,Civil,8,2024-12-31\n"
    'Ben,,,10,1/2/2024\nCleo,,,11,2024-01-01\nDan,,,5,30-02-2024\nEve,,,"3,25",2024-02-29\n'
)
CONTACTS = "Name,Phone Number,Email Address\nAnn,011223344,A@x.am\nBen,,b@x.am\nCleo,+374 77 112233,\n"


def wanted(folder: Path) -> list[str]:
    texts = {"people": PEOPLE, "again": AGAIN, "students": STUDENTS, "contacts": CONTACTS}
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    cards = [f"cards:{LAYOUTS[name]}:{FILES}/cards-{kind}/{name}.csv" for kind in ("partner", "drifted") for name in LAYOUTS]
    return [
        f"people::{folder}/people.csv",
        f"people::{folder}/again.csv",
        f"students::{folder}/students.csv",
        f"students::{FILES}/students.csv",
        f"contacts::{folder}/contacts.csv",
        *cards,
        cards[-1],
    ]


def elsewhere(url: str, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = told_by("tests.importer.datasets_site", url, folder, *wanted(folder))
    return found


@pytest.fixture
def here(transactional_db: None, tmp_path: Path) -> dict[str, Any]:
    """What PostgreSQL makes of the files."""
    found = told(*wanted(tmp_path))
    assert found["counts"][:5] == [
        ["done", 1504, 702, 0, 0, 801, 0, 1],
        ["done", 2, 1, 0, 1, 0, 0, 0],
        ["done", 6, 3, 0, 0, 1, 0, 2],
        ["done", 2, 2, 0, 0, 0, 0, 0],
        ["done", 3, 2, 0, 0, 0, 0, 1],
    ]
    # The last file was there before.
    assert found["counts"][-1] == ["done", 19, 0, 0, 19, 0, 0, 0]
    return found


def test_sqlite_takes_every_dataset_alike(here, tmp_path):
    assert elsewhere(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path) == here


@pytest.mark.slow
def test_mariadb_takes_every_dataset_alike(here, mariadb_url, tmp_path):
    assert elsewhere(mariadb_url, tmp_path) == here
