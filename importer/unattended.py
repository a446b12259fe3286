"""Imports that nobody is asked about: what a file is must be clear from its headings and its name, or it is refused.

The command line, watched folders and buckets import so.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.db import DatabaseError, transaction

from accounts.models import User
from importer import control, datasets, locks, maintenance, mapping, mended, preview, recognition, runner, sweep
from importer.intake import bucket, folder, uploads
from importer.leases import Turn
from importer.models import Import, StoredFile
from importer.options import Options
from importer.readers.formats import Format, sniff
from importer.recognition import Kind
from importer.states import FINAL, State
from importer.storage.parts import StorageProblem
from importer.values import BadHeading, ImportProblem, fold, quote

log = logging.getLogger(__name__)

#: The name of the lease of who looks into the bucket, and its seconds.
BUCKET, TURN = "bucket", 8


class Unclear(BadHeading):
    """The file may be of several `kinds`, and somebody has to say of which."""

    def __init__(self, name: str, kinds: list[Kind]) -> None:
        self.kinds = kinds
        titles = " or ".join(kind.title for kind in kinds)
        super().__init__(f"{quote(name)} may be {titles}: {recognition.doubt(kinds, name)}.")


class BadMapping(BadHeading):
    """What was said of the columns does not fit the file or the dataset; `column` is where, "" where it is the whole."""

    def __init__(self, column: str, sentence: str) -> None:
        self.column = column
        super().__init__(sentence)


@dataclass(frozen=True)
class Wish:
    """What is known of the files beforehand, where anything is, and whether an import may wait for a person.

    `columns` {column: heading of the file}; empty when the headings are to tell.
    """

    dataset: str = ""
    layout: str = ""
    unasked: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)

    def kinds(self) -> list[Kind]:
        """What a file may be. Raises KeyError when there is no such dataset, BadFile when there is no such layout."""
        if not self.dataset:
            return recognition.all_kinds()
        dataset = datasets.get(self.dataset)
        return [Kind(dataset, dataset.layout(self.layout))] if self.layout else list(recognition.kinds(dataset))


@dataclass(frozen=True)
class Decision:
    """What a file was taken for, and how it is read; `note` says what a person might not expect."""

    kind: Kind
    options: Options = field(default_factory=Options)
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a file of a folder: its import, or the sentence why there is none; `waits` says that it stays and is
    tried again."""

    name: str
    run: Import | None = None
    problem: str = ""
    note: str = ""
    waits: bool = False

    @property
    def is_bad(self) -> bool:
        return self.run is None or self.run.state in (State.FAILED, State.CANCELLED)


def decide(file: StoredFile, wish: Wish) -> Decision:
    """Find out what a stored file is and how it is read.

    Raises Unclear, BadMapping, BadFile when it fits nothing, KeyError.
    """
    among = wish.kinds()
    with preview.opened(file) as content:
        how = sniff(content, file.name)
        headings = preview.look(content, how).headings
    if wish.columns:
        return _as_told(among, headings, wish, file.name)
    found = recognition.that_fit(among, headings, file.name)
    if len(found) > 1:
        raise Unclear(file.name, found)
    decision = Decision(found[0]) if found else _as_last_time(among, headings, file.name)
    decision = decision or _in_order(among, headings, file.name, how, bool(wish.dataset))
    if decision is None:
        raise BadHeading(_why_not(among, headings, file.name))
    return replace(decision, options=replace(decision.options, unasked=wish.unasked))


def submit(file: StoredFile, wish: Wish) -> tuple[Import, str]:
    """Queue the import of a stored file of nobody, unless that has happened, and say what a person might not expect.

    Raises BadFile and KeyError like `decide`.
    """
    decision = decide(file, wish)
    with transaction.atomic():
        StoredFile.objects.select_for_update().get(pk=file.pk)
        run = file.imports.first() or submit_as(file, decision, None, Import.Mode.APPLY)
    return run, decision.note


def submit_as(file: StoredFile, decision: Decision, owner: User | None, mode: Import.Mode) -> Import:
    """Queue the import of a stored file as it was decided. Raises BadFile and Refused like control.submit."""
    return control.submit(file, decision.kind.dataset.name, owner, mode, decision.options, decision.kind.layout_name)


