"""Exports written by real workers: killed, shut down, paused and cancelled in the middle."""

import os
import signal
from functools import partial

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from importer import export_control, exports
from importer.control import Refused
from importer.models import Export
from importer.states import ExportState
from tests.importer.workers import Workers, wait_for

pytestmark = pytest.mark.slow

#: Enough for some seconds of work: rows of some 2 kB.
ROWS = 120_000
MAKE = """
INSERT INTO products_product (sku, sku_key, name, description, active, created_at, updated_at)
SELECT 's' || n, 's' || n, 'Name ' || n, repeat(md5(n::text), 60), true, now(), now() FROM generate_series(1, %s) n
"""


@pytest.fixture
def _rows(transactional_db) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MAKE, [ROWS])


def refreshed(export: Export) -> Export:
    export.refresh_from_db()
    return export


def in_the_middle(export: Export, told) -> int:
    """Wait until a worker has written a piece; the worker's process id."""
    exports.hint(export.pk)
    wait_for(lambda: refreshed(export).rows_done, 60, told)
    return int(export.worker.rsplit(":", 1)[1])


def reached(export: Export, state: ExportState) -> bool:
    return refreshed(export).state in (state, ExportState.DONE)


def pressed(verb, state: ExportState, told) -> Export:
    """An export at whose page a button was pressed in the middle; made anew when it was quicker."""
    for _ in range(6):
        export = export_control.request_export("products", None)
        in_the_middle(export, told)
        try:
            verb(export)
        except Refused:
            continue
        wait_for(partial(reached, export, state), 30, told)
        if export.state == state:
            return export
    raise AssertionError("The export was always quicker.")


def finish(export: Export, told) -> None:
    """Play the timetable until the export ends."""

    def ended() -> bool:
        exports.sweep()
        return refreshed(export).is_final

    wait_for(ended, 90, told)


def skus(export: Export) -> list[str]:
    with default_storage.open(export.path) as file:
        return [line.split(b",")[0].decode() for line in file][1:]


@pytest.mark.usefixtures("_rows")
def test_an_export_survives_what_happens_to_its_workers(tmp_path):
    expected = [f"s{number}" for number in range(1, ROWS + 1)]
    with Workers(tmp_path) as workers:
        # Killed by kill -9: the lease runs out, another process goes on behind the last piece.
        export = export_control.request_export("products", None)
        process = in_the_middle(export, workers.said)
        os.kill(process, signal.SIGKILL)
        assert refreshed(export).state == ExportState.WRITING
        finish(export, workers.said)
        assert (export.state, export.rows_done) == (ExportState.DONE, ROWS)
        assert export.attempt >= 2
        assert skus(export) == expected
        # Paused in the middle, the worker is free, and what it has stays.
        export = pressed(export_control.pause, ExportState.PAUSED, workers.said)
        assert 0 < export.rows_done <= ROWS
        export_control.resume(export)
        finish(export, workers.said)
        assert (export.state, export.rows_done, skus(export) == expected) == (ExportState.DONE, ROWS, True)
        # Cancelled in the middle, nothing stays.
        export = pressed(export_control.cancel, ExportState.CANCELLED, workers.said)
        wait_for(lambda: not default_storage.exists(exports.folder(export)), 10, workers.said)
        # A worker that is shut down gives the export back.
        export = export_control.request_export("products", None)
        in_the_middle(export, workers.said)
    wait_for(lambda: refreshed(export).state != ExportState.WRITING, 30, workers.said)
    # On a quick machine it may have been at its end.
    assert export.state in (ExportState.QUEUED, ExportState.DONE), export.error
    if export.state == ExportState.QUEUED:
        assert 0 < export.rows_done <= ROWS
        export_control.cancel(export)
