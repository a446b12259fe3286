"""What the commands say of an import: one line or a few for people, JSON for programs."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from importer.models import Import
from importer.states import State

BUCKETS = ("created", "updated", "unchanged", "superseded", "held", "rejected")
#: Rejected lines that are printed.
MOST = 20


def as_json(run: Import) -> dict[str, Any]:
    """Counts, and seconds in all and in each phase. An import that has not begun has none of the latter."""
    ended = run.finished_at or timezone.now()
    return {
        "id": str(run.public_id),
        "dataset": run.dataset,
        "layout": run.layout,
        "state": run.state,
        "error": run.error,
        "lines": run.lines,
        **{name: getattr(run, name) for name in BUCKETS},
        "seconds": round((ended - run.queued_at).total_seconds(), 3),
        "phases": {state.value: run.seconds[state] for state in State if state in run.seconds},
    }


def counts(run: Import) -> str:
    """“3 lines = 2 created, 1 updated”"""
    lines = "1 line" if run.lines == 1 else f"{run.lines:,} lines"
    found = {name: getattr(run, name) for name in BUCKETS}
    shown = [f"{found[name]:,} {name}" for name in BUCKETS if found[name] or name in ("created", "updated")]
    return f"{lines} = {', '.join(shown)}"


def in_words(run: Import) -> str:
    """All that there is to say of an import that has ended, or waits for a review."""
    if run.state == State.REVIEW:
        return _waits(run)
    report = as_json(run)
    seconds = report["seconds"]
    phases = ", ".join(f"{State(name).label.lower()} {spent:.1f} s" for name, spent in report["phases"].items())
    speed = f"{run.lines / max(seconds, 0.001):,.0f} rows/s"
    text = [f"{State(run.state).label}: {counts(run)}, in {seconds:.1f} s ({speed}).", f"Phases: {phases}."]
    if run.error:
        text.append(run.error)
    rejects = run.rejects.order_by("line")[:MOST]
    text += [reject.reason for reject in rejects]
    if run.rejected > len(rejects):
        text.append(f"… and {run.rejected - len(rejects):,} more rejected lines.")
    return "\n".join(text)


def review_address(run: Import) -> str:
    return f"{settings.LOADIFY_URL}{reverse('import-review', args=[run.public_id])}"


def _waits(run: Import) -> str:
    found = run.review["counts"]
    names = ("to_create", "to_update", "to_hold", "unchanged", "superseded", "rejected")
    planned = ", ".join(f"{found[name]:,} {name.replace('_', ' ')}" for name in names if found[name] or name != "to_hold")
    return "\n".join(
        [
            f"Nothing was written yet: {run.lines:,} lines = {planned}.",
            *(warning["sentence"] for warning in run.review["warnings"]),
            f"Look at it and let it go on: {review_address(run)}",
            "Or cancel it there, and import the file with --yes.",
        ]
    )