def finish(run: Import) -> None:
    """Run an import in this process, up to its end or review; wait when a worker was quicker, or somebody has the dataset."""
    runner.run(run.pk)
    run.refresh_from_db()
    while run.state not in FINAL | {State.REVIEW}:
        time.sleep(0.5)
        sweep.revive()
        if run.state == State.QUEUED or (run.state == State.WAITING and locks.next_waiting(run.dataset) == run.pk):
            runner.run(run.pk)
        run.refresh_from_db()


def take_all(root: Path, quiet: float, wish: Wish, wait: bool = False) -> Iterator[Outcome]:
    """Import the finished files of a folder, in the order of their names; first those that a killed process had taken.

    Each ends in its `done` folder, or in `failed` with a sentence beside it: when it was refused, or, if one is to `wait` for
    the end of each import, when that failed. While no new imports are taken files stay where they are.
    """
    claims = [(place.name, folder.claim_again(root, place)) for place in folder.taken(root)]
    claims += [(name, folder.claim(root, name, quiet)) for name in folder.finished(root, quiet)]
    for name, claim in claims:
        if switch := maintenance.closed():
            yield Outcome(name, problem=maintenance.sentence(switch), waits=True)
            continue
        try:
            with claim as claimed:
                if claimed is not None:
                    yield _take(claimed, wish, wait)
        except (StorageProblem, maintenance.Closed, uploads.DiskFull) as problem:
            yield Outcome(name, problem=str(problem), waits=True)
        except OSError as problem:
            yield Outcome(name, problem=f"{quote(name)} cannot be taken: {problem.strerror}.", waits=True)


def take_bucket(worker: str = "") -> Iterator[Outcome]:
    """Import what lies in the bucket, in the order of names; nothing when another process is at it. Each is moved as files of
    a folder are. Who is called `worker` may be told to stop (leases.end)."""
    turn = Turn(BUCKET, TURN, worker)
    if not turn.take():
        return

    def is_mine() -> bool:
        return not turn.is_half_over() or turn.take()

    def go_on() -> None:
        if not is_mine():
            raise StorageProblem("Another process has taken over.")

    try:
        for found in bucket.waiting(go_on):
            if not is_mine():
                return
            yield from _take_object(found)
    finally:
        turn.give_back()


def _take_object(found: bucket.Found) -> Iterator[Outcome]:
    known = [dataset.name for dataset in datasets.all()]
    try:
        if found.dataset and found.dataset not in known:
            yield _refuse(found, f"{quote(found.dataset)} is no dataset; folders are called {', '.join(known)}.")
        else:
            yield _take(found, Wish(found.dataset), wait=False)
    except FileNotFoundError:
        # Its owner took it back, or has put another one there, which is had at the next look.
        log.info("%s is not there any more.", found.path)
    except (StorageProblem, maintenance.Closed, uploads.DiskFull) as problem:
        yield Outcome(found.name, problem=str(problem), waits=True)


def _take(claimed: folder.Claimed | bucket.Found, wish: Wish, wait: bool) -> Outcome:
    try:
        file = claimed.store()
        run, note = file.imports.first(), ""
        if run is None:
            run, note = submit(file, wish)
    except (DatabaseError, OSError, StorageProblem, maintenance.Closed, uploads.DiskFull):
        # It stays where it is, and is tried again.
        raise
    except Unclear as problem:
        return _refuse(claimed, f"{problem} Give it a name that tells, and put it there again.")
    except ImportProblem as problem:
        return _refuse(claimed, str(problem))
    except Exception as problem:
        log.exception("%s cannot be taken", claimed.name)
        return _refuse(claimed, f"An error of ours stopped it, not of the file ({type(problem).__name__}); the log has it.")
    if wait:
        finish(run)
    outcome = Outcome(claimed.name, run, note=note)
    claimed.put_away(folder.FAILED if outcome.is_bad else folder.DONE, run.error if outcome.is_bad else "")
    return outcome


