"""Tells webhooks of the ends of imports: one summary for each, in the transaction that ends it."""

from typing import Any

from django.conf import settings
from django.db import transaction

from importer.models import Import
from importer.signals import import_ended
from importer.states import State
from webhooks import outbox
from webhooks.event_types import declare

IMPORT_COMPLETED = declare("import.completed", "An import is done")
IMPORT_FAILED = declare("import.failed", "An import has failed")
IMPORT_CANCELLED = declare("import.cancelled", "An import was cancelled")
IMPORT_UNDONE = declare("import.undone", "An import was undone")

_TYPES = {
    State.DONE: IMPORT_COMPLETED,
    State.FAILED: IMPORT_FAILED,
    State.CANCELLED: IMPORT_CANCELLED,
    State.UNDONE: IMPORT_UNDONE,
}
_COUNTS = ("lines", "created", "updated", "unchanged", "superseded", "held", "rejected")


def connect() -> None:
    import_ended.connect(record_end, sender=Import, dispatch_uid="loadify.import_events")


def record_end(run: Import, **_: Any) -> None:
    event_type = _TYPES.get(State(run.state))
    if event_type is not None:
        # What goes wrong here must not keep an import from its end.
        with transaction.atomic():
            outbox.record(event_type, {"import": summary(run)}, {"import": {"id": run.public_id}})


def summary(run: Import) -> dict[str, Any]:
    """What everybody may know of an import; the names are those of the API."""
    return {
        "id": run.public_id,
        "dataset": run.dataset,
        "state": run.state,
        **{name: getattr(run, name) for name in _COUNTS},
        "error": run.error,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "url": f"{settings.LOADIFY_URL}/imports/{run.public_id}/",
    }
