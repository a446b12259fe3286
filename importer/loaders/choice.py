"""Which loader the database of this site takes."""

from collections.abc import Sequence

from django.db import connection

from importer.datasets import Dataset
from importer.loaders.holding import HoldingPortable, HoldingPostgres
from importer.loaders.portable import PortableLoader
from importer.loaders.postgres import PostgresLoader
from importer.policies import HoldWithin

Loader = PostgresLoader | PortableLoader


def can_review() -> bool:
    """Whether imports can wait for a review here, and switch off what a file does not have."""
    return connection.vendor == "postgresql"


def loader_for(dataset: Dataset, run_id: int, names: Sequence[str]) -> Loader:
    kind: type[Loader]
    if isinstance(dataset.policy, HoldWithin):
        kind = HoldingPostgres if can_review() else HoldingPortable
    else:
        kind = PostgresLoader if can_review() else PortableLoader
    return kind(dataset, run_id, names)
