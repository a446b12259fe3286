"""Uploads in parts (tus 1.0), spoken by tuspy and by hand to a real server."""

import base64
import errno
import hashlib
import io
import os
import socket
import threading
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.http import UnreadablePostError
from django.test import Client
from django.utils import timezone
from tusclient.client import TusClient

from accounts import tokens
from accounts.models import Right, User
from importer.intake import uploads
from importer.models import Import, StoredFile

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = bytes(range(256)) * 1200
TOKEN = "t" * 32


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}},
    }


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", role="editor")


def signed_in(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    return {"Cookie": f"sessionid={session}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN, "Tus-Resumable": "1.0.0"}


class Sender:
    """One person's tus client that lets every header be wrong."""

    def __init__(self, url: str, user: User) -> None:
        self.url = url
        self.headers = signed_in(user)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> requests.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, self.url + path, data=body, headers={**self.headers, **names}, timeout=20)

    def begin(self, size: int, name: str = "prices.csv") -> str:
        """Begin an upload; returns its path."""
        metadata = "filename " + base64.b64encode(name.encode()).decode()
        answer = self.ask("POST", "/uploads/", Upload_Length=str(size), Upload_Metadata=metadata)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def part(self, path: str, offset: int, body: bytes, **headers: str) -> requests.Response:
        headers = {"Content_Type": "application/offset+octet-stream", **headers}
        return self.ask("PATCH", path, body, Upload_Offset=str(offset), **headers)

    def offset(self, path: str) -> int:
        answer = self.ask("HEAD", path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        return int(answer.headers["Upload-Offset"])

    def tuspy(self) -> TusClient:
        return TusClient(self.url + "/uploads/", headers=self.headers)


@pytest.fixture
def sender(live_server, owner: User) -> Sender:
    return Sender(live_server.url, owner)


def stored(file: StoredFile) -> bytes:
    with default_storage.open(file.path) as stream:
        return stream.read()


def test_upload_in_parts_arrives_whole(sender: Sender, owner: User) -> None:
    uploader = sender.tuspy().uploader(
        file_stream=io.BytesIO(CONTENT), chunk_size=64 * 1024, metadata={"filename": "Preisliste März.csv"}
    )
    uploader.upload()
    file = StoredFile.objects.get()
    assert (file.name, file.owner, file.size, file.received) == ("Preisliste März.csv", owner, 307_200, 307_200)
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert file.completed_at is not None
    assert stored(file) == CONTENT


def test_upload_stopped_half_way_is_gone_on_with_by_another_client(sender: Sender) -> None:
    first = sender.tuspy().uploader(file_stream=io.BytesIO(CONTENT), chunk_size=100_000)
    first.upload(stop_at=200_000)
    assert sender.offset(urlsplit(first.url).path) == 200_000
    second = sender.tuspy().uploader(file_stream=io.BytesIO(CONTENT), chunk_size=100_000, url=first.url)
    assert second.offset == 200_000
    second.upload()
    assert stored(StoredFile.objects.get()) == CONTENT


def test_part_that_breaks_off_keeps_what_came(sender: Sender) -> None:
    path = sender.begin(len(CONTENT))
    assert sender.part(path, 0, CONTENT[:1000]).status_code == 204
    address = urlsplit(sender.url)
    with socket.create_connection((address.hostname, address.port)) as line:
        headers = {
            **sender.headers,
            "Host": address.netloc,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": "1000",
            "Content-Length": "100000",
        }
        head = f"PATCH {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line.sendall(head.encode() + b"\r\n" + CONTENT[1000:41_000])
        line.shutdown(socket.SHUT_WR)
        line.recv(1000)
    assert sender.offset(path) == 41_000
    assert sender.part(path, 41_000, CONTENT[41_000:]).status_code == 204
    assert stored(StoredFile.objects.get()) == CONTENT


class BrokenLine:
    """A request whose body breaks off after its first block, as Django tells of it."""

    def __init__(self, block: bytes) -> None:
        self.blocks = [block]

    def read(self, size: int = -1) -> bytes:
        if self.blocks:
            return self.blocks.pop()
        raise UnreadablePostError("The line was cut.")


def test_part_that_cannot_be_read_on_keeps_what_came(owner: User) -> None:
    file = uploads.begin(owner, "prices.csv", 2000)
    file = uploads.append(owner, file.public_id, 0, BrokenLine(CONTENT[:700]), 1000)
    assert file.received == 700
    wrong = uploads.Checksum("sha1", hashlib.sha1(CONTENT[700:1700]).digest())
    with pytest.raises(uploads.WrongChecksum):
        uploads.append(owner, file.public_id, 700, BrokenLine(CONTENT[700:900]), 1000, wrong)
    assert stored(StoredFile.objects.get()) == CONTENT[:700]


def test_part_at_a_wrong_offset_is_refused_and_nothing_lost(sender: Sender) -> None:
    path = sender.begin(len(CONTENT))
    sender.part(path, 0, CONTENT[:1000])
    answer = sender.part(path, 500, b"x" * 500)
    assert answer.status_code == 409
    assert answer.text == "The part begins at byte 500, but 1,000 bytes of the file are here.\n"
    assert sender.offset(path) == 1000
    assert stored(StoredFile.objects.get()) == CONTENT[:1000]


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_part_with_a_wrong_checksum_is_thrown_away(sender: Sender, name: str) -> None:
    path = sender.begin(2000)
    right = base64.b64encode(hashlib.new(name, CONTENT[:1000]).digest()).decode()
    answer = sender.part(path, 0, b"?" + CONTENT[1:1000], Upload_Checksum=f"{name} {right}")
    assert answer.status_code == 460
    assert "changed on its way" in answer.text
    assert sender.offset(path) == 0
    assert stored(StoredFile.objects.get()) == b""
    assert sender.part(path, 0, CONTENT[:1000], Upload_Checksum=f"{name} {right}").status_code == 204
    assert sender.offset(path) == 1000


def test_program_uploads_through_tuspy_with_a_token(live_server, owner: User) -> None:
    _, key = tokens.make(owner, "shop", [Right.IMPORT])
    client = TusClient(f"{live_server.url}/uploads/", headers={"Authorization": f"Bearer {key}"})
    client.uploader(file_stream=io.BytesIO(CONTENT), chunk_size=100_000, metadata={"filename": "shop.csv"}).upload()
    file = StoredFile.objects.get(owner=owner)
    assert (file.name, stored(file)) == ("shop.csv", CONTENT)


def test_checksum_by_tuspy_is_understood(sender: Sender) -> None:
    sender.tuspy().uploader(file_stream=io.BytesIO(CONTENT), chunk_size=100_000, upload_checksum=True).upload()
    assert stored(StoredFile.objects.get()) == CONTENT


def test_part_while_the_row_is_locked_is_told_to_wait(sender: Sender) -> None:
    path = sender.begin(2000)
    with transaction.atomic():
        StoredFile.objects.select_for_update().get()
        answer = sender.part(path, 0, CONTENT[:1000])
        taken_back = sender.ask("DELETE", path)
    assert answer.status_code == 423
    assert answer.text.startswith("Another part of this file is being written")
    assert taken_back.status_code == 423
    assert sender.part(path, 0, CONTENT[:1000]).status_code == 204


def test_two_writers_at_once_leave_one_part(sender: Sender) -> None:
    path = sender.begin(2_000_000)
    answers: list[int] = []
    bodies = [bytes([65 + number]) * 1_000_000 for number in range(4)]
    writers = [
        threading.Thread(target=lambda body=body: answers.append(sender.part(path, 0, body).status_code)) for body in bodies
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert answers.count(204) == 1
    assert set(answers) <= {204, 409, 423}
    assert sender.offset(path) == 1_000_000
    assert stored(StoredFile.objects.get()) in bodies


def test_upload_of_somebody_else_is_not_there(sender: Sender, live_server) -> None:
    path = sender.begin(2000)
    other = Sender(live_server.url, User.objects.create_user("ben@example.com", "not-important-9", role="editor"))
    assert other.ask("HEAD", path).status_code == 404
    assert other.part(path, 0, CONTENT[:1000]).status_code == 404
    assert other.ask("DELETE", path).status_code == 404
    assert sender.offset(path) == 0


def test_file_above_the_limit_is_refused_before_it_is_sent(sender: Sender, settings) -> None:
    settings.LOADIFY_MAX_FILE_SIZE = 1_000_000
    metadata = "filename " + base64.b64encode(b"huge.csv").decode()
    answer = sender.ask("POST", "/uploads/", Upload_Length="1000001", Upload_Metadata=metadata)
    assert answer.status_code == 413
    assert answer.text == "“huge.csv” has 1.0 MB or more; files of up to 1.0 MB are taken.\n"
    assert not StoredFile.objects.exists()


def test_part_above_the_limit_is_refused(sender: Sender, monkeypatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST_PART", 1000)
    path = sender.begin(5000)
    answer = sender.part(path, 0, b"x" * 1001)
    assert answer.status_code == 413
    assert answer.text == "The part has 1.0 kB; one request may carry 1.0 kB.\n"
    assert sender.offset(path) == 0


def test_part_beyond_the_end_of_the_file_is_refused(sender: Sender) -> None:
    path = sender.begin(1000)
    assert sender.part(path, 0, b"x" * 1001).status_code == 413
    assert sender.offset(path) == 0
    assert stored(StoredFile.objects.get()) == b""


def test_full_disk_loses_nothing_and_can_be_gone_on_with(sender: Sender, monkeypatch) -> None:
    path = sender.begin(2000, "prices.csv")
    sender.part(path, 0, CONTENT[:1000])

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        answer = sender.part(path, 1000, CONTENT[1000:2000])
    assert answer.status_code == 507
    assert answer.text == ("The server's disk is full. 1.0 kB of “prices.csv” are safe; go on when there is room again.\n")
    assert stored(StoredFile.objects.get()) == CONTENT[:1000]
    assert sender.offset(path) == 1000
    assert sender.part(path, 1000, CONTENT[1000:2000]).status_code == 204
    assert stored(StoredFile.objects.get()) == CONTENT[:2000]


def test_bytes_written_before_a_crash_but_not_counted_are_written_over(sender: Sender, tmp_path) -> None:
    path = sender.begin(2000)
    sender.part(path, 0, CONTENT[:1000])
    with (tmp_path / StoredFile.objects.get().path).open("ab") as file:
        file.write(b"never counted" * 100)
    assert sender.part(path, 1000, CONTENT[1000:1500]).status_code == 204
    assert stored(StoredFile.objects.get()) == CONTENT[:1500]


@pytest.mark.parametrize("left", [None, 0, 900], ids=["gone", "emptied", "cut off"])
def test_part_is_not_added_to_a_file_that_the_disk_has_lost(sender: Sender, owner: User, left: int | None) -> None:
    path = sender.begin(2000)
    sender.part(path, 0, CONTENT[:1000])
    place = default_storage.path(StoredFile.objects.get().path)
    os.unlink(place) if left is None else os.truncate(place, left)
    for body in (CONTENT[1000:1500], CONTENT[1000:2000]):
        answer = sender.part(path, 1000, body)
        assert (answer.status_code, answer.text) == (
            410,
            "What had arrived of “prices.csv” is not in storage any more. Begin it again.\n",
        )
    assert sender.offset(path) == 1000
    StoredFile.objects.update(received=2000)
    with pytest.raises(uploads.Expired, match="is not in storage any more"):
        uploads.complete(StoredFile.objects.get())


def test_upload_given_up_leaves_nothing(sender: Sender, tmp_path) -> None:
    path = sender.begin(2000)
    sender.part(path, 0, CONTENT[:1000])
    assert sender.ask("DELETE", path).status_code == 204
    assert sender.ask("HEAD", path).status_code == 404
    assert not StoredFile.objects.exists()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_file_of_an_import_cannot_be_taken_back(sender: Sender, owner: User) -> None:
    path = sender.begin(1000)
    sender.part(path, 0, CONTENT[:1000])
    Import.objects.create(file=StoredFile.objects.get(), dataset="products", owner=owner)
    answer = sender.ask("DELETE", path)
    assert answer.status_code == 403
    assert answer.text == "“prices.csv” belongs to an import and cannot be taken back.\n"
    assert stored(StoredFile.objects.get()) == CONTENT[:1000]


def test_options_say_what_is_spoken_here_to_anybody(live_server) -> None:
    answer = requests.options(live_server.url + "/uploads/", timeout=20)
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,expiration,termination,checksum"
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert int(answer.headers["Tus-Max-Size"]) == 20 * 1024**3


def test_head_tells_all_about_an_upload(sender: Sender) -> None:
    path = sender.begin(2000, "März, 2.csv")
    sender.part(path, 0, CONTENT[:500])
    answer = sender.ask("HEAD", path)
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Upload-Offset"] == "500"
    assert answer.headers["Upload-Length"] == "2000"
    assert base64.b64decode(answer.headers["Upload-Metadata"].split()[1]).decode() == "März, 2.csv"
    assert answer.headers["Upload-Expires"].endswith(" GMT")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Tus_Resumable": "0.2.2"}, 412),
        ("POST", {}, 400),
        ("POST", {"Upload_Length": "-1"}, 400),
        ("POST", {"Upload_Length": "½"}, 400),
        ("POST", {"Upload_Length": "9" * 19}, 400),
        ("POST", {"Upload_Length": "1", "Upload_Metadata": "filename ?"}, 400),
        ("GET", {}, 405),
        ("POST", {"Upload_Length": "1", "X_CSRFToken": ""}, 403),
        ("POST", {"Upload_Length": "1", "Cookie": f"csrftoken={TOKEN}"}, 401),
    ],
)
def test_creation_that_cannot_be_read_is_refused(sender: Sender, method: str, headers: dict[str, str], status: int) -> None:
    coded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert sender.ask(method, "/uploads/", **coded).status_code == status
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/csv"}, 415),
        ({"Upload_Offset": "first"}, 400),
        ({"Upload_Checksum": "md5 aGFsbG8="}, 400),
        ({"Upload_Checksum": "sha1 ?"}, 400),
    ],
)
def test_part_that_cannot_be_read_is_refused(sender: Sender, headers: dict[str, str], status: int) -> None:
    path = sender.begin(2000)
    headers = {"Content_Type": "application/offset+octet-stream", "Upload_Offset": "0", **headers}
    assert sender.ask("PATCH", path, b"xx", **headers).status_code == status
    assert sender.offset(path) == 0


