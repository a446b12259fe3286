"""What programs are told of an import: what everybody signed in may know, by the names of the API."""

from typing import Any

from importer import turns
from importer.models import Import
from importer.progress import phase_reached, snapshot
from importer.turns import Place

_AS_STORED = (
    *("dataset", "layout", "state", "lines", "created", "updated", "unchanged", "superseded", "held", "rejected", "error"),
    *("version", "started_at", "finished_at"),
)


def told(run: Import, ask: bool = True, place: Place | None = None) -> dict[str, Any]:
    """`phase` is the step at work or to go on with, "" before the first; `percent` is 0 to 100; `version` grows by step.

    `position` is 1 for the one that is next, None for one that is not queued: three queries, unless its `place` is given or
    nobody is to `ask`.
    """
    place = place or (turns.place(run) if ask else None)
    now, phase = snapshot(run, ask=False), phase_reached(run)
    return {
        "id": run.public_id,
        "position": place.position if place else None,
        "phase": phase.value if phase else "",
        "percent": round(now.percent, 1),
        "rows_per_second": None if now.rows_per_second is None else round(now.rows_per_second, 1),
        **{name: getattr(run, name) for name in _AS_STORED},
    }
