"""Every dataset over the API: what there is, and its records as the pages show them."""

from datetime import date
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.errors import HttpError

from api.fields import Cursor, DatasetName, Day, Typed
from api.lists import Listed, listed
from api.problems import Invalid, Problem
from importer import browse, datasets
from importer.datasets import Dataset
from pages.paging import Page

router = Router(tags=["datasets"])


class ColumnOut(Schema):
    name: str
    title: str
    required: bool


class DatasetOut(Schema):
    """`date_field` is the field that `from` and `to` go by."""

    name: str
    title: str
    date_field: str
    layouts: list[str]
    columns: list[ColumnOut]


class RecordPage(Listed[dict[str, Any]]):
    """Records have `id`, the dataset's columns and its date."""


@router.get("", response=list[DatasetOut], summary="List datasets")
def list_datasets(request: HttpRequest) -> list[dict[str, Any]]:
    """What files may be imported as, and what their rows have."""
    return [
        {
            "name": dataset.name,
            "title": dataset.title,
            "date_field": dataset.date_field,
            "layouts": [layout.name for layout in dataset.layouts],
            "columns": [
                {"name": column.name, "title": column.label, "required": column.required} for column in dataset.columns
            ],
        }
        for dataset in datasets.all()
    ]


@router.get("/{name}/records", response={200: RecordPage, 404: Problem}, summary="List or search records")
def list_records(
    request: HttpRequest,
    name: DatasetName,
    q: Typed = "",
    first: Annotated[Day | None, Query(None, alias="from")] = None,
    last: Annotated[Day | None, Query(None, alias="to")] = None,
    cursor: Cursor = "",
) -> dict[str, Any]:
    """25 records a page, newest first. `from` and `to` are days, both included; `q` is a piece of a text, or in a large
    dataset the beginning of a key, or a whole phone number or e-mail address."""
    try:
        dataset = datasets.get(name)
    except KeyError as problem:
        raise HttpError(404, str(problem.args[0])) from None
    found = look(dataset, q, first, last, cursor)
    return listed(found, [_record(dataset, row) for row in found.rows])


def look(dataset: Dataset, q: str, first: date | None, last: date | None, cursor: str) -> Page[Any]:
    """A page of the records that fit, as on the dataset's page. Raises Invalid."""
    days = {name: day.isoformat() if day else "" for name, day in (("from", first), ("to", last))}
    found = browse.find(dataset, {"q": q, **days}, cursor)
    if not found.asked.is_valid():
        raise Invalid(found.asked, kind="parameter")
    return found.page


def _record(dataset: Dataset, row: Any) -> dict[str, Any]:
    return {"id": row.pk} | {name: getattr(row, name) for name, _ in browse.shown(dataset)}
