"""Room for files: a sentence with figures before and when a limit is reached, by every door, and what counts."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import Right, User
from importer import quotas, unattended
from importer.intake import uploads
from importer.models import Export, StoredFile
from importer.quotas import Room

pytestmark = pytest.mark.django_db(transaction=True)

MB = 1_000_000


@pytest.fixture(autouse=True)
def _storage(settings: Any, tmp_path: Path) -> None:
    settings.LOADIFY_DISK_RESERVE = 0
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path / "files"}},
    }


def stored(owner: User | None, size: int, **fields: Any) -> StoredFile:
    return StoredFile.objects.create(owner=owner, name="old.csv", path="uploads/old", size=size, **fields)


def test_what_is_kept_of_a_person_and_in_all(settings: Any, ada: User, bob: User) -> None:
    settings.LOADIFY_PERSON_QUOTA, settings.LOADIFY_STORAGE_QUOTA = 10 * MB, 100 * MB
    stored(ada, 3 * MB, received=1)
    stored(ada, 50 * MB, deleted_at=timezone.now())
    stored(bob, 4 * MB)
    stored(None, 8 * MB)
    Export.objects.create(owner=ada, dataset="products", path="exports/1", bytes=2 * MB)
    Export.objects.create(owner=ada, dataset="products", path="", bytes=60 * MB)
    assert [room.used for room in quotas.rooms(ada.pk)] == [5 * MB, 17 * MB]
    assert [room.used for room in quotas.rooms(None)] == [17 * MB]


def test_upload_over_the_quota_of_a_person_is_refused_with_the_figures(settings: Any, ada: User, bob: User) -> None:
    settings.LOADIFY_PERSON_QUOTA = 10 * MB
    stored(ada, 9 * MB)
    with pytest.raises(uploads.DiskFull) as refused:
        uploads.begin(ada, "new.csv", MB + 1)
    assert str(refused.value) == (
        "There is no room for the file. Your part of the storage is too full: 9.0 MB of 10.0 MB are used, and “new.csv” has "
        "1.0 MB. Files are deleted 90 days after their import has ended. Ask an admin for more room."
    )
    assert uploads.begin(ada, "fits.csv", MB).size == MB
    assert uploads.begin(bob, "others.csv", 9 * MB).size == 9 * MB
    assert uploads.keep(None, "nobody.csv", io.BytesIO(b"x" * 100)).size == 100


def test_whole_file_is_refused_before_it_is_read(settings: Any, ada: User, tmp_path: Path) -> None:
    settings.LOADIFY_STORAGE_QUOTA = 1000
    (tmp_path / "a.csv").write_bytes(b"x" * 1001)
    with (tmp_path / "a.csv").open("rb") as stream:
        with pytest.raises(uploads.DiskFull, match="The storage is too full: 0 bytes of 1.0 kB are used"):
            uploads.keep(None, "a.csv", stream)
        assert stream.tell() == 0
    with pytest.raises(uploads.DiskFull):
        uploads.keep(ada, "b.csv", SimpleUploadedFile("b.csv", b"x" * 1001))
    assert not (tmp_path / "files").exists()


def test_uploads_in_parts_and_programs_hear_507(settings: Any, ada: User, client: Client) -> None:
    settings.LOADIFY_PERSON_QUOTA = 10
    _, key = tokens.make(ada, "shop", tuple(Right))
    who = {"Authorization": f"Bearer {key}"}
    begun = client.post("/uploads/", headers=who | {"Tus-Resumable": "1.0.0", "Upload-Length": "11"})
    assert (begun.status_code, "Your part of the storage" in begun.content.decode()) == (507, True)
    sent = client.post("/api/v1/imports", {"file": SimpleUploadedFile("a.csv", b"sku,name\na,One\n")}, headers=who)
    assert (sent.status_code, sent.json()["status"]) == (507, 507)
    assert "Your part of the storage" in sent.json()["detail"]


def test_file_of_a_folder_waits_for_room(settings: Any, tmp_path: Path) -> None:
    settings.LOADIFY_STORAGE_QUOTA = 10
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "products.csv").write_text("sku,name,description\na,One,\n")
    (full,) = unattended.take_all(inbox, 0, unattended.Wish())
    assert full.waits and "The storage is too full" in full.problem
    settings.LOADIFY_STORAGE_QUOTA = 1000
    (there,) = unattended.take_all(inbox, 0, unattended.Wish())
    assert there.run is not None and [path.name for path in (inbox / "done").iterdir()] == ["products.csv"]


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (79, ""),
        (80, "The storage is 80 % full: 80 bytes of 100 bytes are used. Free it."),
        (100, "The storage is full: 100 bytes of 100 bytes are used. Free it."),
        (120, "The storage is full: 120 bytes of 100 bytes are used. Free it."),
    ],
)
def test_warning_comes_at_four_fifths(used: int, said: str) -> None:
    assert Room("The storage is", used, 100, 20, "Free it.").warning() == said


def test_disk_keeps_its_reserve_and_what_unfinished_uploads_bring(settings: Any, ada: User, tmp_path: Path) -> None:
    usage = quotas.shutil.disk_usage(tmp_path)
    settings.LOADIFY_DISK_RESERVE = max(1, usage.free // 2)
    (room,) = quotas.rooms(None)
    assert abs(room.left - usage.free // 2) < usage.free // 10
    # For all of what uploads that are under way still bring there is room; for the next one there is not.
    due = timezone.now() + timedelta(hours=settings.LOADIFY_UPLOAD_HOURS)
    file = stored(ada, room.left, received=10, expires_at=due - quotas.ACTIVE)
    (room,) = quotas.rooms(None)
    # Nothing came of it for a while, so it keeps nobody out.
    assert room.left > usage.free // 4
    StoredFile.objects.filter(pk=file.pk).update(expires_at=due)
    (room,) = quotas.rooms(None)
    assert room.left < usage.free // 10
    with pytest.raises(uploads.DiskFull, match="The server's disk is too full"):
        uploads.begin(ada, "new.csv", usage.free // 4)


def test_storage_elsewhere_looks_after_its_own_room(settings: Any) -> None:
    settings.LOADIFY_DISK_RESERVE = 1
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.Storage"}}
    assert quotas.local_folder() is None
    assert quotas.rooms(None) == []


def test_pages_warn_who_can_do_something(settings: Any, ada: User, bob: User, client: Client) -> None:
    settings.LOADIFY_PERSON_QUOTA, settings.LOADIFY_STORAGE_QUOTA = 10 * MB, 10 * MB
    stored(ada, 8 * MB)
    client.force_login(ada)
    page = client.get("/imports/new/").content.decode()
    assert "Your part of the storage is 80 % full: 8.0 MB of 10.0 MB are used." in page
    assert "The storage is 80 % full" in page
    assert "80 % full" not in client.get("/imports/").content.decode()
    client.force_login(bob)
    assert "The storage is 80 % full" in client.get("/imports/").content.decode()
    assert client.get("/imports/new/").content.decode().count("The storage is 80 % full") == 1
