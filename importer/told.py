"""What programs are told of an import: what everybody signed in may know, by the names of the API."""

import uuid
from datetime import datetime
from typing import TypedDict

from importer.models import Import
from importer.progress import phase_reached, snapshot


class Told(TypedDict):
    """`phase` is the step at work or to go on with, "" before the first; `percent` is 0 to 100; `version` grows by step."""

    id: uuid.UUID
    dataset: str
    layout: str
    state: str
    phase: str
    lines: int
    created: int
    updated: int
    unchanged: int
    superseded: int
    held: int
    rejected: int
    percent: float
    rows_per_second: float | None
    error: str
    version: int
    started_at: datetime | None
    finished_at: datetime | None


def told(run: Import) -> Told:
    now, phase = snapshot(run, ask_holder=False), phase_reached(run)
    return {
        "id": run.public_id,
        "dataset": run.dataset,
        "layout": run.layout,
        "state": run.state,
        "phase": phase.value if phase else "",
        "lines": run.lines,
        "created": run.created,
        "updated": run.updated,
        "unchanged": run.unchanged,
        "superseded": run.superseded,
        "held": run.held,
        "rejected": run.rejected,
        "percent": round(now.percent, 1),
        "rows_per_second": None if now.rows_per_second is None else round(now.rows_per_second, 1),
        "error": run.error,
        "version": run.version,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }
