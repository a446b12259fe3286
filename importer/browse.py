"""Rows of any dataset as people look at them: those that fit what is asked, a page at a time, and the values of one row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import models
from django.db.models import Q, QuerySet

from importer.changes import Entry
from importer.datasets import Dataset
from importer.days import between
from importer.values import ByteOrdered
from pages.paging import Page, Total, page, total

#: Rows of a page.
PAGE = 25
#: Sorts after every character that a text can hold, so that what begins with a piece lies between the piece and this.
_LAST = "\U0010ffff"


class Asked(forms.Form):
    """What narrows the list of a dataset down: `q`, a piece of a row's text, and the days `from` and `to`, both included."""

    q = forms.CharField(label="Search", required=False, max_length=255)

    def __init__(self, data: Mapping[str, str]) -> None:
        super().__init__(data, label_suffix="")
        # A class cannot call anything `from`.
        for name, label in (("from", "From"), ("to", "To")):
            self.fields[name] = forms.DateField(
                label=label,
                required=False,
                widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
                input_formats=["%Y-%m-%d"],
                error_messages={"invalid": "Write the day like 2024-12-31."},
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first, last = data.get("from"), data.get("to")
        if first and last and last < first:
            self.add_error("to", "The last day is before the first one.")
        return data

    def query(self) -> dict[str, str]:
        """What narrows, for addresses; after it was found valid."""
        return {name: str(value) for name, value in self.cleaned_data.items() if value}


@dataclass(frozen=True)
class Found:
    """A page of the rows that fit, and how many do; `by_beginning` says that pieces within texts were not looked for."""

    asked: Asked
    page: Page[models.Model]
    total: Total
    by_beginning: bool = False


@dataclass(frozen=True)
class Cell:
    """A value of a row: what it is called, and how it is shown: as a "moment", "day", "number", "key" or "text"."""

    name: str
    heading: str
    value: Any
    kind: str


@dataclass(frozen=True)
class Changed:
    """A Change in a row's story, with each field as cells: what it is called, before, after; None where nothing is known."""

    entry: Entry
    fields: list[tuple[str, Cell | None, Cell | None]]


def find(dataset: Dataset, data: Mapping[str, str], cursor: str) -> Found:
    """The rows that the query `data` asks for (Asked says how), on the page that `cursor` points to, newest first.

    In a table of up to COUNTED rows any piece of a text is found. In a larger one only what an index leads to: a phone
    number or an e-mail address in any spelling, or the beginning of a key; then rows come in the order of what was found.
    """
    asked = Asked(data)
    if not asked.is_valid():
        return Found(asked, Page([], "", ""), Total(0, "exact"))
    rows: QuerySet[models.Model] = dataset.model._default_manager.all()
    every = total(rows, narrowed=False)
    by, descending = newest_first(dataset), True
    days = between(dataset, asked.cleaned_data["from"], asked.cleaned_data["to"])
    rows = rows.filter(**{f"{dataset.date_field}__{lookup}": value for lookup, value in days.items()})
    typed, large = asked.cleaned_data["q"], every.kind != "exact"
    if typed and large:
        field, fits = next((way for way in _ways(dataset, typed) if _leads(rows, *way)), ("", Q(pk__in=[])))
        rows = rows.filter(fits)
        by, descending = ((field, "pk"), False) if field else (by, True)
    elif typed:
        rows = rows.filter(_anywhere(dataset, typed))
    number = total(rows, narrowed=True) if asked.query() else every
    return Found(asked, page(rows, cursor, _named(dataset, by), PAGE, descending=descending), number, bool(typed) and large)


def newest_first(dataset: Dataset) -> tuple[str, ...]:
    """What rows are ordered by: their date where an index has it in front, else their numbers, which rise with time, too."""
    return (dataset.date_field, "pk") if dataset.date_field in _indexed(dataset) else ("pk",)


def shown(dataset: Dataset) -> list[tuple[str, str]]:
    """The fields of a row that people see, and their headings: the key first, the others, and its date."""
    columns = sorted(dataset.columns, key=lambda column: column.name != dataset.key.column)
    fields = [(column.name, column.label) for column in columns]
    if dataset.date_field not in dict(fields):
        fields.append((dataset.date_field, "Stored" if dataset.date_field == "created_at" else "Date"))
    return fields


def cells(dataset: Dataset, row: models.Model) -> list[Cell]:
    return [cell(dataset, name, heading, getattr(row, name)) for name, heading in shown(dataset)]


def cell(dataset: Dataset, name: str, heading: str, value: Any) -> Cell:
    """One value, as the row has it or as a Change keeps it (JSON)."""
    field: models.Field[Any, Any] = dataset.model._meta.get_field(name)  # type: ignore[assignment]
    value = field.to_python(value)
    if field.choices:
        return Cell(name, heading, dict(field.flatchoices).get(value, value), "text")
    if isinstance(field, models.BooleanField):
        return Cell(name, heading, "" if value is None else "yes" if value else "no", "text")
    if isinstance(field, models.DecimalField) and value is not None:
        # A Change keeps a number as JSON does, without the zeros behind it.
        value = round(value, field.decimal_places)
    kinds = {
        models.DateTimeField: "moment",
        models.DateField: "day",
        models.DecimalField: "number",
        models.IntegerField: "number",
    }
    kind = next((word for kind, word in kinds.items() if isinstance(field, kind)), "text")
    return Cell(name, heading, value, "key" if name == dataset.key.column else kind)


def told(dataset: Dataset, story: list[Entry]) -> list[Changed]:
    """A row's story in the words of its dataset."""
    headings = dict(shown(dataset))

    def side(name: str, value: Any) -> Cell | None:
        return None if value is None else cell(dataset, name, headings[name], value)

    return [
        Changed(
            entry,
            [(headings[field.name], side(field.name, field.before), side(field.name, field.after)) for field in entry.fields],
        )
        for entry in story
    ]


def _named(dataset: Dataset, by: tuple[str, ...]) -> tuple[str, ...]:
    """Orders by the name of the primary key, which cursors look up among the fields."""
    pk = dataset.model._meta.pk
    assert pk is not None
    return tuple(pk.name if name == "pk" else name for name in by)


def _indexed(dataset: Dataset) -> set[str]:
    """The fields that lead an index."""
    options = dataset.model._meta
    led = {index.fields[0].removeprefix("-") for index in options.indexes if index.fields and not index.condition}
    led |= {each.fields[0] for each in options.constraints if isinstance(each, models.UniqueConstraint) and each.fields}
    return led | {
        field.name for field in options.get_fields() if getattr(field, "db_index", False) or getattr(field, "unique", False)
    }


def _ways(dataset: Dataset, typed: str) -> Iterator[tuple[str, Q]]:
    """The ways to rows that an index serves, the surest first: a field, and what it must be."""
    key, indexed = dataset.key, _indexed(dataset)
    for personal in dataset.personal:
        value = personal.same(typed)
        name = key.field if personal.column == key.column else personal.column
        if value and name in indexed:
            yield name, Q(**{name: key.piece(value) if name == key.field else value})
    yield key.field, _begins(key.field, key.piece(typed))
    for column in dataset.columns:
        field = dataset.model._meta.get_field(column.name)
        if isinstance(field, ByteOrdered) and column.name in indexed and column.name != key.field:
            for piece in dict.fromkeys((typed, typed.lower(), typed.upper())):
                yield column.name, _begins(column.name, piece)


def _leads(rows: QuerySet[models.Model], field: str, fits: Q) -> bool:
    # In order, because PostgreSQL would else look for one of many through the table, where they may all lie at its end.
    return bool(rows.filter(fits).order_by(field).values(field)[:1])


def _begins(name: str, piece: str) -> Q:
    """As a range, which every database's index serves; the field compares bytes."""
    return Q(**{f"{name}__gte": piece, f"{name}__lt": piece + _LAST})


def _anywhere(dataset: Dataset, typed: str) -> Q:
    """Rows with `typed` in any of their texts, or that it spells otherwise."""
    fits = Q(**{f"{dataset.key.field}__contains": dataset.key.piece(typed)}) if not dataset.key.more else Q()
    for column in dataset.columns:
        field = dataset.model._meta.get_field(column.name)
        if isinstance(field, (models.CharField, models.TextField)) and not field.choices:
            fits |= Q(**{f"{column.name}__icontains": typed})
    for personal in dataset.personal:
        if value := personal.same(typed):
            fits |= Q(**{personal.column: value})
    return fits
