"""Exports on PostgreSQL: what stands in the file, which rows, and how an export is stopped and goes on."""

import csv
import io
import os
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, product
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from cards.models import CardEvent
from importer import datasets, export_control, export_rows, exports
from importer.control import Refused
from importer.export_rows import ExportRows
from importer.mended import as_it_was, escaped
from importer.models import Export, Import
from importer.states import EXPORT_MOVES, ExportState, export_sources
from importer.values import BadFile
from pages.spreadsheets import BLANKS
from products.models import Product
from students.models import StudentAnswer

State, Wanted = ExportState, Import.Wanted


@pytest.fixture(autouse=True)
def _storage(submit):
    """Files go into the test's own folder."""


def requested(dataset: str = "products", **chosen) -> Export:
    return export_control.request_export(dataset, None, **chosen)


def written(dataset: str = "products", **chosen) -> Export:
    export = requested(dataset, **chosen)
    exports.run(export.pk)
    export.refresh_from_db()
    return export


def content(export: Export) -> bytes:
    assert (export.state, export.error) == (State.DONE, "")
    with default_storage.open(export.path) as file:
        return file.read()


def cells(export: Export) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content(export).decode("utf-8-sig"), newline="")))


def names(export: Export) -> list[str]:
    """What is in storage of an export."""
    try:
        return sorted(default_storage.listdir(exports.folder(export))[1])
    except FileNotFoundError:
        return []


def make(rows: int, first: int = 1) -> None:
    Product.objects.bulk_create(
        [Product(sku=f"s{number:05}", sku_key=f"s{number:05}", name=f"Name {number}") for number in range(first, first + rows)]
    )


def test_export_writes_what_a_spreadsheet_would_run_behind_an_apostrophe():
    Product.objects.create(sku="b", name="=1+1", description="two\nlines", active=False)
    Product.objects.create(sku="A", name="'=1+1", description=" -x", active=True)
    Product.objects.create(sku="-12", name="é😀", description="")
    export = written()
    assert content(export).decode() == (
        "\ufeffsku,name,description,active\r\nb,'=1+1,\"two\nlines\",false\r\nA,''=1+1,' -x,true\r\n-12,é😀,,true\r\n"
    )
    assert (export.rows_done, export.rows_total, export.bytes) == (3, 3, len(content(export)))
    assert names(export) == ["1.csv"]


def test_formulas_are_left_as_they_are_when_that_is_wanted():
    Product.objects.create(sku="b", name="=1+1", description="'=1+1")
    assert content(written(escape=False)).decode() == "sku,name,description,active\r\nb,=1+1,'=1+1,true\r\n"


#: Beginnings and ends that decide whether a cell is a formula or a number, for both writers to agree upon.
ODD = [
    "".join(parts)
    for parts in product(
        ["", "'", "''", " ", "\t", "\r", "\n", "\u00a0", "\u3000'", "'\x1c"],
        ["", "=", "+", "-", "@", "\uff1d", "\uff0d"],
        ["", "1", "1.5", "٣", "1e5 ", "x\ny", 'say "hi"', "1,2", "\\.", "'"],
    )
]


def test_postgresql_and_python_write_the_same_bytes():
    texts = [*ODD, *(f"{blank}=1" for blank in BLANKS), "NULL", "\\N", '"', '""\n""', "a\r\nb"]
    cycled = cycle(texts)
    Product.objects.bulk_create(
        [
            Product(sku=f"s{number}", sku_key=f"s{number}", name=next(cycled), description=text, active=number % 2 == 0)
            for number, text in enumerate(texts)
        ]
    )
    for number, at in enumerate([datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, 5, 120, tzinfo=UTC)]):
        CardEvent.objects.create(card_id="C", stage=1, at=at, event_key=str(number), comment="-x")
    StudentAnswer.objects.create(name="Ada", cgpa="3.50", date_recorded=date(999, 12, 31), answer_key="a")
    for name, escape in product(("products", "cards", "students", "contacts"), (True, False)):
        rows = ExportRows(datasets.get(name), None, None, escape)
        by_server, by_python = io.BytesIO(), io.BytesIO()
        extent = rows.extent()
        assert rows.write(extent.first - 1, extent.last, by_server) == extent.rows
        assert sum(export_rows._write(piece, by_python) for piece in rows._pieces(rows.rows().order_by("pk"))) == extent.rows
        assert by_server.getvalue() == by_python.getvalue()


def test_the_way_back_from_an_apostrophe_is_the_only_one():
    assert [as_it_was(escaped(text)) for text in ODD] == ODD
    assert len({escaped(text) for text in ODD}) == len(set(ODD))


