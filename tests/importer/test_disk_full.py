"""A database whose disk is full: a sentence, nothing lost or doubled, and the import goes on when there is room."""

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import connection

from importer import control, lanes, runner, undo
from importer.models import DatasetLock, Import
from importer.options import Options
from importer.states import State
from products.models import Product
from tests.importer.conftest import query

LINES = 20_000
LAND = Options(unasked=True)
TEXT = "sku,name,description\n" + "".join(f"s{number},Name,{'x' * 300}\n" for number in range(LINES))


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def small_disk(transactional_db: None) -> Iterator[Path]:
    """A disk of 4 MB on which this connection makes its tables; the server's log of changes lies elsewhere."""
    folder = Path(tempfile.mkdtemp())
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        sql("SET default_tablespace = small")
        yield folder
        for pk in Import.objects.values_list("pk", flat=True):
            sql(f"DROP TABLE IF EXISTS {undo.changes_table(pk)}")
            runner.work_tables.drop(pk)
        sql("SET default_tablespace = ''")
        # Search indexes that the import built again.
        sql("ALTER INDEX ALL IN TABLESPACE small SET TABLESPACE pg_default")
        sql("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def move_products(tablespace: str) -> None:
    sql(f"ALTER TABLE products_product SET TABLESPACE {tablespace}")
    for (name,) in query("SELECT indexname FROM pg_indexes WHERE tablename = 'products_product'"):
        sql(f"ALTER INDEX {name} SET TABLESPACE {tablespace}")


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No room on the disk while the block runs."""
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        (folder / "ballast").unlink()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="Only root can make a disk of its own.")


@needs_root
def test_a_disk_that_is_full_while_writing_and_while_undoing(small_disk, submit, load, monkeypatch):
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    for module in (lanes, runner):
        monkeypatch.setattr(module, "BUCKET", 5_000)
    count = 15_000
    load("sku,name,description\n" + "".join(f"s{number},Old,\n" for number in range(count)))
    before = list(Product.objects.order_by("pk").values_list())
    run = submit("sku,name,description\n" + "".join(f"s{number},New name,\n" for number in range(count)), options=LAND)
    move_products("small")
    try:
        original = runner.Runner._apply_bucket

        def on_a_full_disk(self: runner.Runner, lane: str) -> bool:
            # Each of the two lanes has two buckets, and has written one.
            if not self.run.checkpoint["lanes"][lane][0]:
                return original(self, lane)
            with brim:
                if not (small_disk / "ballast").exists():
                    stack.enter_context(full(small_disk))
            return original(self, lane)

        brim = threading.Lock()
        with ExitStack() as stack, monkeypatch.context() as patch:
            patch.setattr(runner.Runner, "_apply_bucket", on_a_full_disk)
            runner.run(run.pk)
        run.refresh_from_db()
        assert (run.state, run.checkpoint["phase"]) == (State.FAILED, State.APPLYING)
        assert run.error.startswith("The database has no room for this import: ")
        assert 0 < run.updated < count
        assert Product.objects.filter(name="New name").count() == run.updated
        control.retry(run, None)
        runner.run(run.pk)
        run.refresh_from_db()
        assert (run.state, run.error, run.updated) == (State.DONE, "", count)
        # Dead rows would leave room for what comes.
        sql("VACUUM FULL products_product")

        control.undo(run, None)
        with full(small_disk):
            runner.run(run.pk)
        run.refresh_from_db()
        assert (run.state, run.checkpoint["phase"]) == (State.FAILED, State.UNDOING)
        control.retry(run, None)
        runner.run(run.pk)
        run.refresh_from_db()
        assert (run.state, run.error, run.undo["restored"]) == (State.UNDONE, "", count)
        assert list(Product.objects.order_by("pk").values_list()) == before
    finally:
        move_products("pg_default")


@needs_root
def test_a_disk_that_is_full_while_staging(small_disk, submit):
    run = submit(TEXT)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert run.error.startswith("The database has no room for this import: ")
    assert run.error.endswith(": No space left on device. Make room and try again.")
    assert 0 < run.lines < LINES
    assert not Product.objects.exists()
    assert not DatasetLock.objects.exclude(run=None).exists()
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    read = run.lines
    control.retry(run, None)
    assert run.lines == read, "it goes on where it stopped"
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error, run.lines, run.created) == (State.DONE, "", LINES, LINES)
    assert Product.objects.count() == LINES
