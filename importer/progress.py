"""What there is to say about an import at this moment: phase, percent, speed, time left, and where its lines went."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from importer import datasets, turns
from importer.models import DatasetLock, Import
from importer.pictures import Point, speed_over_time
from importer.recognition import Kind
from importer.states import FINAL, NEEDS_SOMEBODY, WORKING, State
from importer.turns import Place
from importer.values import BadFile

#: phase → where it begins and how much of the bar is its own, in percent.
SHARES: dict[State, tuple[int, int]] = {
    State.STAGING: (0, 40),
    State.COMPARING: (40, 10),
    State.APPLYING: (50, 35),
    State.INDEXING: (85, 15),
}
#: A dataset that goes to a queue has only two phases.
QUEUE_SHARES: dict[State, tuple[int, int]] = {State.PUBLISHING: (0, 60), State.CONSUMING: (60, 40)}
UNDO_SHARES: dict[State, tuple[int, int]] = {State.UNDOING: (0, 100)}

#: Seconds of the past that count as "now" for the speed: short enough to follow, long enough not to flicker.
SPEED_WINDOW = 5.0
#: Before this much work is done, a guess at the time left would jump about.
GUESS_FROM_FRACTION, GUESS_FROM_SECONDS = 0.05, 1.0
#: Seconds of waiting for a worker, or beyond a dead one's lease, after which a page says so.
PATIENCE = 30.0
#: Seconds of waiting for people or other imports that are not worth a word at the end.
SHORT_WAIT = 5.0


@dataclass(frozen=True)
class Bucket:
    """Lines that ended the same way; `name` is a field of Import, or "remaining"."""

    name: str
    words: str
    count: int


@dataclass(frozen=True)
class Phase:
    name: str
    words: str
    #: None when the phase has not begun.
    seconds: float | None
    at_work: bool


@dataclass(frozen=True)
class Holder:
    """Who changes the dataset while this import waits: another import, or a person's action in words."""

    public_id: uuid.UUID | None
    who: str
    #: It was paused in the middle, so it may be long until it lets go.
    is_paused: bool = False
    #: A guess at how long the import that has the dataset still takes, and how many others come before this one.
    seconds_left: float | None = None
    ahead: int = 0


@dataclass(frozen=True)
class Snapshot:
    """One import at one moment: only what everybody signed in may see. Times are in seconds, `percent` is 0 to 100."""

    id: uuid.UUID
    dataset: str
    state: State
    words: str
    version: int
    percent: float
    lines: int
    buckets: tuple[Bucket, ...]
    #: Lines read that are in no bucket yet.
    remaining: int
    rejected: int
    #: Rows sent to a queue; None for an import that goes through none.
    published: int | None
    superseded: int
    held: int
    rows_per_second: float | None
    seconds_left: float | None
    elapsed: float | None
    #: Of these, the seconds in which nobody worked at it; None until the end, or when they are hardly any.
    waited: float | None
    points: tuple[Point, ...]
    phases: tuple[Phase, ...]
    error: str
    waiting_for: Holder | None
    #: Where in line it stands while it is queued.
    place: Place | None
    #: When a paused import is cancelled by itself.
    cancelled_at: datetime | None
    #: Rows it wrote that no undo has taken back.
    written: int
    #: Rows it switched off because the file does not have them: no lines of the file, so in no bucket.
    deactivated: int
    #: What an undo has done so far: rows "restored", "removed", "kept", "gone", and held ones "discarded"; None without one.
    undone: Mapping[str, int] | None
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def needs_somebody(self) -> bool:
        return self.state in NEEDS_SOMEBODY

    @property
    def has_note(self) -> bool:
        """Whether there is a sentence to say beside the figures."""
        noted = (State.WAITING, State.QUEUED, State.PAUSED, State.REVIEW, State.CONSUMING, State.CANCELLED)
        return bool(self.error) or self.undone is not None or self.state in noted

    @property
    def seconds_to_cancel(self) -> float | None:
        return max(0.0, (self.cancelled_at - timezone.now()).total_seconds()) if self.cancelled_at else None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_working(self) -> bool:
        return self.state in WORKING

    @property
    def adds_up(self) -> bool:
        return sum(bucket.count for bucket in self.buckets) == self.lines

    @property
    def filled(self) -> tuple[Bucket, ...]:
        return tuple(bucket for bucket in self.buckets if bucket.count)


