"""Rows of a dataset between two days, by its date field."""

from datetime import date, datetime, time, timedelta

from django.db import models
from django.utils import timezone

from importer.datasets import Dataset


def between(dataset: Dataset, first: date | None, last: date | None) -> dict[str, date | datetime]:
    """What the date field must be so that it lies between two days, both included, as {lookup: value}; None is no limit.

    The first and the last day of the calendar are none either: there is no midnight after them to compare with.
    Where it holds moments a day is one of TIME_ZONE, and moments are compared, not their days, so that an index is of use.
    """
    limits: dict[str, date | datetime] = {}
    moments = isinstance(dataset.model._meta.get_field(dataset.date_field), models.DateTimeField)
    first, last = (day if day not in (date.min, date.max) else None for day in (first, last))
    if first:
        limits["gte"] = _midnight(first) if moments else first
    if last and moments:
        limits["lt"] = _midnight(last + timedelta(days=1))
    elif last:
        limits["lte"] = last
    return limits


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
