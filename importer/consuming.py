"""Stores rows that come through a queue: up to some hundred in one transaction, with what became of each beside them.

It needs the datasets of this code and a database with its tables, any that Django knows; nothing of the site that sent the
rows. A message that comes twice, to whichever consumer, counts once, because its row in the inbox can be there only once.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, OperationalError, transaction
from django.utils import timezone

from importer import datasets
from importer.broker.letters import Letter, Queues, Taken, dead_queue, rows_queue
from importer.datasets import Dataset
from importer.loaders.portable import new_row
from importer.models import Inbox, Tally
from importer.readers.queue_rows import BadMessage, QueuedRow, read
from importer.rows import Batch, Cleaning
from importer.values import storable

log = logging.getLogger(__name__)

Outcome = Inbox.Outcome
#: What a database says to one row that it does not take: too long, a NUL, half a surrogate. All else it says to any row: it is
#: read-only, or the tables are those of another version; rows wait until that is mended.
REFUSALS = (DataError, IntegrityError, ValidationError, ValueError)
#: Times that a batch is stored anew because another consumer stored some of its keys meanwhile.
_TRIES = 5
#: Of a reason, and of a rejected row's cell, as they travel; the dead letter has all of it.
_LONGEST_REASON, _LONGEST_CELL = 2_000, 1_000
#: The header of a message that somebody sent again after it was rejected.
REPLAY = "replay"

Place = tuple[UUID, int]


@dataclass(frozen=True)
class Ready:
    """A row that may be stored."""

    taken: Taken
    place: Place
    dataset: Dataset
    key: str
    values: dict[str, str | None]


@dataclass(frozen=True)
class Dead:
    """A message that cannot be taken, one sentence why, and which row it is of, where that can be told."""

    taken: Taken
    reason: str
    place: Place | None = None
    cells: dict[str, str] = field(default_factory=dict)


def consume(queues: Queues, taken: Sequence[Taken]) -> list[UUID]:
    """Store what was taken, send what cannot be stored to the dead letters, and settle; returns the tallies to send.

    Raises BrokerAway, and DatabaseError or InterfaceError when the database is away or takes nothing; neither loses anything.
    """
    ready, dead = sort_out(taken)
    _bury(queues, dead)
    try:
        told = _store(ready, dead)
    except REFUSALS:
        told = _one_by_one(queues, ready, dead)
    queues.settle(taken)
    return told


def sort_out(taken: Iterable[Taken]) -> tuple[list[Ready], list[Dead]]:
    """Read and clean messages; those of one file are cleaned together, a column at a time."""
    dead: list[Dead] = []
    groups: dict[tuple[UUID, str, tuple[str, ...], bool], dict[int, tuple[Taken, QueuedRow]]] = {}
    for one in taken:
        try:
            row = read(one.body)
            dataset = _dataset(one, row)
        except BadMessage as problem:
            place = None if problem.run is None or problem.line is None else (problem.run, problem.line)
            dead.append(Dead(one, str(problem), place))
        else:
            names = tuple(column.name for column in dataset.columns if column.name in row.values)
            group = groups.setdefault((row.run, row.dataset, names, is_replay(one)), {})
            group.setdefault(row.line, (one, row))
    ready: list[Ready] = []
    for (run, name, names, _), rows in groups.items():
        _clean(run, datasets.get(name), names, rows, ready, dead)
    return ready, dead


def _dataset(one: Taken, row: QueuedRow) -> Dataset:
    """Raises BadMessage when rows of this dataset do not come this way, or are not known."""
    try:
        dataset = datasets.get(row.dataset)
    except KeyError as problem:
        raise BadMessage(str(problem.args[0]), row.run, row.line) from None
    if one.queue != rows_queue(row.dataset) or not dataset.keeps_first:
        raise BadMessage(f"A row of {row.dataset} came through the queue {one.queue}.", row.run, row.line)
    return dataset


def _clean(
    run: UUID,
    dataset: Dataset,
    names: tuple[str, ...],
    rows: dict[int, tuple[Taken, QueuedRow]],
    ready: list[Ready],
    dead: list[Dead],
) -> None:
    missing = [column.name for column in dataset.columns if column.required and column.name not in names]
    if missing:
        reason = f"The message has no value for {', '.join(missing)}."
        dead += [Dead(one, reason, (run, line), _cells(row, names)) for line, (one, row) in rows.items()]
        return
    cleaning = Cleaning(dataset, {name: place for place, name in enumerate(names)}, len(names))
    cleaned = cleaning.clean(Batch(list(rows), [[row.values[name] for name in names] for _, row in rows.values()]))
    for line, key, *values in zip(cleaned.lines, cleaned.keys, *cleaned.columns, strict=True):
        ready.append(Ready(rows[line][0], (run, line), dataset, key, dict(zip(names, values, strict=True))))
    for rejected in cleaned.rejected:
        one, row = rows[rejected.line]
        dead.append(Dead(one, rejected.reason, (run, rejected.line), _cells(row, names)))


def _cells(row: QueuedRow, names: Iterable[str]) -> dict[str, str]:
    return {name: row.values[name] for name in names}


def is_replay(one: Taken) -> bool:
    return bool(one.headers.get(REPLAY))


def _bury(queues: Queues, dead: Sequence[Dead]) -> None:
    """Send messages to the dead letters of their queues, with the reason; they are safe there when this returns."""
    letters: dict[str, list[Letter]] = {}
    for one in dead:
        headers = {"reason": storable(one.reason)[:_LONGEST_REASON]}
        if one.place:
            headers |= {"import": str(one.place[0]), "line": str(one.place[1])}
        letters.setdefault(one.taken.queue, []).append(Letter(one.taken.body, one.taken.digest, headers))
    for queue, sent in letters.items():
        queues.publish(dead_queue(queue), sent)


# --- storing -------------------------------------------------------------------------------------------------------


def _store(ready: Sequence[Ready], dead: Sequence[Dead]) -> list[UUID]:
    """Store rows and what becomes of them in one transaction, again when another consumer was quicker with some of them."""
    for _ in range(_TRIES - 1):
        try:
            with transaction.atomic():
                return _record(ready, dead)
        except (IntegrityError, OperationalError):
            # The latter when two consumers wait for each other: MariaDB locks gaps between keys.
            continue
    with transaction.atomic():
        return _record(ready, dead)


def _record(ready: Sequence[Ready], dead: Sequence[Dead]) -> list[UUID]:
    at = timezone.now()
    known = _known({one.place for one in ready} | {one.place for one in dead if one.place})
    # A row that was rejected may come again, because somebody sent it again; else the first word stands.
    again = {place for place, outcome in known.items() if outcome == Outcome.REJECTED}
    waiting: dict[Place, Ready] = {}
    for one in ready:
        if one.place not in known or (one.place in again and is_replay(one.taken)):
            waiting.setdefault(one.place, one)
    outcomes = _write_rows(list(waiting.values()), at)
    refused = {one.place: one for one in dead if one.place and one.place not in known and one.place not in outcomes}
    outcomes |= dict.fromkeys(refused, Outcome.REJECTED)
    _note(outcomes, again, at)
    return _tell(outcomes, again, refused, at)


def _known(places: set[Place]) -> dict[Place, str]:
    lines: dict[UUID, list[int]] = {}
    for run, line in places:
        lines.setdefault(run, []).append(line)
    return {
        (run, line): outcome
        for run, some in lines.items()
        for line, outcome in Inbox.objects.filter(run=run, line__in=some).values_list("line", "outcome")
    }


def _write_rows(waiting: Sequence[Ready], at: datetime) -> dict[Place, Outcome]:
    """Create the rows whose keys are not there, in key order, so that no two consumers wait for each other in a circle."""
    outcomes = dict.fromkeys((one.place for one in waiting), Outcome.UNCHANGED)
    for name in sorted({one.dataset.name for one in waiting}):
        dataset = datasets.get(name)
        live = dataset.model._default_manager
        first: dict[str, Ready] = {}
        for one in waiting:
            if one.dataset.name == name:
                first.setdefault(one.key, one)
        there = live.filter(**{f"{dataset.key.field}__in": list(first)}).values_list(dataset.key.field, flat=True)
        for key in there:
            del first[key]
        live.bulk_create(new_row(dataset, key, one.values, at) for key, one in sorted(first.items()))
        outcomes |= dict.fromkeys((one.place for one in first.values()), Outcome.CREATED)
    return outcomes


def _note(outcomes: dict[Place, Outcome], again: set[Place], at: datetime) -> None:
    """Write the inbox. Raises IntegrityError when another consumer had one of these rows meanwhile."""
    Inbox.objects.bulk_create(
        Inbox(run=run, line=line, outcome=outcome, at=at)
        for (run, line), outcome in sorted(outcomes.items())
        if (run, line) not in again
    )
    for run, line in sorted(outcomes.keys() & again):
        rejected = Inbox.objects.filter(run=run, line=line, outcome=Outcome.REJECTED)
        if not rejected.update(outcome=outcomes[run, line], at=at):
            raise IntegrityError("Another consumer has stored the row that was sent again.")


def _tell(outcomes: dict[Place, Outcome], again: set[Place], refused: dict[Place, Dead], at: datetime) -> list[UUID]:
    """Write down what the site is to be told, one tally for each import."""
    tallies = []
    for run in sorted({run for run, _ in outcomes}):
        mine = {place: outcome for place, outcome in outcomes.items() if place[0] == run}
        counts = Counter(outcome.label for outcome in mine.values())
        mended = sorted(line for _, line in mine.keys() & again)
        counts["rejected"] -= len(mended)
        rejects = [
            (line, _shortened(dead), storable(dead.reason)[:_LONGEST_REASON])
            for (owner, line), dead in refused.items()
            if owner == run
        ]
        tallies.append(Tally(run=run, counts=counts, rejects=rejects, mended=mended, at=at))
    Tally.objects.bulk_create(tallies)
    return [tally.batch for tally in tallies]


def _shortened(dead: Dead) -> dict[str, str]:
    """Its cells, so short that those of a whole batch fit into a message."""
    cells = {name: storable(text) for name, text in dead.cells.items()}
    return {name: text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…" for name, text in cells.items()}


def _one_by_one(queues: Queues, ready: Sequence[Ready], dead: Sequence[Dead]) -> list[UUID]:
    """Store a batch of which the database refuses something, row by row: only what it refuses goes to the dead letters."""
    told = _store([], dead)
    for one in ready:
        try:
            told += _store([one], [])
        except REFUSALS as problem:
            what = str(problem).strip().partition("\n")[0].rstrip(".")
            log.warning("Line %s of import %s is refused by the database: %s", one.place[1], one.place[0], what)
            cells = {name: text or "" for name, text in one.values.items()}
            refused = Dead(one.taken, f"Line {one.place[1]}: The database does not take it: {what}.", one.place, cells)
            _bury(queues, [refused])
            told += _store([], [refused])
    return told
