"""Whole imports in this process, on the real database."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from importer import control, runner
from importer.intake import uploads
from importer.models import Import

Load = Callable[..., Import]


@pytest.fixture
def submit(transactional_db: None, settings, tmp_path) -> Load:
    """Store `content` as a file and queue its import, `chosen` as control.submit takes it; no worker hears of it."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}},
    }

    def submit(content: str | bytes, dataset: str = "products", name: str = "file.csv", **chosen: Any) -> Import:
        data = content.encode() if isinstance(content, str) else content
        return control.submit(uploads.keep(None, name, io.BytesIO(data)), dataset, owner=None, **chosen)

    return submit


@pytest.fixture
def load(submit: Load) -> Load:
    """Store `content` as a file and import it here and now."""

    def load(content: str | bytes, dataset: str = "products", name: str = "file.csv", **chosen: Any) -> Import:
        run = submit(content, dataset, name, **chosen)
        runner.run(run.pk)
        run.refresh_from_db()
        return run

    return load


def query(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
