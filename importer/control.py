"""The verbs of the importer that a page, a command or the API may call."""

from django.db import transaction

from accounts.models import User
from importer import datasets, runner
from importer.models import Import, StoredFile
from importer.options import Options
from importer.values import BadFile, quote


def submit(
    file: StoredFile,
    dataset: str,
    owner: User | None,
    mode: Import.Mode = Import.Mode.APPLY,
    options: Options | None = None,
) -> Import:
    """Queue a stored file for import into `dataset` and tell the workers after the commit.

    Raises BadFile when the file is empty or has not arrived in full, KeyError when there is no such dataset.
    """
    datasets.get(dataset)
    if not file.size:
        raise BadFile(f"The file {quote(file.name)} is empty.")
    if file.completed_at is None:
        raise BadFile(
            f"Only {file.received:,} of {file.size:,} bytes of {quote(file.name)} have arrived; finish the upload first."
        )
    with transaction.atomic():
        run = Import.objects.create(
            file=file, dataset=dataset, owner=owner, mode=mode, options=(options or Options()).as_json()
        )
        transaction.on_commit(lambda: runner.hint(run.pk))
    return run