def test_line_ends_inside_of_quotation_marks_stay_wherever_a_block_ends():
    text = b'a,"x\n""y""\n"\n,"""\n"\nb,c\n'
    for size in range(1, len(text) + 1):
        out = io.BytesIO()
        lines = export_rows._Lines(out)
        for at in range(0, len(text), size):
            assert lines.write(memoryview(text)[at : at + size]) == len(text[at : at + size])
        assert out.getvalue() == b'a,"x\n""y""\n"\r\n,"""\n"\r\nb,c\r\n'


def test_both_days_are_included_in_the_time_zone_of_the_site(settings):
    settings.TIME_ZONE = "Asia/Dubai"
    for name, at in [
        ("before", datetime(2024, 1, 31, 19, 59, 59, 999999, UTC)),
        ("first", datetime(2024, 1, 31, 20, 0, tzinfo=UTC)),
        ("last", datetime(2024, 2, 2, 19, 59, 59, 999999, UTC)),
        ("after", datetime(2024, 2, 2, 20, 0, tzinfo=UTC)),
    ]:
        Product.objects.create(sku=name, name=name, created_at=at)
    days = {"since": date(2024, 2, 1), "until": date(2024, 2, 2)}
    assert [row[0] for row in cells(written(**days))] == ["sku", "first", "last"]
    assert [row[0] for row in cells(written(since=days["since"]))] == ["sku", "first", "last", "after"]
    assert [row[0] for row in cells(written(until=days["until"]))] == ["sku", "before", "first", "last"]


def test_the_first_and_the_last_day_of_the_calendar_are_no_limit(settings):
    settings.TIME_ZONE = "Asia/Dubai"
    Product.objects.create(sku="a", name="One")
    assert [row[0] for row in cells(written(since=date.min, until=date.max))] == ["sku", "a"]


def test_a_dataset_with_days_of_its_own_goes_by_them():
    for day in (1, 2, 3, 4):
        StudentAnswer.objects.create(name=f"n{day}", cgpa="3.5", date_recorded=date(2024, 3, day), answer_key=str(day))
    found = cells(written("students", since=date(2024, 3, 2), until=date(2024, 3, 3)))
    assert found[0] == ["name", "address", "discipline", "cgpa", "date_recorded"]
    assert found[1:] == [["n2", "", "", "3.50", "2024-03-02"], ["n3", "", "", "3.50", "2024-03-03"]]
    with pytest.raises(BadFile, match="The last day, 2024-03-02, is before the first, 2024-03-03."):
        requested("students", since=date(2024, 3, 3), until=date(2024, 3, 2))


def test_an_export_without_rows_is_its_heading():
    assert content(written()).decode() == "\ufeffsku,name,description,active\r\n"


def test_every_row_that_was_there_all_the_time_is_in_the_file_once(monkeypatch):
    monkeypatch.setattr(exports, "SPAN", 1_000)
    make(3_500)
    export = requested()
    pieces = []

    def meanwhile(self, rows, span):
        # A row that is changed comes once, one that goes is not missed, one that comes is not waited for.
        with connection.cursor() as cursor:
            cursor.execute("UPDATE products_product SET updated_at = now(), name = name || '!'")
            cursor.execute("DELETE FROM products_product WHERE sku_key = 's03000'")
        make(1, first=9_000 + len(pieces))
        pieces.append(span)
        return original(self, rows, span) and 1_000

    original = exports.Writing._piece
    monkeypatch.setattr(exports.Writing, "_piece", meanwhile)
    exports.run(export.pk)
    export.refresh_from_db()
    found = [row[0] for row in cells(export)[1:]]
    assert found == [f"s{number:05}" for number in range(1, 3_501) if number != 3_000]
    assert len(pieces) == 4
    assert (export.rows_done, export.rows_total) == (3_499, 3_499)


def interrupted(export: Export, monkeypatch, after: int, how) -> None:
    """Run an export in pieces of 1,000 ids; `how` is called before the piece that follows `after` of them."""
    original = exports.Writing._piece
    seen = []

    def piece(self, rows, span):
        if len(seen) == after:
            how(self)
        seen.append(span)
        return original(self, rows, 1_000) and 1_000

    monkeypatch.setattr(exports.Writing, "_piece", piece)
    exports.run(export.pk)
    monkeypatch.setattr(exports.Writing, "_piece", original)
    export.refresh_from_db()


def heard(verb):
    """Presses a button, and lets the heart look at it."""

    def press(writing) -> None:
        verb(Export.objects.get(pk=writing.export.pk))
        writing.heart._once()

    return press