def _refuse(claimed: folder.Claimed | bucket.Found, sentence: str) -> Outcome:
    uploads.give_up(claimed.public_id)
    claimed.put_away(folder.FAILED, sentence)
    return Outcome(claimed.name, problem=sentence)


def _as_told(among: list[Kind], headings: list[str], wish: Wish, name: str) -> Decision:
    """As the wish maps the columns. Raises BadMapping, Unclear when the wish leaves several kinds."""
    if not wish.dataset:
        raise BadMapping("", "A mapping needs a dataset to be of; name one.")
    named = among if len(among) == 1 else recognition.named(among, name)
    if len(named) != 1:
        raise Unclear(name, among)
    seen = named[0].seen
    at = {fold(text): place for place, text in reversed(list(enumerate(headings)))}
    known = [column.name for column in seen.columns]
    for column, heading in wish.columns.items():
        if column not in known:
            raise BadMapping(column, f"{quote(column)} is no column of {seen.title}; these are: {', '.join(known)}.")
        if fold(heading) not in at:
            there = ", ".join(map(quote, headings[:20]))
            raise BadMapping(column, f"The file has no heading {quote(heading)}; its headings are {there}.")
    places = {column: at[fold(heading)] for column, heading in wish.columns.items()}
    if missing := mapping.Suggestion(places).missing(seen):
        raise BadMapping("", f"The mapping says nothing of {', '.join(missing)}, which {seen.title} needs.")
    return Decision(named[0], Options(places=places, unasked=wish.unasked))


def _as_last_time(among: list[Kind], headings: list[str], name: str) -> Decision | None:
    """As a person had files with these headings imported, unless the name tells another layout of the dataset."""
    known = [(kind, mapping.suggest(kind.seen, headings)) for kind in among if not _is_named_otherwise(kind, among, name)]
    known = [(kind, suggestion) for kind, suggestion in known if suggestion.remembered and not suggestion.missing(kind.seen)]
    only = [kind for kind, _ in known] if len(known) == 1 else recognition.named((kind for kind, _ in known), name)
    for kind, suggestion in known:
        if kind in only:
            note = f"{quote(name)} is mapped as the last time."
            return Decision(kind, Options(places=suggestion.places, blank=suggestion.blank), note)
    return None


def _is_named_otherwise(kind: Kind, among: list[Kind], name: str) -> bool:
    return any(other != kind and other.dataset == kind.dataset for other in recognition.named(among, name))


def _in_order(among: list[Kind], first: list[str], name: str, how: Format, is_chosen: bool) -> Decision | None:
    """By the order of the columns, for a file whose first line is data and has just as many cells.

    Unless the dataset was chosen, the name of the file has to tell what it is.
    """
    fitting = [kind for kind in among if _needed(kind, len(first)) and mapping.looks_like_data(kind.seen, first)]
    only = fitting if is_chosen and len(fitting) == 1 else recognition.named(fitting, name)
    if not only:
        return None
    names = _needed(only[0], len(first))
    note = f"The first line of {quote(name)} looks like data, so its cells are taken for {', '.join(names)}, in this order."
    places = {name: place for place, name in enumerate(names)}
    return Decision(only[0], Options(format=replace(how, heading=False).as_json(), places=places), note)


def _needed(kind: Kind, cells: int) -> list[str]:
    """The columns that are meant by so many cells: all of them, or those that are needed; else none."""
    columns = kind.seen.columns
    found = (list(columns), [column for column in columns if column.required])
    return next(([column.name for column in some] for some in found if len(some) == cells), [])


def _why_not(among: list[Kind], headings: list[str], name: str) -> str:
    meant = among if len(among) == 1 else recognition.named(among, name)
    if meant and (len(among) == 1 or any(meant[0].seen.found(headings).values())):
        try:
            meant[0].seen.match(headings[mended.added(headings) :])
        except BadHeading as problem:
            return str(problem)
    kinds = ", ".join(kind.title for kind in among)
    return f"The headings of {quote(name)} are {', '.join(map(quote, headings[:20]))}; that is none of: {kinds}."
