"""Files in a bucket (moto's S3 server): uploads in parts, reading by ranges, whole imports and exports, an outage."""

import gzip
import hashlib
import io
import logging
import random
import threading
import time
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from importer import control, export_control, exports, runner, sweep, tasks
from importer.downloads import original
from importer.intake import orphans, uploads
from importer.models import Export, Heartbeat, Import, StoredFile
from importer.states import ExportState, State
from importer.storage import ranged
from importer.storage.parts import StorageProblem, growing
from importer.storage.ranged import Ranged
from products.models import Product
from tests.importer.s3 import S3
from tests.importer.test_uploads import Sender

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 1 << 20
CONTENT = random.Random(7).randbytes(12 * MIB)


@pytest.fixture(autouse=True)
def _in_the_bucket(s3: S3, settings, monkeypatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(ranged, "PAUSES", (0, 0))
    folder = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    use(settings, s3.storage(folder))


def use(settings, storage) -> None:
    options = {"bucket_name": storage.bucket_name, "location": storage.location, "endpoint_url": storage.endpoint_url}
    options |= {"access_key": "key", "secret_key": "secret", "region_name": "us-east-1"}
    bucket = {"BACKEND": "importer.storage.bucket.BucketStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": bucket}


@pytest.fixture
def away(s3: S3, settings):
    """Call it, and storage does not answer any more."""

    def away() -> None:
        storage = s3.storage(default_storage.location)
        storage.endpoint_url = "http://127.0.0.1:9"
        use(settings, storage)

    return away


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", role="editor")


@pytest.fixture
def sender(live_server, owner: User) -> Sender:
    return Sender(live_server.url, owner)


def parts_in_storage() -> list[str]:
    found = growing().client.list_multipart_uploads(Bucket="loadify", Prefix=default_storage.location)
    return [upload["Key"] for upload in found.get("Uploads", ())]


def stored(file: StoredFile) -> bytes:
    return b"".join(original(file.path))


@pytest.mark.parametrize("part", [1 * MIB, 5 * MIB, 8 * MIB, 12 * MIB], ids=lambda size: f"{size // MIB}MiB")
def test_upload_in_parts_of_any_size_arrives_whole(sender: Sender, owner: User, part: int) -> None:
    path = sender.begin(len(CONTENT))
    for offset in range(0, len(CONTENT), part):
        assert sender.offset(path) == offset
        assert sender.part(path, offset, CONTENT[offset : offset + part]).status_code == 204
    file = StoredFile.objects.get()
    assert stored(file) == CONTENT
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (file.parts, parts_in_storage()) == ({}, [])
    assert default_storage.listdir("uploads") == ([], [str(file.public_id)])


def test_file_of_no_bytes_and_one_of_a_few_are_there(sender: Sender) -> None:
    sender.begin(0)
    path = sender.begin(5)
    assert sender.part(path, 0, b"a,b\n1").status_code == 204
    assert [stored(file) for file in StoredFile.objects.order_by("pk")] == [b"", b"a,b\n1"]


def test_parts_of_which_nobody_was_told_are_written_over(owner: User) -> None:
    file = uploads.begin(owner, "prices.csv", len(CONTENT))
    for offset, end in ((0, 2 * MIB), (2 * MIB, 9 * MIB), (9 * MIB, 12 * MIB)):
        # Another process sent something else from here on, and died before it could say so.
        growing().append(file.path, offset, [b"never counted" * 500_000], file.parts, file.size)
        growing().append(file.path, offset, [b"x"], file.parts, file.size)
        file = uploads.append(owner, file.public_id, offset, io.BytesIO(CONTENT[offset:end]), None)
    assert stored(file) == CONTENT


def test_part_that_changed_on_its_way_leaves_nothing(owner: User) -> None:
    file = uploads.begin(owner, "prices.csv", len(CONTENT))
    wrong = uploads.Checksum("sha1", b"0" * 20)
    with pytest.raises(uploads.WrongChecksum):
        uploads.append(owner, file.public_id, 0, io.BytesIO(CONTENT[: 8 * MIB]), None, wrong)
    assert (StoredFile.objects.get().received, parts_in_storage()) == (0, [])


def test_what_storage_has_lost_is_said(owner: User) -> None:
    file = uploads.begin(owner, "prices.csv", len(CONTENT))
    uploads.append(owner, file.public_id, 0, io.BytesIO(CONTENT[:100]), None)
    default_storage.delete(f"{file.path}.tail-1")
    with pytest.raises(uploads.Expired, match="is not in storage any more"):
        uploads.append(owner, file.public_id, 100, io.BytesIO(CONTENT[100:200]), None)
    file = uploads.begin(owner, "prices.csv", len(CONTENT))
    uploads.append(owner, file.public_id, 0, io.BytesIO(CONTENT[: 8 * MIB]), None)
    found = StoredFile.objects.get(pk=file.pk)
    found.parts["parts"][0][0] = "another part"
    StoredFile.objects.filter(pk=file.pk).update(received=len(CONTENT), parts=found.parts)
    with pytest.raises(uploads.Expired, match="is not in storage any more"):
        uploads.complete(StoredFile.objects.get(pk=file.pk))


def test_upload_is_completed_by_whoever_finds_it_half_completed(owner: User, monkeypatch) -> None:
    file = uploads.begin(owner, "prices.csv", len(CONTENT))
    uploads.append(owner, file.public_id, 0, io.BytesIO(CONTENT[: 8 * MIB]), None)
    with monkeypatch.context() as patch:
        # It dies after storage has made one file of the parts, and before the row says so.
        patch.setattr(StoredFile, "save", lambda self, **given: given["update_fields"][0] == "sha256" and 1 / 0)
        StoredFile.objects.filter(pk=file.pk).update(received=8 * MIB)
        with pytest.raises(ZeroDivisionError):
            uploads.append(owner, file.public_id, 8 * MIB, io.BytesIO(CONTENT[8 * MIB :]), None)
    found = StoredFile.objects.get()
    # That save was faked, so the row is written by hand as the transaction before would have left it.
    found.parts = {"id": "gone", "parts": [["x", 8 * MIB], ["y", 4 * MIB]]}
    found.received = len(CONTENT)
    found.save()
    uploads.complete(found)
    assert stored(StoredFile.objects.get()) == CONTENT


def test_upload_that_is_given_up_leaves_nothing(sender: Sender) -> None:
    path = sender.begin(len(CONTENT))
    sender.part(path, 0, CONTENT[: 8 * MIB])
    sender.part(path, 8 * MIB, CONTENT[8 * MIB : 9 * MIB])
    assert (len(parts_in_storage()), len(default_storage.listdir("uploads")[1])) == (1, 1)
    assert sender.ask("DELETE", path).status_code == 204
    assert (parts_in_storage(), default_storage.listdir("uploads")) == ([], ([], []))


def test_timetable_aborts_what_nobody_goes_on_with(owner: User) -> None:
    going_on = uploads.begin(owner, "young.csv", len(CONTENT))
    uploads.append(owner, going_on.public_id, 0, io.BytesIO(CONTENT[: 8 * MIB]), None)
    late = uploads.begin(owner, "late.csv", len(CONTENT))
    uploads.append(owner, late.public_id, 0, io.BytesIO(CONTENT[: 8 * MIB]), None)
    StoredFile.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    # Of a process that died before it could make a row.
    growing().append("uploads/orphan", 0, [CONTENT[: 8 * MIB]], {}, len(CONTENT))
    assert len(parts_in_storage()) == 3
    # moto dates every upload to the year 2010.
    assert growing().forget_parts(timedelta(days=50 * 365).total_seconds(), []) == 0
    assert uploads.forget_abandoned() == 1
    assert orphans.forget() == 1
    assert [key.rpartition("/")[2] for key in parts_in_storage()] == [str(going_on.public_id)]


def test_part_while_storage_is_away_is_told_to_come_again(sender: Sender, away, s3: S3, settings) -> None:
    folder = default_storage.location
    path = sender.begin(len(CONTENT))
    sender.part(path, 0, CONTENT[: 8 * MIB])
    away()
    answer = sender.part(path, 8 * MIB, CONTENT[8 * MIB :])
    assert (answer.status_code, answer.text) == (503, "Storage does not answer at the moment; try again shortly.\n")
    assert answer.headers["Retry-After"] == "10"
    assert sender.offset(path) == 8 * MIB
    use(settings, s3.storage(folder))
    assert sender.part(path, 8 * MIB, CONTENT[8 * MIB :]).status_code == 204
    assert stored(StoredFile.objects.get()) == CONTENT


class Unsteady:
    """Bytes to be fetched in stretches; each stretch breaks off the first time."""

    def __init__(self, data: bytes) -> None:
        self.data, self.tried, self.asked = data, set[int](), []

    def fetch(self, begin: int, length: int) -> bytes:
        if begin not in self.tried:
            self.tried.add(begin)
            raise StorageProblem("Storage does not answer.")
        self.asked.append((begin, length))
        return self.data[begin : begin + length]


@given(st.lists(st.tuples(st.integers(-300, 4 * MIB), st.sampled_from([0, 1, 2]), st.integers(0, 2 * MIB)), max_size=12))
def test_object_is_read_as_a_file_is(moves: list[tuple[int, int, int]]) -> None:
    data = CONTENT[: 3 * MIB + 17]
    plain, file = io.BytesIO(data), io.BufferedReader(Ranged(Unsteady(data).fetch, len(data)))
    for offset, whence, length in moves:
        offset = max(0, offset) if whence == 0 else offset
        if whence and plain.tell() * (whence == 1) + len(data) * (whence == 2) + offset < 0:
            continue
        assert plain.seek(offset, whence) == file.seek(offset, whence)
        assert plain.read(length) == file.read(length)


def test_object_is_read_in_longer_and_longer_stretches() -> None:
    source = Unsteady(CONTENT)
    assert io.BufferedReader(Ranged(source.fetch, len(CONTENT))).read() == CONTENT
    assert [length for _, length in source.asked] == [MIB // 4, MIB // 2, MIB, 2 * MIB, 4 * MIB, 12 * MIB - 31 * MIB // 4]


def test_reading_gives_up_in_the_end() -> None:
    def never(begin: int, length: int) -> bytes:
        raise StorageProblem("Storage does not answer.")

    with pytest.raises(StorageProblem):
        Ranged(never, 10).read(1)


def test_waiting_for_storage_is_interrupted(monkeypatch) -> None:
    monkeypatch.setattr(ranged, "PAUSES", (60, 60))

    def never(begin: int, length: int) -> bytes:
        raise StorageProblem("Storage does not answer.")

    file = Ranged(never, 10)
    began = time.monotonic()
    threading.Timer(0.2, file.interrupt).start()
    with pytest.raises(StorageProblem):
        file.read(1)
    assert time.monotonic() - began < 10


def test_object_that_was_replaced_is_not_read_on(owner: User) -> None:
    file = uploads.keep(owner, "prices.csv", io.BytesIO(CONTENT))
    with default_storage.open(file.path) as content:
        assert content.read(10) == CONTENT[:10]
        growing().put(file.path, [CONTENT[::-1]])
        with pytest.raises(StorageProblem, match="was replaced while it was read"):
            content.seek(9 * MIB) and content.read(10)


def products_csv(rows: int) -> bytes:
    lines = [b"sku,name,description"]
    lines += [b"SKU-%d,Product %d,%s" % (number, number, b"Words of it. " * 20) for number in range(rows)]
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_import_reads_from_the_bucket(owner: User, packed: bool) -> None:
    data = products_csv(12_000)
    file = uploads.keep(owner, "prices.csv.gz" if packed else "prices.csv", io.BytesIO(gzip.compress(data) if packed else data))
    run = control.submit(file, "products", owner)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.error) == (State.DONE, 12_000, "")
    assert Product.objects.count() == 12_000


def test_workbook_is_read_from_the_bucket(owner: User) -> None:
    with open("tests/files/contacts.xlsx", "rb") as book:
        run = control.submit(uploads.keep(owner, "contacts.xlsx", book), "contacts", owner)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created + run.held, run.rejected) == (State.DONE, 3, 1)


