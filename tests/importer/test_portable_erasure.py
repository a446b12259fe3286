"""A person is erased, and old files are deleted, on databases other than PostgreSQL, in processes of their own."""

from pathlib import Path

import pytest

from tests.elsewhere import told_by

PEOPLE = "name,email\nAnn,ann@example.com\nBen,ben@example.com\nNobody,ann\n"
CONTACTS = (
    "Name,Phone Number,Email Address\nAnn,055123456,ann@example.com\nAgain,055 12 34 56,other@example.com\n"
    "Ben,055654321,ben@example.com\nAnn,,ann@example.com\n"
)
OTHERS = "name,email\nBen,ben@example.com\nCarl,\n"


def told(url: str, folder: Path) -> None:
    paths = [folder / "people.csv", folder / "contacts.csv", folder / "others.csv"]
    for path, text in zip(paths, (PEOPLE, CONTACTS, OTHERS), strict=True):
        path.write_text(text, encoding="utf-8", newline="")
    site = told_by("tests.importer.erasing_site", url, folder, *paths)
    first = {"People": 1, "Contacts": 1, "Changes of people": 2, "Changes of contacts": 1, "Rejected lines of contacts": 1}
    first |= {"Imports that keep what they have read": 1, "Notes of imports": 1}
    assert site["seen"] == first
    # The line that was held has the same phone, and another address.
    assert site["counts"] == [first | {"Files": 2}, {"Held contacts": 1}, {}]
    assert site["again"] == [True, 2]
    assert (site["people"], site["contacts"]) == (["ben@example.com"], ["Ben"])
    assert site["held"] == [["discarded", {}]]
    assert site["rejects"] == [[4, 2], [5, 0], [3, 2]]
    assert (site["changes"], site["staged"]) == (1, 0)
    assert (site["files"], site["names"]) == ([True], ["erased", "erased", "others.csv"])
    assert (site["retired"], site["left"]) == (1, 0)


def test_sqlite_erases_a_person(tmp_path):
    told(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path)


@pytest.mark.slow
def test_mariadb_erases_a_person(mariadb_url, tmp_path):
    told(mariadb_url, tmp_path)
