"""Which loader the database of this site takes."""

from collections.abc import Sequence

from django.db import connection

from importer.datasets import Dataset
from importer.loaders.portable import PortableLoader
from importer.loaders.postgres import PostgresLoader

Loader = PostgresLoader | PortableLoader


def loader_for(dataset: Dataset, run_id: int, names: Sequence[str]) -> Loader:
    kind = PostgresLoader if connection.vendor == "postgresql" else PortableLoader
    return kind(dataset, run_id, names)
