"""Where in the database a person may stand, and how each place is rid of them.

A place is one function: it gets who is looked for, and tells what it has of them as Found, whose `remove` runs in the
transaction of the erasure, while no import changes a dataset. To add a place, write its function and put it into PLACES; the
Changes of rows come before the rows, because they are found by them.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from importer import datasets, file_search, retention
from importer.loaders import work_tables
from importer.models import Change, DeadLetter, Export, Held, HeldValue, Import, Mapping, Reject, StoredFile
from importer.sought import Form, Sought
from importer.states import FINAL
from importer.values import ImportProblem, without_quotes

#: What stands in place of the name of a file, which may have been the person's.
NAMELESS = "erased"
#: Entries that are looked at, or changed, at once.
PIECE = 2_000


class InTheWay(ImportProblem):
    """Something that has not ended has the person in its hands; `run` is the import, if it is one."""

    def __init__(self, sentence: str, run: Import | None = None) -> None:
        self.run = run
        super().__init__(sentence)

    @classmethod
    def by(cls, run: Import) -> "InTheWay":
        title = _title(run.dataset)
        return cls(f"An import of {title} that has this person in it is running; try again when it has ended.", run)


@dataclass(frozen=True)
class Found:
    """So many entries of a place, named as people would, have the person in them."""

    place: str
    count: int
    remove: Callable[[], object]


Place = Callable[[Sought], Iterator[Found]]


def changes(sought: Sought) -> Iterator[Found]:
    """The Changes of rows that go, and those that remember the value of a row that has another one by now.

    Without them an undo brings nobody back, and the story of a row does not tell of them.
    """
    for form in sought.forms:
        found = Change.objects.filter(dataset=form.dataset.name)
        told = _told(found, ("before", "after"), form)
        if form.personal.whole_row:
            told |= Q(row_id__in=_rows(form).values("pk"))
        found = found.filter(told)
        if number := found.count():
            remove = found.delete if form.personal.whole_row else partial(_blank, found, form)
            yield Found(f"Changes of {form.dataset.title.lower()}", number, remove)


def _told(found: QuerySet[Any], sides: Sequence[str], form: Form) -> Q:
    """Which entries of `found` have the value in one of their JSON fields `sides`."""
    name, told = form.personal.column, Q()
    if not form.personal.field:
        for side in sides:
            told |= Q(**{f"{side}__{name}": form.value})
        return told
    # It was stored in any spelling.
    for side in sides:
        told |= Q(**{f"{side}__has_key": name})
    having = found.filter(told).only("pk", *sides).iterator(chunk_size=PIECE)
    return Q(pk__in=[entry.pk for entry in having if any(form.is_in(getattr(entry, side)) for side in sides)])


def _blank(found: QuerySet[Change], form: Form) -> None:
    for change in list(found):
        sides = {
            side: {**values, form.personal.column: ""}
            for side, values in (("before", change.before), ("after", change.after))
            if values and form.is_in(values)
        }
        Change.objects.filter(pk=change.pk, run=change.run_id).update(**sides)


def rows(sought: Sought) -> Iterator[Found]:
    """Rows of datasets: the whole row goes, or the cell alone where the dataset says so."""
    for form in sought.forms:
        found = _rows(form)
        if number := found.count():
            remove = found.delete if form.personal.whole_row else partial(found.update, **{form.personal.column: ""})
            part = "" if form.personal.whole_row else f", {form.personal.column} alone"
            yield Found(f"{form.dataset.title}{part}", number, remove)


def _rows(form: Form) -> QuerySet[Any]:
    key = form.dataset.key
    by_key = form.personal.column == key.column and not key.more and not form.personal.field
    where = {key.field: key.fold(form.value)} if by_key else {form.personal.field or form.personal.column: form.value}
    return form.dataset.model._default_manager.filter(**where)


def held_rows(sought: Sought) -> Iterator[Found]:
    """Rows that wait for their moment, which is then never; and what is kept of those that were stored or discarded."""
    for form in sought.forms:
        held = Held.objects.filter(dataset=form.dataset.name)
        held = held.filter(_told(held, ("values",), form))
        if number := held.count():
            yield Found(f"Held {form.dataset.title.lower()}", number, partial(_never, held))


def _never(held: QuerySet[Held]) -> None:
    numbers = list(held.values_list("pk", flat=True))
    HeldValue.objects.filter(held__in=numbers).delete()
    waiting = Held.objects.filter(pk__in=numbers, state=Held.State.WAITING)
    waiting.update(state=Held.State.DISCARDED, ended_at=timezone.now())
    Held.objects.filter(pk__in=numbers).update(values={})


def rejects(sought: Sought) -> Iterator[Found]:
    """Rejected lines: the line and its reason stay, so that the import still adds up, without cells and quotes."""
    numbers: dict[str, list[int]] = {}
    found = Reject.objects.filter(run__in=file_search.imports()).order_by("pk").annotate(dataset=F("run__dataset"))
    for reject in found.iterator(chunk_size=PIECE):
        if sought.in_text([*map(str, reject.cells), reject.reason]):
            numbers.setdefault(reject.dataset, []).append(reject.pk)
    for name, some in sorted(numbers.items()):
        yield Found(f"Rejected lines of {_title(name)}", len(some), partial(_empty, some))


def _title(name: str) -> str:
    """A dataset as people call it, one that was taken out by its name."""
    try:
        return datasets.get(name).title.lower()
    except KeyError:
        return name


def _empty(numbers: list[int]) -> None:
    for begin in range(0, len(numbers), PIECE):
        piece = list(Reject.objects.filter(pk__in=numbers[begin : begin + PIECE]))
        for reject in piece:
            retention.empty(reject)
        Reject.objects.bulk_update(piece, ["cells", "reason"])


def read_lines(sought: Sought) -> Iterator[Found]:
    """What imports have read and not written: kept for one that failed, which must read its file anew after this.

    Such an import's file has the person in it, too, most often, and they went with it. `remove` raises InTheWay for an import
    that has not ended.
    """
    for run in file_search.imports().filter(pk__in=work_tables.found()).order_by("pk"):
        forms = [form for form in sought.forms if form.dataset.name == run.dataset]
        if any(work_tables.hold(run.pk, form.personal.column, form.value) for form in forms):
            yield Found("Imports that keep what they have read", 1, partial(drop_read, run))


def drop_read(run: Import) -> None:
    """Drop what an import has read. Raises InTheWay for one that has not ended."""
    if run.state not in FINAL:
        raise InTheWay.by(run)
    work_tables.drop(run.pk)
    if work_tables.exist(run.pk):
        raise InTheWay.by(run)


def notes(sought: Sought) -> Iterator[Found]:
    """What imports, exports and remembered mappings quote: examples in a review, a heading that is no heading, an error."""
    # A table that is being read is not written to: SQLite would give rows twice.
    said_of: list[Found] = []
    for run in file_search.imports().filter(state__in=FINAL).only("review", "checkpoint", "error").iterator(chunk_size=PIECE):
        said = {"review": run.review, "checkpoint": run.checkpoint, "error": run.error}
        clean = {field: _without(value, sought) for field, value in said.items()}
        if clean != said:
            said_of.append(Found("Notes of imports", 1, partial(Import.objects.filter(pk=run.pk).update, **clean)))
    for export in Export.objects.filter(dataset__in=[dataset.name for dataset in sought.datasets]).exclude(error=""):
        if (clean_error := _without(export.error, sought)) != export.error:
            update = partial(Export.objects.filter(pk=export.pk).update, error=clean_error)
            said_of.append(Found("Notes of exports", 1, update))
    yield from said_of
    for mapping in Mapping.objects.filter(dataset__in=[dataset.name for dataset in sought.datasets]):
        if sought.in_text(mapping.columns.values()):
            yield Found("Remembered mappings", 1, mapping.delete)


def file_names(sought: Sought) -> Iterator[Found]:
    """Names of files, those of deleted ones included."""
    files = StoredFile.objects.filter(imports__in=file_search.imports()).distinct().values_list("pk", "name")
    numbers = [pk for pk, name in files.iterator(chunk_size=PIECE) if sought.in_text([name, PurePath(name).stem])]
    if numbers:
        yield Found("Names of files", len(numbers), partial(StoredFile.objects.filter(pk__in=numbers).update, name=NAMELESS))


def dead_letters(sought: Sought) -> Iterator[Found]:
    """Messages that could not be stored, also those that were sent again or discarded."""
    letters = DeadLetter.objects.values_list("pk", "body", "reason").iterator(chunk_size=PIECE)
    numbers = [pk for pk, body, reason in letters if sought.in_text([*_said(bytes(body)), reason])]
    if numbers:
        yield Found("Dead letters", len(numbers), DeadLetter.objects.filter(pk__in=numbers).delete)


def _said(body: bytes) -> list[str]:
    """A message as it came, and what JSON has in it, which spells é as \\u00e9."""
    text = body.decode(errors="replace")
    try:
        return [text, *_texts(json.loads(text))]
    except (ValueError, RecursionError):
        return [text]


def _texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _without(value: Any, sought: Sought) -> Any:
    """A JSON value in which every text that has the person in it says no more than it must."""
    if isinstance(value, dict):
        return {name: _without(part, sought) for name, part in value.items()}
    if isinstance(value, list):
        return [_without(part, sought) for part in value]
    if not isinstance(value, str) or not sought.in_text([value]):
        return value
    clean = without_quotes(value)
    return "" if sought.in_text([clean]) else clean


#: In the order in which they are cleared.
PLACES: list[Place] = [changes, rows, held_rows, rejects, read_lines, notes, file_names, dead_letters]


def found(sought: Sought) -> Iterator[Found]:
    """What every place has of the person, one after the other: each may be removed before the next is asked."""
    for place in PLACES:
        yield from place(sought)
