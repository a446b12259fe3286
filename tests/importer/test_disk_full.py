"""A database whose disk is full while a file is read: a sentence, nothing lost, and the import goes on when there is room."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from importer import control, runner, undo
from importer.models import DatasetLock, Import
from importer.states import State
from products.models import Product

LINES = 20_000
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


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can make a disk of its own.")
def test_a_disk_that_is_full_while_staging(small_disk, submit):
    run = submit(TEXT)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert run.error.startswith("The database has no room for this import: ")
    assert run.error.endswith("Make room and try again.")
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
