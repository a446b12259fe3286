"""A machine whose storage is not the one that its database knows does no harm."""

import io
import threading
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from accounts.models import User
from importer import tasks
from importer.intake import identity, uploads
from importer.models import Import, StorageMark, StoredFile
from importer.states import State
from tests.importer.test_uploads import Sender

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _new_process(submit, monkeypatch) -> None:
    monkeypatch.setattr(identity, "_known", False)


def mark() -> str:
    with default_storage.open(".storage-id") as file:
        return file.read().decode()


def test_first_process_marks_storage_and_database() -> None:
    identity.check()
    assert mark() == StorageMark.objects.get().text


def test_processes_that_start_at_once_agree(monkeypatch) -> None:
    problems = []

    def start() -> None:
        try:
            identity._check()
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (problems, mark()) == ([], StorageMark.objects.get().text)


def test_new_database_takes_the_mark_of_its_storage() -> None:
    identity.check()
    before = mark()
    StorageMark.objects.all().delete()
    identity._check()
    assert mark() == before == StorageMark.objects.get().text


@pytest.fixture(params=["", "6f1c7f0e-0000-4000-8000-000000000000"], ids=["a new disk", "another disk"])
def queued(submit, tmp_path: Path, monkeypatch, request: pytest.FixtureRequest) -> Import:
    """An import that was submitted elsewhere; the storage of this machine is another one."""
    run = submit("sku,name,description\nA-1,Mug,Red\n")
    place = tmp_path / ".storage-id"
    place.write_text(request.param) if request.param else place.unlink()
    monkeypatch.setattr(identity, "_known", False)
    return run


def test_machine_with_another_storage_takes_no_work(queued: Import, caplog) -> None:
    with pytest.raises(identity.OtherStorage, match=r"share a bucket \(STORAGE_URL\), or a folder"):
        identity.check()
    tasks.run(queued.pk)
    assert Import.objects.get().state == State.QUEUED
    assert "This worker takes no work: The storage that this machine sees is not the one" in caplog.text


def test_machine_with_another_storage_takes_no_uploads(queued: Import, live_server) -> None:
    owner = User.objects.create_user("anna@example.com", "not-important-9", role="editor")
    with pytest.raises(uploads.StorageAway, match="is not the one in which the files of this database lie"):
        uploads.keep(owner, "prices.csv", io.BytesIO(b"a"))
    answer = Sender(live_server.url, owner).ask("POST", "/uploads/", Upload_Length="3", Upload_Metadata="filename YQ==")
    assert (answer.status_code, StoredFile.objects.count()) == (503, 1)
