"""The verbs of exports that a page or a command may call; pressing twice is harmless. They raise Refused with a sentence."""

from datetime import date

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from importer import datasets, exports
from importer.control import Refused
from importer.models import Export, Import
from importer.states import ExportState
from importer.values import BadFile

Wanted = Import.Wanted


def request_export(
    dataset: str,
    owner: User | None,
    since: date | None = None,
    until: date | None = None,
    format: Export.Format = Export.Format.CSV,
    escape: bool = True,
) -> Export:
    """Queue an export of the rows from day `since` to day `until`, both included, and tell the workers after the commit.

    Raises KeyError when there is no such dataset, BadFile when the last day is before the first.
    """
    datasets.get(dataset)
    if since and until and until < since:
        raise BadFile(f"The last day, {until}, is before the first, {since}.")
    with transaction.atomic():
        export = Export.objects.create(dataset=dataset, owner=owner, since=since, until=until, format=format, escape=escape)
        transaction.on_commit(lambda: exports.hint(export.pk))
    return export


def pause(export: Export) -> None:
    """Stop behind the piece at work and free the worker; `resume` goes on from there."""
    same = Export.objects.filter(pk=export.pk)
    if not exports.move(same.filter(state=ExportState.QUEUED), ExportState.PAUSED):
        _ask(export, Wanted.PAUSE, {Wanted.RUN, Wanted.YIELD})
    export.refresh_from_db()
    if export.is_final:
        raise Refused(f"There is nothing to pause: the export is {_words(export)}.")


def resume(export: Export) -> None:
    """Go on from where it was paused."""
    same = Export.objects.filter(pk=export.pk)
    if exports.move(same.filter(state=ExportState.PAUSED), ExportState.QUEUED):
        exports.hint(export.pk)
    else:
        _ask(export, Wanted.RUN, {Wanted.PAUSE})
    export.refresh_from_db()
    if export.is_final:
        raise Refused(f"There is nothing to resume: the export is {_words(export)}.")


def cancel(export: Export) -> None:
    """End it without a file."""
    idle = Export.objects.filter(pk=export.pk, state__in=[ExportState.QUEUED, ExportState.PAUSED])
    if exports.move(idle, ExportState.CANCELLED, finished_at=timezone.now()):
        exports.clear(export)
    else:
        _ask(export, Wanted.CANCEL, {Wanted.RUN, Wanted.YIELD, Wanted.PAUSE})
    export.refresh_from_db()
    if export.state in (ExportState.DONE, ExportState.FAILED):
        raise Refused(f"There is nothing to cancel: the export is {_words(export)}.")


def _ask(export: Export, wanted: Import.Wanted, instead_of: set[Import.Wanted]) -> None:
    """Tell the worker that has the export; its heart looks every second."""
    writing = Export.objects.filter(pk=export.pk, state=ExportState.WRITING, wanted__in=instead_of)
    writing.update(wanted=wanted, version=F("version") + 1)


def _words(export: Export) -> str:
    return str(ExportState(export.state).label).lower()
