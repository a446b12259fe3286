"""Whole imports in this process, on the real database."""

import io
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from kombu import Connection

from accounts.models import User
from importer import control, runner
from importer.broker.letters import dead_queue, results_queue, rows_queue
from importer.intake import uploads
from importer.models import Import
from tests.importer.s3 import S3

Load = Callable[..., Import]


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.com", name="Ada", role="editor")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob@example.com", name="Bob", role="admin")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """An S3 server with an empty bucket."""
    server = S3()
    yield server
    server.stop()


@pytest.fixture
def submit(transactional_db: None, settings, tmp_path) -> Load:
    """Store `content` as a file and queue its import, `chosen` as control.submit takes it; no worker hears of it."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}},
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


@pytest.fixture(params=["valkey", "redis", "rabbitmq"])
def queue_broker(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    """The address of each broker in turn, with queues of this test's own; rows are given back after two seconds."""
    url: str = settings.BROKER_URL if request.param == "valkey" else request.getfixturevalue(f"{request.param}_url")
    settings.BROKER_URL, settings.LOADIFY_QUEUE_RETURN = url, 2
    settings.LOADIFY_QUEUE_PREFIX = f"test{os.urandom(4).hex()}."
    yield url
    with Connection(url) as broker:
        channel: Any = broker.channel()
        for dataset in ("people", "cards"):
            for queue in (rows_queue(dataset), dead_queue(rows_queue(dataset)), results_queue()):
                if url.startswith("amqp"):
                    channel.queue_delete(queue)
                else:
                    channel.client.delete(queue, f"{queue}.taken", f"{queue}.taken.at")
