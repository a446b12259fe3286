"""Cards on databases other than PostgreSQL, in processes of their own: the same events, the same answers."""

from pathlib import Path

from tests.elsewhere import told_by


def told(url: str, folder: Path) -> None:
    assert told_by("tests.cards.portable_site", url, folder) == {
        "counts": [[20, 0], [20, 0], [20, 0], [19, 0], [0, 20], [0, 20], [0, 20], [0, 19]],
        "found": [
            ["ZYW8890", 1, "2023-11-23T10:00:00+00:00", ["534534534"], 8, 7],
            ["ZYW8891", 3, "2023-11-16T14:00:00+00:00", ["0534534535"], 1, 0],
        ],
        "lines": [21, 20, 18],
    }


def test_cards_on_sqlite(tmp_path: Path) -> None:
    told(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path)


def test_cards_on_mariadb(mariadb_url: str, tmp_path: Path) -> None:
    told(mariadb_url, tmp_path)
