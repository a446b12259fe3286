"""What there is to say about an export at this moment: percent, speed, time left, and its file."""

import time
from dataclasses import dataclass

from django.utils import timezone

from importer import datasets
from importer.models import Export, Import
from importer.states import ExportState
from importer.values import BadFile

#: The part of the bar in which rows are read, where a workbook is made of them afterwards.
READING = 0.3
#: Seconds of work before a guess at speed and time left is worth saying.
GUESS_FROM = 1.0
_ASKED = {Import.Wanted.PAUSE: "Pausing", Import.Wanted.CANCEL: "Cancelling"}


@dataclass(frozen=True)
class ExportProgress:
    """An export and what follows from its row. Times are in seconds, `percent` is 0 to 100."""

    export: Export

    @property
    def title(self) -> str:
        """What is exported, as people call it."""
        try:
            return datasets.of_old(self.export.dataset).title
        except BadFile:
            return self.export.dataset

    @property
    def name(self) -> str:
        """What the file is called: “products-2024-01-01-2024-12-31.csv”."""
        export = self.export
        days = [f"{day:%Y-%m-%d}" if day else word for day, word in ((export.since, "start"), (export.until, "end"))]
        return f"{'-'.join([export.dataset, *(days if export.since or export.until else ['all'])])}.{export.format}"

    @property
    def words(self) -> str:
        asked = _ASKED.get(Import.Wanted(self.export.wanted), "") if self.is_writing else ""
        return asked or str(ExportState(self.export.state).label)

    @property
    def is_writing(self) -> bool:
        return self.export.state == ExportState.WRITING

    @property
    def is_packing(self) -> bool:
        """All rows are read, and become a workbook."""
        return self.is_writing and self.export.format == Export.Format.XLSX and self.export.rows_packed > 0

    @property
    def percent(self) -> float:
        export = self.export
        if export.state == ExportState.DONE:
            return 100.0
        if not export.rows_total:
            return 0.0
        share = export.rows_done / export.rows_total
        if export.format == Export.Format.XLSX:
            share = READING * share + (1 - READING) * export.rows_packed / export.rows_total
        # Rows may come while it is written.
        return min(100 * share, 99.9)

    @property
    def rate(self) -> float | None:
        """Rows per second since this worker took it up; at the end, over all the time it took."""
        export = self.export
        if export.state == ExportState.DONE:
            return export.rows_done / self.elapsed if self.elapsed else None
        worked = self._worked
        if not self.is_writing or worked is None:
            return None
        return (export.rows_packed if self.is_packing else export.rows_done - export.checkpoint["had"]) / worked

    @property
    def seconds_left(self) -> float | None:
        export, worked = self.export, self._worked
        had = export.checkpoint.get("had", 0) / export.rows_total if export.rows_total else 0.0
        gained = self.percent / 100 - had * (READING if export.format == Export.Format.XLSX else 1)
        if not self.is_writing or worked is None or gained < 0.05:
            return None
        return worked / gained * (1 - self.percent / 100)

    @property
    def elapsed(self) -> float | None:
        export = self.export
        if export.started_at is None:
            return None
        return ((export.finished_at or timezone.now()) - export.started_at).total_seconds()

    @property
    def _worked(self) -> float | None:
        began = self.export.checkpoint.get("began")
        worked = time.time() - began if began else 0.0
        return worked if worked >= GUESS_FROM else None