def test_a_paused_export_goes_on_behind_the_rows_that_it_has(monkeypatch):
    make(3_500)
    expected = content(written())
    export = requested()
    interrupted(export, monkeypatch, 2, heard(export_control.pause))
    assert (export.state, export.rows_done, export.rows_total, export.wanted) == (State.PAUSED, 2_000, 3_500, "")
    assert names(export) == ["1-1", "1-2"]
    exports.sweep()
    exports.run(export.pk)
    export.refresh_from_db()
    assert export.state == State.PAUSED
    export_control.resume(export)
    assert export.state == State.QUEUED
    exports.run(export.pk)
    export.refresh_from_db()
    assert content(export) == expected
    assert names(export) == ["2.csv"]


def test_a_cancelled_export_leaves_nothing(monkeypatch):
    make(1_500)
    export = requested()
    interrupted(export, monkeypatch, 1, heard(export_control.cancel))
    assert (export.state, names(export), export.path) == (State.CANCELLED, [], "")
    assert export.finished_at is not None
    export_control.cancel(export)
    with pytest.raises(Refused, match="There is nothing to pause: the export is cancelled."):
        export_control.pause(export)
    with pytest.raises(Refused, match="There is nothing to resume: the export is cancelled."):
        export_control.resume(export)


def test_buttons_of_an_export_that_nobody_has_act_at_once():
    export = requested()
    export_control.pause(export)
    assert export.state == State.PAUSED
    exports.run(export.pk)
    export.refresh_from_db()
    assert export.state == State.PAUSED
    export_control.cancel(export)
    assert export.state == State.CANCELLED
    done = written()
    for verb in (export_control.pause, export_control.resume, export_control.cancel):
        with pytest.raises(Refused, match="the export is done"):
            verb(done)


def test_a_pause_that_is_pressed_at_the_last_moment_counts(monkeypatch):
    make(10)
    export = requested()
    save = FileSystemStorage.save

    def pressed(self, name, file):
        path = save(self, name, file)
        if name.endswith(".csv"):
            export_control.pause(Export.objects.get(pk=export.pk))
        return path

    monkeypatch.setattr(FileSystemStorage, "save", pressed)
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.path) == (State.PAUSED, "")
    monkeypatch.setattr(FileSystemStorage, "save", save)
    export_control.resume(export)
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, names(export)) == (State.DONE, ["2.csv"])


def test_a_worker_that_was_taken_for_dead_writes_nothing_more(monkeypatch):
    make(2_500)
    export = requested()

    def overtaken(writing) -> None:
        Export.objects.filter(pk=export.pk).update(lease_until=Now() - timedelta(seconds=1))
        exports.sweep()
        monkeypatch.setattr(exports.Writing, "_piece", original)
        exports.run(export.pk)

    original = exports.Writing._piece
    interrupted(export, monkeypatch, 1, overtaken)
    assert (export.state, export.attempt, export.rows_done) == (State.DONE, 2, 2_500)
    assert len(cells(export)) == 2_501
    # The piece that the first one still wrote is left over, until the timetable comes.
    assert names(export) == ["1-2", "2.csv"]
    exports.expire()
    assert names(export) == ["2.csv"]
    assert export.path.endswith("/2.csv")


def test_what_is_left_of_an_ended_export_goes_and_what_is_needed_stays(monkeypatch):
    make(1_500)
    done, cancelled, erased, paused = (requested() for _ in range(4))
    interrupted(paused, monkeypatch, 1, heard(export_control.pause))
    for export in (done, erased):
        exports.run(export.pk)
    export_control.cancel(cancelled)
    Export.objects.filter(pk=erased.pk).update(path="")
    for export in (done, cancelled, erased):
        # A worker that was frozen wakes up.
        default_storage.save(f"{exports.folder(export)}/1-9", ContentFile(b"ann@example.com"))
    default_storage.save("exports/other/file", ContentFile(b"x"))
    exports.expire()
    assert [names(export) for export in (done, cancelled, erased, paused)] == [["1.csv"], [], [], ["1-1"]]
    assert default_storage.exists("exports/other/file")


def test_an_export_that_nobody_resumes_is_cancelled_when_its_days_are_over(monkeypatch):
    make(1_500)
    forgotten, young = requested(), requested()
    for export in (forgotten, young):
        interrupted(export, monkeypatch, 1, heard(export_control.pause))
    Export.objects.filter(pk=forgotten.pk).update(queued_at=timezone.now() - timedelta(days=7, seconds=1))
    exports.expire()
    for export in (forgotten, young):
        export.refresh_from_db()
    assert (forgotten.state, names(forgotten)) == (State.CANCELLED, [])
    assert forgotten.finished_at is not None
    assert (young.state, names(young)) == (State.PAUSED, ["1-1"])


