"""The states of an import and of an export, and the moves between them that are allowed."""

from django.db import models


class State(models.TextChoices):
    QUEUED = "queued", "Queued"
    WAITING = "waiting", "Waiting"
    STAGING = "staging", "Reading"
    COMPARING = "comparing", "Comparing"
    REVIEW = "review", "Ready for review"
    APPLYING = "applying", "Writing"
    INDEXING = "indexing", "Indexing"
    PUBLISHING = "publishing", "Sending"
    CONSUMING = "consuming", "Being stored"
    PAUSED = "paused", "Paused"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    UNDOING = "undoing", "Undoing"
    UNDONE = "undone", "Undone"


#: States in which a worker holds the import; a stale heartbeat in one of them means the worker died.
WORKING = frozenset({State.STAGING, State.COMPARING, State.APPLYING, State.INDEXING, State.PUBLISHING, State.UNDOING})
#: States in which a worker may take the import up.
CLAIMABLE = frozenset({State.QUEUED, State.WAITING})
#: States that end an import; undo and retry are the only ways out.
FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED, State.UNDONE})
#: States in which nothing goes on until a person decides.
NEEDS_SOMEBODY = frozenset({State.REVIEW, State.PAUSED})

_LEAVE_WORK = frozenset({State.QUEUED, State.PAUSED, State.FAILED, State.CANCELLED})

#: from → to. A resumed or re-queued import goes back through `queued` to the phase its checkpoint names.
MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: WORKING | {State.WAITING, State.PAUSED, State.CANCELLED, State.FAILED},
    State.WAITING: WORKING | {State.QUEUED, State.PAUSED, State.CANCELLED, State.FAILED},
    State.STAGING: _LEAVE_WORK | {State.COMPARING, State.PUBLISHING, State.WAITING},
    State.COMPARING: _LEAVE_WORK | {State.REVIEW, State.APPLYING, State.WAITING, State.INDEXING, State.DONE},
    State.REVIEW: frozenset({State.QUEUED, State.CANCELLED, State.FAILED}),
    State.APPLYING: _LEAVE_WORK | {State.WAITING, State.REVIEW, State.INDEXING, State.DONE},
    State.INDEXING: _LEAVE_WORK | {State.WAITING, State.DONE},
    State.PUBLISHING: _LEAVE_WORK | {State.CONSUMING},
    # No worker has it: consumers store its rows, and say so (importer/tallies.py).
    State.CONSUMING: frozenset({State.DONE, State.CANCELLED}),
    State.PAUSED: frozenset({State.QUEUED, State.CANCELLED}),
    State.DONE: frozenset({State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.UNDOING: _LEAVE_WORK | {State.WAITING, State.UNDONE},
    State.UNDONE: frozenset({State.QUEUED}),
}


def sources(target: State) -> frozenset[State]:
    """The states from which an import may move to `target`."""
    return frozenset(state for state, targets in MOVES.items() if target in targets)


class ExportState(models.TextChoices):
    QUEUED = "queued", "Queued"
    WRITING = "writing", "Writing"
    PAUSED = "paused", "Paused"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


#: from → to. Done, failed and cancelled are the end.
EXPORT_MOVES: dict[ExportState, frozenset[ExportState]] = {
    ExportState.QUEUED: frozenset({ExportState.WRITING, ExportState.PAUSED, ExportState.CANCELLED, ExportState.FAILED}),
    ExportState.WRITING: frozenset(set(ExportState) - {ExportState.WRITING}),
    ExportState.PAUSED: frozenset({ExportState.QUEUED, ExportState.CANCELLED}),
    ExportState.DONE: frozenset(),
    ExportState.FAILED: frozenset(),
    ExportState.CANCELLED: frozenset(),
}
EXPORT_FINAL = frozenset(state for state, targets in EXPORT_MOVES.items() if not targets)


def export_sources(target: ExportState) -> frozenset[ExportState]:
    """The states from which an export may move to `target`."""
    return frozenset(state for state, targets in EXPORT_MOVES.items() if target in targets)
