"""The verbs of the importer that a page, a command or the API may call.

Those that steer an import lock its row for a moment, look at its state, and write what follows: pressing twice is harmless,
and of two people who press different buttons at once the second is told what the first has done. They raise Refused with a
sentence when the state does not allow what is asked.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from accounts import audit
from accounts.models import User
from importer import datasets, maintenance, runner, stopping, turns
from importer import undo as undoing
from importer.broker.choice import can_queue
from importer.datasets import Dataset
from importer.loaders import work_tables
from importer.models import Import, Reject, StoredFile
from importer.options import Options
from importer.states import CLAIMABLE, FINAL, WORKING, State
from importer.values import BadFile, ImportProblem, quote

Wanted = Import.Wanted


class Refused(ImportProblem):
    """The state of the import does not allow this; the text says why, and what can be done instead."""


class Reviewed(Refused):
    """The import waits for a review, but not for the one that the person saw."""


def submit(
    file: StoredFile,
    dataset: str,
    owner: User | None,
    mode: Import.Mode = Import.Mode.APPLY,
    options: Options | None = None,
    layout: str = "",
) -> Import:
    """Queue a stored file for import into `dataset` and tell the workers after the commit.

    Raises BadFile when the file is empty or has not arrived in full, or the dataset has layouts and `layout` names none of
    them; KeyError when there is no such dataset; Refused when the file was deleted, or rows of it are to go through a queue
    and cannot; Closed while no new imports are taken.
    """
    meant = datasets.get(dataset)
    if meant.layouts or layout:
        meant.layout(layout)
    if options and options.queue:
        check_queue(meant)
    if not file.size:
        raise BadFile(f"The file {quote(file.name)} is empty.")
    if file.completed_at is None:
        raise BadFile(
            f"Only {file.received:,} of {file.size:,} bytes of {quote(file.name)} have arrived; finish the upload first."
        )
    with transaction.atomic():
        maintenance.keep_open()
        _keep(file)
        run = Import.objects.create(
            file=file,
            dataset=dataset,
            layout=layout,
            owner=owner,
            mode=mode,
            options=(options or Options()).as_json(),
            turn_at=turns.turn_of(file.size),
        )
        transaction.on_commit(lambda: runner.hint(run.pk))
    return run


def check_queue(dataset: Dataset) -> None:
    """Raises Refused when rows of the dataset cannot go through a queue on this site."""
    if not dataset.keeps_first:
        raise Refused(
            f"{dataset.title} cannot go through a queue: messages come in any order, and that suits only datasets "
            "of which the first row of a key stays."
        )
    if not can_queue():
        raise Refused("Rows go through RabbitMQ or Redis, and this site has neither as its broker.")


def pause(run: Import, person: User | None) -> None:
    """Stop at the next step and free the worker; `resume` goes on from there. Cancelled after LOADIFY_PAUSE_LIMIT seconds."""
    with _decision(run, person) as found:
        if found.state in FINAL:
            raise Refused(f"There is nothing to pause: the import is {_words(found)}.")
        if found.state == State.REVIEW:
            raise Refused("The import waits for your review anyway; nothing of it is being written.")
        if found.state == State.CONSUMING:
            raise Refused("All rows are sent, so there is nothing to pause here; stop the consumers to have them wait.")
        if found.wanted == Wanted.CANCEL:
            raise Refused("The import is being cancelled.")
        if found.state in CLAIMABLE:
            stopping.pause(found)
        elif found.state in WORKING:
            _ask(found, Wanted.PAUSE)


def resume(run: Import, person: User | None) -> None:
    """Go on from where it was paused."""
    with _decision(run, person) as found:
        if found.state in FINAL:
            raise Refused(f"There is nothing to resume: the import is {_words(found)}.")
        if found.state == State.PAUSED:
            stopping.save(found, State.QUEUED)
        elif found.wanted == Wanted.PAUSE:
            _ask(found, Wanted.RUN)


def cancel(run: Import, person: User | None, roll_back: bool) -> None:
    """End the import; what it wrote stays, or goes with `roll_back`. Cancelling an undo leaves the rest as it is."""
    with _decision(run, person) as found:
        if found.state in FINAL:
            if found.state == State.CANCELLED and not roll_back:
                return
            raise Refused(f"The import is {_words(found)} already; what it wrote can be undone.")
        if found.by_queue and roll_back and found.published:
            raise Refused("Rows that were sent cannot be rolled back; cancel the import and keep them.")
        if found.wanted == Wanted.CANCEL:
            if found.roll_back == roll_back:
                return
            fate = "is rolled back" if found.roll_back else "stays"
            raise Refused(f"Somebody has cancelled the import a moment ago; what it wrote {fate}.")
        found.roll_back = roll_back
        Import.objects.filter(pk=found.pk).update(roll_back=roll_back)
        if found.state in WORKING:
            _ask(found, Wanted.CANCEL)
        else:
            stopping.cancel(found)


def undo(run: Import, person: User | None) -> None:
    """Take back what an import that has ended wrote, as far as nobody changed it since."""
    with _decision(run, person) as found:
        if _is_undoing(found):
            return
        if found.state not in FINAL:
            raise Refused("The import has not ended; cancel it, and it can be rolled back.")
        if connection.vendor != "postgresql":
            raise Refused("Undo needs PostgreSQL; this site runs on another database.")
        _known(found)
        if found.by_queue:
            raise Refused("An import that went through a queue cannot be undone: consumers stored its rows, perhaps elsewhere.")
        if not undoing.possible(found.pk):
            raise Refused(
                "There is nothing to undo: the import wrote nothing that is still there, "
                "or what was there before is not kept any more."
            )
        stopping.queue_undo(found)
        audit.record(audit.Kind.UNDONE, person, f"Import {found.public_id} of {found.owner or 'the command line'}")


def retry(run: Import, person: User | None) -> None:
    """Let a failed import go on from its checkpoint, or from the start when nothing of it is left and nothing was written."""
    with _decision(run, person) as found:
        if found.state not in FINAL:
            return
        if found.state != State.FAILED:
            raise Refused(f"Only an import that failed can be tried again; this one is {_words(found)}.")
        _known(found)
        fields: dict[str, Any] = {"error": "", "finished_at": None, "news": Import.News.NONE}
        if stopping.phase(found) in (State.UNDOING, State.PUBLISHING) or work_tables.exist(found.pk):
            if stopping.phase(found) in (State.STAGING, State.PUBLISHING):
                _keep(found.file)
            fields["checkpoint"] = found.checkpoint | {"attempt": found.attempt}
        elif not stopping.wrote(found):
            _keep(found.file)
            Reject.objects.filter(run=found).delete()
            fields |= {"checkpoint": {"attempt": found.attempt}, "samples": [], "seconds": {}}
            fields |= dict.fromkeys(("lines", "unchanged", "superseded", "held", "rejected", "step_done", "step_total"), 0)
        else:
            raise Refused("What was left to write is not kept any more; import the file again.")
        stopping.save(found, State.QUEUED, **fields)


def approve(run: Import, person: User | None, seen: int | None = None) -> None:
    """Let an import land that was looked at. It is compared once more, because people may have edited meanwhile.

    `seen` is the version of the import that the person looked at. Raises Reviewed when the review is another one by now.
    """
    with _decision(run, person) as found:
        if found.state != State.REVIEW:
            if found.review.get("approved"):
                return
            raise Refused(f"The import does not wait for a review; it is {_words(found)}.")
        _known(found)
        _check_seen(found, seen)
        approved = found.review.get("counts", {}) | {"columns": found.review.get("columns", [])}
        review = found.review | {"approved": approved, "drift": ""}
        stopping.save(found, State.QUEUED, review=review, checkpoint=_compare_again(found))


def choose(
    run: Import, person: User | None, left_out: Collection[str], deactivate_missing: bool, seen: int | None = None
) -> None:
    """Leave columns out, switch missing rows off or not: the import is compared anew and comes back to the review.

    Raises Reviewed like `approve`.
    """
    with _decision(run, person) as found:
        chosen = {"left_out": sorted(left_out), "deactivate_missing": deactivate_missing}
        options = Options.of(found.options | chosen)
        if found.state != State.REVIEW:
            if found.review.get("chosen") and options == Options.of(found.options):
                return
            raise Refused(f"The import does not wait for a review; it is {_words(found)}.")
        _check_seen(found, seen)
        fields = {"options": options.as_json(), "review": {"chosen": True}, "checkpoint": _compare_again(found)}
        stopping.save(found, State.QUEUED, **fields)


def _check_seen(run: Import, seen: int | None) -> None:
    if seen is not None and seen != run.version:
        raise Reviewed("The review was made anew after you opened this page, so nothing was decided. Please look at it again.")


@contextmanager
def _decision(run: Import, person: User | None) -> Iterator[Import]:
    """The import as it is now, locked; when something was decided, `person` is noted, and the workers are told."""
    with transaction.atomic():
        found = stopping.locked(run.pk)
        before = found.state, found.wanted
        yield found
        if (found.state, found.wanted) != before:
            Import.objects.filter(pk=found.pk).update(decided_by=person)
        if found.state == State.QUEUED and before[0] != State.QUEUED:
            transaction.on_commit(lambda: runner.hint(found.pk))
        elif found.state not in WORKING and before[0] not in FINAL:
            transaction.on_commit(lambda: runner.hint_next(found.dataset))
    run.refresh_from_db()


def _ask(run: Import, wanted: Import.Wanted) -> None:
    """Tell the worker that has the import; its heart looks every second."""
    run.wanted = wanted
    Import.objects.filter(pk=run.pk).update(wanted=wanted, version=F("version") + 1)


def _known(run: Import) -> None:
    """Raises Refused when the import's dataset was taken out."""
    try:
        datasets.of_old(run.dataset)
    except BadFile as problem:
        raise Refused(str(problem)) from None


def _keep(file: StoredFile | None) -> None:
    """See to it that nobody deletes the file before the transaction ends. Raises Refused when it was deleted already."""
    fate = StoredFile.objects.select_for_update().get(pk=file.pk).fate if file else ""
    if fate:
        raise Refused(f"{fate} Upload it again.")


def _compare_again(run: Import) -> dict[str, Any]:
    return {**run.checkpoint, "phase": State.COMPARING, "attempt": run.attempt}


def _is_undoing(run: Import) -> bool:
    return run.state not in FINAL and run.checkpoint.get("phase") == State.UNDOING


def _words(run: Import) -> str:
    return str(State(run.state).label).lower()