def test_a_file_that_storage_keeps_hold_of_does_not_keep_the_others(monkeypatch):
    stuck, other = written(), written()
    Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    delete = FileSystemStorage.delete

    def refuse(self, name):
        if stuck.public_id.hex in name:
            raise OSError("the disk is read-only")
        delete(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "delete", refuse)
        exports.expire()
    assert [names(export) for export in (stuck, other)] == [["1.csv"], []]
    assert list(Export.objects.exclude(path="")) == [stuck]
    exports.expire()
    assert (names(stuck), Export.objects.exclude(path="").exists()) == ([], False)


def test_a_lease_that_has_run_out_ends_the_attempt(monkeypatch):
    make(1_500)
    export = requested()
    late = Now() - timedelta(seconds=1)
    interrupted(export, monkeypatch, 1, lambda writing: Export.objects.filter(pk=export.pk).update(lease_until=late))
    assert (export.state, export.rows_done) == (State.WRITING, 1_000)
    exports.sweep()
    export.refresh_from_db()
    assert export.state == State.QUEUED
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.rows_done) == (State.DONE, 1_500)


def test_an_export_at_which_workers_die_ends():
    export = requested()
    for attempt in range(1, exports.DEATHS + 1):
        assert exports.claim(export.pk).attempt == attempt
        assert exports.claim(export.pk) is None
        Export.objects.filter(pk=export.pk).update(lease_until=Now() - timedelta(seconds=1))
        exports.sweep()
    export.refresh_from_db()
    assert export.state == State.FAILED
    assert export.error == "5 workers died, or lost the database, one after the other at one place; their logs say why."


def test_a_wish_of_which_a_dead_worker_did_not_hear_is_fulfilled():
    for verb, state in ((export_control.pause, State.PAUSED), (export_control.cancel, State.CANCELLED)):
        export = exports.claim(requested().pk)
        verb(export)
        assert export.state == State.WRITING
        Export.objects.filter(pk=export.pk).update(lease_until=Now() - timedelta(seconds=1))
        exports.sweep()
        export.refresh_from_db()
        assert (export.state, export.wanted) == (state, "")


def test_a_dataset_that_was_taken_out_ends_the_export_with_a_sentence():
    export = requested()
    Export.objects.filter(pk=export.pk).update(dataset="gone")
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.error) == (State.FAILED, "This site does not know the dataset “gone” any more.")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 100 kB."""
    folder = Path(tempfile.mkdtemp())
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k,mode=0700", "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can make a disk of its own.")
@pytest.mark.parametrize(
    ("full", "format"), [("storage", Export.Format.CSV), ("storage", Export.Format.XLSX), ("elsewhere", Export.Format.XLSX)]
)
def test_a_full_disk_is_told_and_nothing_is_left_on_it(settings, monkeypatch, small_disk, full, format):
    make(20_000)
    if full == "storage":
        where = {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": small_disk}}
        settings.STORAGES = {**settings.STORAGES, "default": where}
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    export = written(format=format)
    assert (export.state, export.error) == (
        State.FAILED,
        "There is no room on the disk for this export. Make room and try again.",
    )
    assert names(export) == []
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_file_whose_days_are_over_is_deleted():
    export, young = written(), written()
    assert export.expires_at - export.finished_at == timedelta(days=7)
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    exports.expire()
    export.refresh_from_db()
    assert (export.path, names(export), export.state) == ("", [], State.DONE)
    assert names(young) == ["1.csv"]


def test_every_move_of_an_export_is_in_the_table():
    assert export_sources(State.DONE) == {State.WRITING}
    assert export_sources(State.QUEUED) == {State.WRITING, State.PAUSED}
    export = written()
    for state in State:
        assert exports.move(Export.objects.filter(pk=export.pk), state) == 0
    assert {state for state in State if not EXPORT_MOVES[state]} == {State.DONE, State.FAILED, State.CANCELLED}


def test_statement_that_is_cancelled_is_told_as_django_tells_it():
    # By what the heart cancels for, an export knows whether it was asked to stop.
    make(20_000)
    rows = ExportRows(datasets.get("products"), None, None, True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1")
        with pytest.raises(OperationalError, match="statement timeout"), transaction.atomic():
            rows.write(0, 2_000_000, io.BytesIO())