def test_method_override_is_for_clients_that_can_only_post(sender: Sender) -> None:
    path = sender.begin(2)
    answer = sender.ask(
        "POST",
        path,
        b"xx",
        X_HTTP_Method_Override="PATCH",
        Upload_Offset="0",
        Content_Type="application/offset+octet-stream",
    )
    assert answer.status_code == 204
    assert sender.offset(path) == 2


def test_file_of_no_bytes_is_complete_at_once(sender: Sender) -> None:
    path = sender.begin(0)
    file = StoredFile.objects.get()
    assert file.completed_at is not None
    assert file.sha256 == hashlib.sha256(b"").hexdigest()
    assert sender.offset(path) == 0


def test_upload_not_gone_on_with_in_time_is_gone(sender: Sender, tmp_path) -> None:
    path = sender.begin(2000)
    StoredFile.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = sender.part(path, 0, CONTENT[:1000])
    assert answer.status_code == 410
    assert answer.text == "The upload of “prices.csv” was not gone on with in time. Begin it again.\n"
    assert uploads.forget_abandoned() == 1
    assert sender.ask("HEAD", path).status_code == 404
    assert list((tmp_path / "uploads").iterdir()) == []


def test_every_part_gives_the_upload_more_time(sender: Sender) -> None:
    path = sender.begin(2000)
    soon = timezone.now() + timedelta(minutes=1)
    StoredFile.objects.update(expires_at=soon)
    sender.part(path, 0, CONTENT[:1000])
    assert StoredFile.objects.get().expires_at > soon + timedelta(hours=23)