def test_import_goes_on_when_storage_is_back(owner: User, away, s3: S3, settings, caplog) -> None:
    folder = default_storage.location
    run = control.submit(uploads.keep(owner, "prices.csv", io.BytesIO(products_csv(12_000))), "products", owner)
    away()
    caplog.set_level(logging.WARNING)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (State.STAGING, "")
    assert "It goes on when storage is back." in caplog.text
    for _ in range(sweep.DEATHS + 1):
        # However often it is taken up meanwhile, no worker has died of it.
        late(run)
        runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (State.STAGING, "")
    use(settings, s3.storage(folder))
    late(run)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created) == (State.DONE, 12_000)


def late(run: Import) -> None:
    """The lease of whoever had it runs out, and the sweep queues it again."""
    Heartbeat.objects.filter(run=run).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep.revive()


def test_export_goes_on_when_storage_is_back(owner: User, away, s3: S3, settings) -> None:
    folder = default_storage.location
    Product.objects.bulk_create(Product(sku=f"A-{number}", sku_key=f"a-{number}", name="Mug") for number in range(300))
    export = export_control.request_export("products", owner)
    away()
    for _ in range(exports.DEATHS + 1):
        exports.run(export.pk)
        Export.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        exports.sweep()
    export.refresh_from_db()
    assert (export.state, export.error) == (ExportState.QUEUED, "")
    exports.expire()
    use(settings, s3.storage(folder))
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.rows_done) == (ExportState.DONE, 300)


