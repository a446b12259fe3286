"""What programs are told of an import: what everybody signed in may know, by the names of the API."""

from typing import Any

from importer.models import Import
from importer.progress import phase_reached, snapshot

_AS_STORED = (
    *("dataset", "layout", "state", "lines", "created", "updated", "unchanged", "superseded", "held", "rejected", "error"),
    *("version", "started_at", "finished_at"),
)


def told(run: Import) -> dict[str, Any]:
    """`phase` is the step at work or to go on with, "" before the first; `percent` is 0 to 100; `version` grows by step."""
    now, phase = snapshot(run, ask_holder=False), phase_reached(run)
    return {
        "id": run.public_id,
        "phase": phase.value if phase else "",
        "percent": round(now.percent, 1),
        "rows_per_second": None if now.rows_per_second is None else round(now.rows_per_second, 1),
        **{name: getattr(run, name) for name in _AS_STORED},
    }