def test_forgetting_spares_what_is_used_or_young_or_being_written(owner: User) -> None:
    files = [uploads.keep(owner, name, io.BytesIO(b"x")) for name in ("old", "used", "young", "locked")]
    old, used, young, locked = files
    late = timezone.now() - timedelta(minutes=1)
    StoredFile.objects.exclude(pk=young.pk).update(expires_at=late)
    Import.objects.create(file=used, dataset="products")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            other.set_autocommit(False)
            cursor.execute("SELECT 1 FROM importer_storedfile WHERE id = %s FOR UPDATE", [locked.pk])
            assert uploads.forget_abandoned() == 1
            other.rollback()
    finally:
        other.close()
    assert set(StoredFile.objects.values_list("name", flat=True)) == {"used", "young", "locked"}
    assert not default_storage.exists(old.path)
    assert stored(used) == b"x"


def test_keep_stores_a_whole_stream(owner: User) -> None:
    file = uploads.keep(owner, "C:\\fakepath\\prices.csv", io.BytesIO(CONTENT))
    file.refresh_from_db()
    assert (file.name, file.size, file.received) == ("prices.csv", 307_200, 307_200)
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert stored(file) == CONTENT


def test_keep_leaves_nothing_of_a_file_above_the_limit(owner: User, settings, tmp_path) -> None:
    settings.LOADIFY_MAX_FILE_SIZE = 1000
    with pytest.raises(uploads.TooLarge, match=r"“prices\.csv” has .* files of up to 1\.0 kB are taken\."):
        uploads.keep(owner, "prices.csv", io.BytesIO(CONTENT))
    assert not StoredFile.objects.exists()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_complete_mends_an_upload_whose_end_was_cut_off(sender: Sender, owner: User, monkeypatch) -> None:
    path = sender.begin(1000)
    with monkeypatch.context() as broken:
        broken.setattr(uploads, "complete", lambda file: None)
        sender.part(path, 0, CONTENT[:1000])
    file = uploads.find(owner, StoredFile.objects.get().public_id)
    assert file.completed_at is None
    uploads.complete(file)
    assert StoredFile.objects.get().sha256 == hashlib.sha256(CONTENT[:1000]).hexdigest()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("prices.csv", "prices.csv"),
        ("../../etc/passwd", "passwd"),
        ("a\\b\\c.csv", "c.csv"),
        ("x\0\n\u202ey.csv", "xy.csv"),
        ("  ", "unnamed"),
        ("folder/", "unnamed"),
        ("ü" * 300, "ü" * 255),
    ],
)
def test_clean_name_keeps_no_folder_and_nothing_invisible(name: str, kept: str) -> None:
    assert uploads.clean_name(name) == kept
