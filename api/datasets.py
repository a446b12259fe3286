"""Every dataset over the API: what there is, and its records as the pages show them."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.errors import HttpError

from api.problems import Invalid, Problem
from importer import browse, datasets
from importer.datasets import Dataset

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


class RecordPage(Schema):
    """Records have `id`, the dataset's columns and its date; `next` and `previous` are values for the parameter `cursor`."""

    items: list[dict[str, Any]]
    next: str | None
    previous: str | None


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
    name: str,
    q: str = "",
    first: Annotated[str, Query(alias="from")] = "",
    last: Annotated[str, Query(alias="to")] = "",
    cursor: str = "",
) -> dict[str, Any]:
    """25 records a page, newest first. `from` and `to` are days, both included; `q` is a piece of a text, or in a large
    dataset the beginning of a key, or a whole phone number or e-mail address."""
    try:
        dataset = datasets.get(name)
    except KeyError as problem:
        raise HttpError(404, str(problem.args[0])) from None
    found = browse.find(dataset, {"q": q, "from": first, "to": last}, cursor)
    if not found.asked.is_valid():
        raise Invalid(found.asked, kind="parameter")
    return {
        "items": [_record(dataset, row) for row in found.page.rows],
        "next": found.page.next or None,
        "previous": found.page.previous or None,
    }


def _record(dataset: Dataset, row: Any) -> dict[str, Any]:
    return {"id": row.pk} | {name: getattr(row, name) for name, _ in browse.shown(dataset)}
