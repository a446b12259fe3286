"""The first phase: reads the file, cleans its rows, and COPYs them into the import's staging table, batch by batch."""

from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from django.core.files.storage import default_storage

from importer import mended, review
from importer.ahead import ahead, apart, without_collecting
from importer.attempt import Attempt, Step
from importer.datasets import Dataset
from importer.exported import is_escaped, is_marked
from importer.intake import uploads
from importer.loaders.choice import loader_for
from importer.mapping import numbered
from importer.models import Import, Reject, StoredFile
from importer.options import Options
from importer.readers.formats import Format, Rows, open_rows, sniff
from importer.rows import MOST_CELLS, Cleaned, Cleaning, Rejected
from importer.storage.parts import interrupt
from importer.values import BadFile, storable, without_quotes

#: Records a step stages; 1,000 cost 25–40 % more, 20,000 gain 10–15 % but hold the page's news back (measured).
CHUNK = 5_000
#: Cells of a heading that are kept, to stand above its rejects.
MOST_HEADINGS = 2_000
#: A file that begins with so many rejected lines is taken for a wrong one.
HOPELESS = 1_000


class Staging:
    """One attempt at staging an import; every batch is a step, so the next attempt goes on behind the last batch."""

    def __init__(self, attempt: Attempt, dataset: Dataset, options: Options) -> None:
        self.attempt = attempt
        self.run = attempt.run
        self.dataset = dataset
        self.options = options

    def go(self) -> None:
        """Stage what is left of the file. Raises BadFile when it is gone, is another one by now, or has too many rejects."""
        stored = self.run.file
        if stored is None:
            raise BadFile("The file is not in storage any more; upload it again.")
        uploads.check_there(stored)
        # Of an import that was stopped by this, and is tried again, or whose worker died before it could say so.
        self._check_rejects()
        with default_storage.open(stored.path) as file:
            # A place in a file means nothing in another one.
            uploads.check_size(stored, file)
            if "resume" in self.run.checkpoint:
                uploads.check_digest(stored, file, self.attempt.heart.check)
            marked = is_marked(file)
            reader, how = self._open(stored, file)
            if "places" not in self.run.checkpoint:
                self._begin(stored, reader, how, marked)

            def close() -> None:
                interrupt(file)
                reader.close()

            with without_collecting(), ahead(self._encoded(reader, how), self.attempt.heart.check, close) as batches:
                for batch, rows in batches:
                    self._batch(batch, rows)
                    self._check_rejects()
            uploads.check_size(stored, file)
        if not self.run.lines:
            raise BadFile("The file has a heading line and nothing else.")

    def _open(self, stored: StoredFile, file: IO[bytes]) -> tuple[Rows, Format]:
        known = self.options.format or self.run.checkpoint.get("format")
        how = Format(**known) if known else sniff(file, stored.name)
        return open_rows(file, how), how

    def _begin(self, stored: StoredFile, reader: Rows, how: Format, marked: bool) -> None:
        """Find out where each column stands, and make the staging table for those that are there."""
        # A large workbook is read for a while before it tells its first row.
        heading, resume = apart(partial(_heading, reader, how), self.attempt.heart.check, reader.close)
        places = dict(self.options.places) or self._match(heading)
        # In the order in which rows are cleaned; that of `places` is anybody's.
        names = self.dataset.names(places)
        with self.attempt.step(step_done=0, step_total=stored.size) as step:
            self._loader(names).make_stage()
            step.checkpoint |= {"places": places, "width": len(heading), "resume": resume}
            step.checkpoint["format"] = how.as_json()
            chosen = self.options.escaped
            step.checkpoint["exported"] = is_escaped(self.dataset, stored.sha256, marked, heading) if chosen is None else chosen
            step.checkpoint["heading"] = heading[:MOST_HEADINGS] if how.heading else []

    def _loader(self, names: list[str] | None = None) -> Any:
        """Brings the rows where they belong; `names` are the columns of a file whose heading was read just now."""
        return review.loader_of(self.run) if names is None else loader_for(self.dataset, self.run.pk, names)

    def _match(self, heading: list[str]) -> dict[str, int]:
        """The place of each column by its name. Raises BadHeading."""
        skip = mended.added(heading)
        return {name: place + skip for name, place in self.dataset.match(heading[skip:]).items()}

    def _encoded(self, reader: Rows, how: Format) -> Iterator[tuple[Cleaned, Any]]:
        """Cleaned batches, and the same as the loader takes them."""
        checkpoint = self.run.checkpoint
        mend = mended.way_back(checkpoint.get("heading", ()), checkpoint.get("exported", False))
        cleaning = Cleaning(
            self.dataset, checkpoint["places"], checkpoint["width"], self.options.blank, how.encoding_name, mend
        )
        cleaned = map(cleaning.clean, reader.batches(checkpoint["resume"], CHUNK))
        encode = self._loader().encode
        return ((batch, encode(batch)) for batch in cleaned)

    def _batch(self, batch: Cleaned, rows: Any) -> None:
        with self.attempt.step(step_done=batch.done) as step:
            self._loader().copy(rows)
            self._note(step, batch)

    def _note(self, step: Step, batch: Cleaned) -> None:
        """Count a batch that is where it belongs, and say where the next one begins."""
        Reject.objects.bulk_create(_reject(self.run, rejected) for rejected in batch.rejected)
        step.add |= {"lines": batch.read, "rejected": len(batch.rejected)}
        step.checkpoint["resume"] = batch.resume
        if self.run.lines == self.run.rejected:
            step.checkpoint["bad_at_start"] = self.run.rejected + _bad_at_start(batch)

    def _check_rejects(self) -> None:
        """Raises BadFile when more lines are rejected than were allowed, or so many before the first good one."""
        most, lines, rejected = self.options.most_rejects, self.run.lines, self.run.rejected
        if most is not None and rejected > most:
            raise BadFile(
                f"{rejected:,} of the first {lines:,} lines are rejected, and {most:,} were allowed at the start. "
                "Nothing was written."
            )
        if self.run.checkpoint.get("bad_at_start", 0) >= HOPELESS:
            first = self.run.rejects.order_by("line").values_list("reason", flat=True)[0]
            # Everybody sees how an import ended, but its cells are for its owner and staff.
            first = without_quotes(first)
            raise BadFile(f"None of the first {HOPELESS:,} lines can be taken, so nothing was written. {first}")


def _heading(reader: Rows, how: Format) -> tuple[list[str], dict[str, int]]:
    """What the columns are called, and where the rows begin. Raises BadFile."""
    heading, resume = reader.heading()
    return (mended.heading(heading), resume) if how.heading else (numbered(heading), reader.start())


def _bad_at_start(batch: Cleaned) -> int:
    """Rejected lines before the first good one."""
    return sum(not batch.lines or rejected.line < batch.lines[0] for rejected in batch.rejected)


def _reject(run: Import, rejected: Rejected) -> Reject:
    cells = [storable(cell) for cell in rejected.cells[: run.checkpoint["width"] + MOST_CELLS]]
    return Reject(run=run, line=rejected.line, cells=cells, reason=storable(rejected.reason))
