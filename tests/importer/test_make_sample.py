"""The command that writes sample files."""

import csv
import errno
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from django.core.management import CommandError, call_command
from xlsxwriter.exceptions import FileCreateError

from importer.management.commands import make_sample
from importer.values import fold
from products.samples import _WORDS

ROWS = 5_000


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """The heading and the records of a sample, read back."""
    path = tmp_path_factory.mktemp("sample") / "products.csv"
    make(path)
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, strict=True))


def make(path: Path, rows: int = ROWS, **options: int | bool) -> bytes:
    call_command("make_sample", "products", rows, path, **options, stdout=io.StringIO())
    return path.read_bytes()


def test_sample_has_a_heading_and_the_records_asked_for(records: list[list[str]]) -> None:
    assert records[0] == ["name", "sku", "description"]
    assert len(records) == 1 + ROWS
    assert {len(record) for record in records} == {3}


def test_sample_repeats_one_sku_in_fifteen_in_other_case(records: list[list[str]]) -> None:
    skus = [record[1] for record in records[1:]]
    again = [number for number, sku in enumerate(skus) if sku != sku.lower()]
    assert len({fold(sku) for sku in skus}) == ROWS - ROWS // 15
    assert len(again) == ROWS // 15
    for number in again:
        assert fold(skus[number]) in skus[:number]
    # Spread over the file: every tenth of it has its share.
    assert {number * 10 // ROWS for number in again} == set(range(10))


def test_skus_are_two_to_four_words(records: list[list[str]]) -> None:
    assert {sku.count("-") for _, sku, _ in records[1:]} == {1, 2, 3}
    assert len(set(_WORDS)) == len(_WORDS), "a word that stands twice makes two numbers one SKU"


def test_descriptions_hold_what_breaks_naive_readers(records: list[list[str]]) -> None:
    texts = [description for _, _, description in records[1:]]
    assert min(map(len, texts)) >= 100
    assert max(map(len, texts)) <= 200
    for mark, share in (("\n", 0.4), (",", 0.3), ('"', 0.05)):
        assert sum(mark in text for text in texts) > share * ROWS, f"too few descriptions with {mark!r}"


def test_same_seed_makes_the_same_file(tmp_path: Path) -> None:
    first, again, other = (make(tmp_path / f"{n}.csv", 1_000, seed=seed) for n, seed in enumerate((7, 7, 8)))
    assert first == again
    assert first != other


def test_file_of_seed_1_is_the_same_on_every_python(tmp_path: Path) -> None:
    digest = hashlib.sha256(make(tmp_path / "a.csv", 1_000, seed=1)).hexdigest()
    assert digest == "faaff08c6561a3723954e71f0d0f5d288f417fe98ce22e76f4a4ebca4a17fa03"


@pytest.mark.parametrize("rows", [1, 10, 14, 15, 16])
def test_small_files_have_their_rows(tmp_path: Path, rows: int) -> None:
    make(tmp_path / "a.csv", rows)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.reader(stream))) == 1 + rows


def test_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(CommandError, match=r"a\.csv is there already; add --force to replace it\."):
        make(path)
    assert path.read_text() == "mine"
    assert make(path, 10, force=True).startswith(b"name,sku,description\n")


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no dataset called “sweets”; there are: .*products"):
        call_command("make_sample", "sweets", 10, tmp_path / "a.csv")
    with pytest.raises(CommandError, match="0 is not a number of records"):
        call_command("make_sample", "products", 0, tmp_path / "a.csv")
    with pytest.raises(CommandError, match=r"cannot be written: No such file or directory\."):
        call_command("make_sample", "products", 10, tmp_path / "nowhere" / "a.csv")


@pytest.mark.parametrize(("name", "wrapped"), [("a.csv", False), ("a.xlsx", False), ("a.xlsx", True)])
def test_a_disk_without_room_is_told_and_no_half_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrapped: bool
) -> None:
    def half(records: Iterator[list[str]], stream: IO[bytes]) -> None:
        stream.write(b"half")
        full = OSError(errno.ENOSPC, "No space left on device")
        # So does XlsxWriter when it ends a workbook.
        raise FileCreateError(full) if wrapped else full

    monkeypatch.setattr(make_sample, "write_csv", half)
    monkeypatch.setattr(make_sample, "write_workbook", half)
    with pytest.raises(CommandError, match=rf"{name} cannot be written: No space left on device\."):
        make(tmp_path / name, 10)
    assert not (tmp_path / name).exists()