def snapshot(run: Import, ask: bool = True, place: Place | None = None) -> Snapshot:
    """Look at `run` as it was loaded. Without `ask` no query, and with it only for an import in line: two for who holds the
    dataset while it waits, three for its `place` while it is queued, unless that is given."""
    state = State(run.state)
    began = undo_began(run) or run.started_at
    elapsed = ((run.finished_at or timezone.now()) - began).total_seconds() if began else None
    return Snapshot(
        id=run.public_id,
        dataset=title(run),
        state=state,
        words=words(run),
        version=run.version,
        percent=percent_done(run),
        lines=run.lines,
        buckets=buckets(run),
        remaining=max(0, run.lines - run.counted),
        rejected=run.rejected,
        published=run.published if run.by_queue else None,
        superseded=run.superseded,
        held=run.held,
        rows_per_second=rows_per_second(run, elapsed),
        seconds_left=seconds_left(run),
        elapsed=elapsed,
        waited=waited(run, elapsed),
        points=() if is_undo(run) else speed_over_time(run.samples),
        phases=phases(run),
        error=run.error,
        waiting_for=holder(run) if state == State.WAITING and ask else None,
        place=place or (turns.place(run) if ask else None),
        cancelled_at=run.paused_at + timedelta(seconds=settings.LOADIFY_PAUSE_LIMIT)
        if state == State.PAUSED and run.paused_at
        else None,
        written=rows_written(run),
        deactivated=run.deactivated,
        undone={name: run.undo.get(name, 0) for name in ("restored", "removed", "kept", "gone", "discarded")}
        if is_undo(run)
        else None,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def words(run: Import) -> str:
    """The state in words; what was asked of the worker a moment ago counts, though it has not stopped yet."""
    if run.state in WORKING and run.wanted == Import.Wanted.PAUSE:
        return "Pausing"
    if run.state in WORKING and run.wanted == Import.Wanted.CANCEL:
        return "Cancelling"
    return str(State(run.state).label)


def is_undo(run: Import) -> bool:
    """True from the moment an undo is wanted, also while it waits or pauses, and when it has ended in any way."""
    return bool(run.checkpoint.get("phase") == State.UNDOING)


def undo_began(run: Import) -> datetime | None:
    began = run.undo.get("began") if is_undo(run) else None
    return datetime.fromisoformat(began) if began else None


def rows_written(run: Import) -> int:
    """Rows of the dataset that this import wrote and no undo has taken back."""
    taken_back: int = run.undo.get("restored", 0) + run.undo.get("removed", 0)
    return max(0, run.created + run.updated + run.deactivated - taken_back)


def title(run: Import) -> str:
    """What the file is, for people: “Products”, “Card reports (Delivered)”."""
    try:
        dataset = datasets.get(run.dataset)
        return Kind(dataset, dataset.layout(run.layout) if run.layout else None).title
    except (KeyError, BadFile):
        # The history outlives a dataset whose app was taken out.
        return run.dataset


def buckets(run: Import) -> tuple[Bucket, ...]:
    """Every bucket in the order of the bar; the lines in none of them come last. They add up to `run.lines`."""
    named = tuple(
        Bucket(name, name, getattr(run, name)) for name in ("created", "updated", "unchanged", "superseded", "held", "rejected")
    )
    remaining = max(0, run.lines - run.counted)
    if run.state in FINAL and not (run.by_queue and run.published):
        return (*named, Bucket("remaining", "not applied", remaining)) if remaining else named
    return (*named, Bucket("remaining", "on their way" if run.by_queue else "still to come", remaining))


def shares(run: Import) -> dict[State, tuple[int, int]]:
    if is_undo(run):
        return UNDO_SHARES
    return QUEUE_SHARES if run.by_queue else SHARES


def phase_reached(run: Import) -> State | None:
    """The phase at work, or the one to go on with when the import waits, pauses or has ended; None before the first."""
    known = shares(run)
    if run.state in known:
        return State(run.state)
    phase = State(run.checkpoint.get("phase", State.STAGING)) if run.attempt else None
    return phase if phase in known else None


def percent_done(run: Import) -> float:
    """0 to 100, never falling while the import goes on: it goes by phase, and by the step within the phase."""
    if run.state in (State.DONE, State.UNDONE):
        return 100.0
    if run.state == State.REVIEW:
        return float(SHARES[State.APPLYING][0])
    phase = phase_reached(run)
    if phase is None:
        return 0.0
    begin, share = shares(run)[phase]
    # 100 is kept for the end, which is more than the last step.
    return min(99.0, begin + share * fraction(run))


def fraction(run: Import) -> float:
    """How much of the phase at work is done, 0 to 1."""
    if run.state == State.CONSUMING:
        return min(1.0, run.counted / run.lines) if run.lines else 1.0
    return min(1.0, run.step_done / run.step_total) if run.step_total > 0 else 0.0


def phases(run: Import) -> tuple[Phase, ...]:
    known = {**SHARES, **UNDO_SHARES} if is_undo(run) else shares(run)
    return tuple(Phase(phase, phase.label, run.seconds.get(phase), run.state == phase) for phase in known)


def rows_per_second(run: Import, elapsed: float | None) -> float | None:
    """The speed of the last seconds while rows move, over the whole work when the import has ended; else None."""
    if is_undo(run):
        worked = run.seconds.get(State.UNDOING) if run.state in FINAL else elapsed
        return run.step_done / worked if worked and run.step_done else None
    if run.state in FINAL:
        worked = sum(run.seconds.values()) or elapsed
        return run.lines / worked if worked and run.lines else None
    if run.state not in (State.STAGING, State.APPLYING, State.PUBLISHING) or len(run.samples) < 2:
        return None
    last_at, last_rows = run.samples[-1]
    first_at, first_rows = next((sample for sample in run.samples[:-1] if sample[0] >= last_at - SPEED_WINDOW), run.samples[-2])
    return max(0.0, (last_rows - first_rows) / (last_at - first_at)) if last_at > first_at else None


def seconds_left(run: Import) -> float | None:
    """A guess: the phase at work goes on as fast as so far, and those to come take their usual part of the whole.

    None when nothing is at work, or when there is too little to go by.
    """
    phase = phase_reached(run)
    if phase is None or run.state not in WORKING:
        return None
    if phase == State.UNDOING:
        began = undo_began(run)
        spent = (timezone.now() - began).total_seconds() if began else 0.0
        enough = spent >= GUESS_FROM_SECONDS and fraction(run) >= GUESS_FROM_FRACTION
        return spent / fraction(run) * (1 - fraction(run)) if enough else None
    known = shares(run)
    begin, share = known[phase]
    later = (100 - begin - share) / share
    if phase in (State.COMPARING, State.INDEXING):
        # Nothing moves evenly here; an earlier phase says how long one percent takes.
        before = State.STAGING if phase == State.COMPARING else State.APPLYING
        whole = run.seconds.get(before, 0.0) * share / known[before][1]
        return whole * (1 - fraction(run) + later) or None
    # Reading counts from the start; writing from the last sample in which nothing was written.
    begun = (
        0.0
        if phase in (State.STAGING, State.PUBLISHING)
        else max((at for at, rows in run.samples if rows <= run.lines), default=0.0)
    )
    spent = run.samples[-1][0] - begun if run.samples else 0.0
    if spent < GUESS_FROM_SECONDS or fraction(run) < GUESS_FROM_FRACTION:
        return None
    return spent / fraction(run) * (1 - fraction(run) + later)


def waited(run: Import, elapsed: float | None) -> float | None:
    """How much of the time from begin to end nobody worked at it."""
    if run.state not in FINAL or elapsed is None:
        return None
    worked = run.seconds.get(State.UNDOING, 0.0) if is_undo(run) else sum(run.seconds.values())
    return elapsed - worked if elapsed - worked > SHORT_WAIT else None


def silent_for(run: Import, place: Place | None = None) -> float | None:
    """Seconds for which no worker has been heard of that ought to be at it; None while all is well, and while it stands in line
    at its `place` because others run.

    One query for its heartbeat, unless that was loaded with the import.
    """
    now = timezone.now()
    if run.state == State.QUEUED and not run.attempt and not (place and place.running):
        seconds = (now - run.queued_at).total_seconds()
        return seconds if seconds > PATIENCE else None
    heartbeat = getattr(run, "heartbeat", None) if run.state in WORKING else None
    if heartbeat is None or (now - heartbeat.lease_until).total_seconds() < PATIENCE:
        return None
    return float((now - heartbeat.beat_at).total_seconds())


def ahead(run: Import) -> int:
    """How many others wait longer for the same dataset: they come first, because of two files the later one wins."""
    return Import.objects.filter(dataset=run.dataset, state=State.WAITING, pk__lt=run.pk).count()


def holder(run: Import) -> Holder | None:
    """Who holds the dataset that `run` waits for; None when it is free and the import is about to be taken up."""
    lock = DatasetLock.objects.select_related("run__owner").filter(dataset=run.dataset).first()
    if lock is None or lock.run_id == run.pk:
        return None
    if lock.run is not None:
        who, is_paused = str(lock.run.owner or "the command line"), lock.run.state == State.PAUSED
        return None if lock.run.is_final else Holder(lock.run.public_id, who, is_paused, seconds_left(lock.run), ahead(run))
    held = lock.lease_until is not None and lock.lease_until > timezone.now()
    return Holder(None, lock.holder) if held and lock.holder else None
