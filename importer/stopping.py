"""What becomes of an import that somebody stops: where it goes, whether it keeps the dataset, who is told.

Every function changes the row of an import that the caller has locked, in the caller's transaction.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from importer import locks
from importer.loaders.sql import itself
from importer.models import Import
from importer.signals import import_ended
from importer.states import FINAL, State

#: Phases in which the dataset is half written, so that nobody else may have it even while the import is paused.
HALF_WRITTEN = frozenset({State.APPLYING, State.INDEXING, State.UNDOING})


def locked(run_id: int) -> Import:
    """The import's row, held to the end of the transaction: whoever presses a button at the same time comes after."""
    return Import.objects.select_for_update(of=itself()).get(pk=run_id)


def stop(run: Import, wanted: str) -> None:
    """Bring `run` where `wanted` (YIELD, PAUSE, CANCEL, or RUN when somebody took it back) leads from its present phase."""
    if wanted == Import.Wanted.PAUSE:
        pause(run)
    elif wanted == Import.Wanted.CANCEL:
        cancel(run)
    else:
        save(run, State.QUEUED)


def pause(run: Import) -> None:
    news = told(run, Import.News.PAUSED) if run.decided_by_id != run.owner_id else {}
    save(run, State.PAUSED, paused_at=timezone.now(), **news)
    if phase(run) not in HALF_WRITTEN:
        locks.release(run)


def cancel(run: Import) -> None:
    """End it here, or take back what it wrote when that is wanted and there is anything."""
    if run.roll_back and wrote(run) and phase(run) != State.UNDOING:
        queue_undo(run)
    else:
        save(run, State.CANCELLED, finished_at=timezone.now(), **told(run, Import.News.ENDED))
        locks.release(run)
        import_ended.send_robust(sender=Import, run=run)


def queue_undo(run: Import) -> None:
    checkpoint = {name: value for name, value in run.checkpoint.items() if name != "undone"}
    checkpoint |= {"v": 1, "phase": State.UNDOING, "attempt": run.attempt}
    # What an undo before this one took back is still taken back; what it left is looked at again.
    done = {name: run.undo.get(name, 0) for name in ("restored", "removed", "discarded")}
    done |= {"kept": 0, "gone": 0, "began": timezone.now().isoformat()}
    fields = {"checkpoint": checkpoint, "undo": done, "finished_at": None, "step_done": 0, "step_total": 0}
    save(run, State.QUEUED, **fields)


def save(run: Import, state: State, **fields: Any) -> None:
    """Write the state and `fields`, and nothing of what else `run` remembers."""
    fields |= {"state": state, "wanted": Import.Wanted.RUN}
    if state != State.PAUSED:
        fields["paused_at"] = None
    for name, value in fields.items():
        setattr(run, name, value)
    Import.objects.filter(pk=run.pk).update(version=F("version") + 1, **fields)


def phase(run: Import) -> State:
    """The phase at work, or the one to go on with; a plan of which nothing was written yet counts as not begun."""
    named = State(run.checkpoint.get("phase", State.STAGING))
    return State.COMPARING if named == State.APPLYING and not wrote(run) else named


def wrote(run: Import) -> bool:
    """True when rows of the dataset were changed, or are held to be stored later."""
    return run.created + run.updated + run.deactivated + run.held > 0


def told(run: Import, news: Import.News) -> dict[str, Any]:
    """What to write so that the owner is told `news`; nothing for an import that was over before anybody looked away."""
    since = timezone.now() - (run.started_at or timezone.now())
    if run.owner_id is None or run.state in FINAL:
        return {}
    if news != Import.News.REVIEW and since < timedelta(seconds=settings.LOADIFY_TELL_AFTER):
        return {}
    return {"news": news, "news_at": timezone.now(), "mail_not_before": None, "mailed_at": None, "seen_at": None}
