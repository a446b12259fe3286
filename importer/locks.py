"""Who may change a dataset: one import at a time, by a row that is taken and given back with one conditional UPDATE."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from importer.heart import lease
from importer.loaders.sql import itself
from importer.models import DatasetLock, Import
from importer.states import FINAL, State
from importer.values import ImportProblem


class Taken(ImportProblem):
    """An import has the dataset; `run` is that import."""

    def __init__(self, run: Import) -> None:
        self.run = run
        super().__init__(f"An import is changing {run.dataset} right now; wait until it is done, or stop it first.")


def free() -> Q:
    """Nobody has it, or who had it is at its end, or it was a person's and the lease ran out."""
    return Q(run=None) & (Q(lease_until=None) | Q(lease_until__lt=Now())) | Q(run__state__in=FINAL)


def take(run: Import) -> bool:
    """Make the dataset this import's own, for this attempt. False when another import has it or waits for longer."""
    DatasetLock.objects.get_or_create(dataset=run.dataset)
    with transaction.atomic():
        # The lock row is held to the end of this transaction: two imports that ask at once are answered one after the other.
        lock = DatasetLock.objects.select_for_update().get(dataset=run.dataset)
        if lock.run_id != run.pk:
            if not DatasetLock.objects.filter(free(), dataset=run.dataset).exists():
                return False
            if Import.objects.filter(dataset=run.dataset, state=State.WAITING, pk__lt=run.pk).exists():
                return False
        DatasetLock.objects.filter(dataset=run.dataset).update(
            run=run, attempt=run.attempt, holder=f"import {run.public_id}", lease_until=Now() + lease()
        )
    return True


def keep_out(dataset: str) -> None:
    """Keep imports away from the dataset to the end of the caller's transaction. Raises Taken when one has it."""
    DatasetLock.objects.get_or_create(dataset=dataset)
    lock = DatasetLock.objects.select_for_update(of=itself()).select_related("run").get(dataset=dataset)
    if lock.run is not None and not lock.run.is_final:
        raise Taken(lock.run)


def turn(dataset: str) -> None:
    """Stand in line, to the end of the caller's transaction, for saying when rows of a dataset may be stored.

    An import has the dataset for as long as it runs; held rows whose moment comes meanwhile are stored between two of its
    steps.
    """
    DatasetLock.objects.get_or_create(dataset=f"{dataset} holds")
    DatasetLock.objects.select_for_update().get(dataset=f"{dataset} holds")


def release(run: Import) -> None:
    DatasetLock.objects.filter(dataset=run.dataset, run=run).update(run=None, holder="", lease_until=None)


def next_waiting(dataset: str) -> int | None:
    """The import that is first in line for a dataset that is free, if any."""
    if DatasetLock.objects.filter(dataset=dataset).exclude(free()).exists():
        return None
    return Import.objects.filter(dataset=dataset, state=State.WAITING).order_by("pk").values_list("pk", flat=True).first()


def missing(dataset: str) -> list[list[str]]:
    """Search indexes that are not there: [[name, definition], …]"""
    found: Any = DatasetLock.objects.filter(dataset=dataset).values_list("missing_indexes", flat=True).first()
    return list(found or [])


def note_missing(dataset: str, indexes: list[list[str]]) -> None:
    DatasetLock.objects.filter(dataset=dataset).update(missing_indexes=[*missing(dataset), *indexes])


def note_built(dataset: str, name: str) -> None:
    left = [entry for entry in missing(dataset) if entry[0] != name]
    DatasetLock.objects.filter(dataset=dataset).update(missing_indexes=left)