def test_what_no_row_knows_of_goes_in_time(owner: User, settings, away, s3: S3, caplog) -> None:
    folder = default_storage.location
    kept = uploads.keep(owner, "kept.csv", io.BytesIO(b"a,b"))
    going_on = uploads.begin(owner, "going-on.csv", len(CONTENT))
    uploads.append(owner, going_on.public_id, 0, io.BytesIO(CONTENT[:100]), None)
    lost = uploads.begin(owner, "lost.csv", len(CONTENT))
    uploads.append(owner, lost.public_id, 0, io.BytesIO(CONTENT[:100]), None)
    away()
    uploads.forget(owner, lost.public_id)
    assert not StoredFile.objects.filter(pk=lost.pk).exists() and "stays in storage until the timetable finds it" in caplog.text
    use(settings, s3.storage(folder))
    assert orphans.forget() == 0
    settings.LOADIFY_UPLOAD_HOURS = -1
    assert orphans.forget() == 1
    assert sorted(default_storage.listdir("uploads")[1]) == sorted([str(kept.public_id), f"{going_on.public_id}.tail-1"])


def test_pages_and_programs_are_told_that_storage_is_away(owner: User, away, client, caplog) -> None:
    run = control.submit(uploads.keep(owner, "prices.csv", io.BytesIO(products_csv(3))), "products", owner)
    client.force_login(owner)
    link = client.get(f"/imports/{run.public_id}/file").url
    away()
    for path, type_ in ((link, "text/html"), (f"/api/v1/imports/{run.public_id}/file", "application/problem+json")):
        answer = client.get(path)
        assert (answer.status_code, answer["Retry-After"], answer["Content-Type"].partition(";")[0]) == (503, "10", type_)
        assert "Storage does not answer at the moment; try again shortly." in answer.content.decode()
    page = client.get(f"/imports/prepare/{run.file.public_id}/?dataset=products")
    assert page.status_code == 422 and "Storage does not answer" in page.content.decode()
    assert link not in caplog.text


@pytest.mark.parametrize("kind", [Export.Format.CSV, Export.Format.XLSX])
def test_export_is_written_into_the_bucket_and_goes_with_its_days(owner: User, kind: str) -> None:
    Product.objects.bulk_create(Product(sku=f"A-{number}", sku_key=f"a-{number}", name="Mug") for number in range(3_000))
    export = export_control.request_export("products", owner, format=kind)
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.rows_done, export.error) == (ExportState.DONE, 3_000, "")
    data = b"".join(original(export.path))
    assert (len(data), hashlib.sha256(data).hexdigest()) == (export.bytes, export.sha256)
    assert default_storage.listdir(exports.folder(export)) == ([], [export.path.rpartition("/")[2]])
    Export.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    exports.expire()
    assert Export.objects.get().path == ""
    assert default_storage.listdir(exports.folder(export)) == ([], [])
