"""Objects that partners put into a bucket (moto's S3 server): taken once, by whoever, and moved where they belong."""

import time
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from importer import control, leases, runner, tasks, unattended
from importer.intake import bucket
from importer.leases import Turn
from importer.models import Import, Lease, StoredFile
from importer.storage import ranged
from importer.unattended import Outcome
from products.models import Product
from tests.importer.s3 import S3

pytestmark = pytest.mark.django_db(transaction=True)

HEAD = "sku,name,description\n"


@pytest.fixture(autouse=True)
def inbox(submit, s3: S3, settings, monkeypatch, request: pytest.FixtureRequest):
    """A part of the bucket of this test's own."""
    monkeypatch.setattr(ranged, "PAUSES", (0,))
    options = {"bucket_name": "loadify", "location": f"inbox {abs(hash(request.node.name))}", "access_key": "key"}
    options |= {"secret_key": "secret", "region_name": "us-east-1", "endpoint_url": f"http://127.0.0.1:{s3.port}"}
    inbox = {"BACKEND": "importer.storage.inbox.InboxStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "inbox": inbox}
    return storages["inbox"]


def put(inbox, path: str, text: str = f"{HEAD}A-1,Mug,Red\n") -> None:
    inbox.delete(path)
    inbox.save(path, ContentFile(text.encode()))


def there(inbox) -> list[str]:
    return [path for path, _ in inbox.objects()]


def take() -> list[Outcome]:
    return list(unattended.take_bucket())


def test_object_is_imported_into_the_dataset_that_it_lies_under(inbox) -> None:
    put(inbox, "products/new.csv")
    put(inbox, "contacts/deeper/people.csv", "name,phone,email\nAnna,+37411223344,anna@example.com\n")
    tasks.scan_bucket()
    assert sorted(Import.objects.values_list("dataset", "file__name", "owner")) == [
        ("contacts", "people.csv", None),
        ("products", "new.csv", None),
    ]
    assert there(inbox) == ["done/contacts/deeper/people.csv", "done/products/new.csv"]
    runner.run(Import.objects.get(dataset="products").pk)
    assert Product.objects.get().name == "Mug"
    assert take() == [] and not Lease.objects.exists()


def test_object_under_no_dataset_is_recognised(inbox) -> None:
    put(inbox, "new.csv")
    assert [outcome.run.dataset for outcome in take()] == ["products"]
    assert there(inbox) == ["done/new.csv"]


def test_what_is_refused_is_moved_with_the_reason_beside_it(inbox) -> None:
    put(inbox, "products/strange.csv", "colour,weight\nred,2\n")
    put(inbox, "prodcuts/new.csv")
    put(inbox, "products/empty.csv", "")
    assert all(outcome.is_bad for outcome in take())
    assert there(inbox) == [
        "failed/prodcuts/new.csv",
        "failed/prodcuts/new.csv.reason.txt",
        "failed/products/empty.csv",
        "failed/products/empty.csv.reason.txt",
        "failed/products/strange.csv",
        "failed/products/strange.csv.reason.txt",
    ]
    reason = inbox.open("failed/prodcuts/new.csv.reason.txt").read().decode()
    assert reason.startswith("“prodcuts” is no dataset; folders are called ") and "products" in reason
    assert not Import.objects.exists() and not StoredFile.objects.exists()
    assert take() == []


def test_hidden_and_unfinished_objects_are_left_alone(inbox) -> None:
    for path in ("products/.hidden.csv", "products/a.csv.part", "products/~$a.xlsx", "products/b.tmp"):
        put(inbox, path)
    # As consoles of stores make folders.
    inbox.client.put_object(Bucket="loadify", Key=f"{inbox.location}/products/", Body=b"")
    assert take() == [] and len(there(inbox)) == 5


def test_same_name_with_another_file_is_another_one(inbox) -> None:
    for name in ("Mug", "Cup", "Cup"):
        put(inbox, "products/new.csv", f"{HEAD}A-1,{name},Red\n")
        assert [outcome.problem for outcome in take()] == [""]
        time.sleep(1)  # storage tells moments to the second
    assert sorted(there(inbox)) == ["done/products/new-2.csv", "done/products/new-3.csv", "done/products/new.csv"]
    assert Import.objects.count() == 3


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (bucket.uploads, "keep"),
        (unattended, "decide"),
        (control, "submit"),
        (bucket.Found, "put_away"),
    ],
)
def test_what_a_killed_process_has_begun_is_finished_once(inbox, monkeypatch, module, name: str) -> None:
    put(inbox, "products/new.csv")

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            take()
    assert [outcome.problem for outcome in take()] == [""]
    assert there(inbox) == ["done/products/new.csv"]
    assert Import.objects.count() == StoredFile.objects.count() == 1


def test_object_that_was_copied_but_not_deleted_is_copied_once(inbox, monkeypatch) -> None:
    put(inbox, "products/new.csv")
    with monkeypatch.context() as patch:
        patch.setattr(type(inbox), "delete_version", lambda *_: None)
        take()
    assert there(inbox) == ["done/products/new.csv", "products/new.csv"]
    take()
    assert there(inbox) == ["done/products/new.csv"]
    assert Import.objects.count() == 1


def test_object_that_is_replaced_meanwhile_is_taken_as_what_it_is_then(inbox, monkeypatch) -> None:
    put(inbox, "products/new.csv")
    listed = list(bucket.waiting(lambda: None))
    put(inbox, "products/new.csv", f"{HEAD}A-2,Cup,Blue\n")
    with pytest.raises(FileNotFoundError):
        listed[0].store()
    monkeypatch.setattr(bucket, "waiting", lambda _: iter(listed))
    assert take() == []
    monkeypatch.undo()
    take()
    runner.run(Import.objects.get().pk)
    assert Product.objects.get().sku == "A-2"


def test_one_process_looks_at_a_time(inbox) -> None:
    put(inbox, "products/new.csv")
    other = Turn("bucket", 60)
    assert other.take()
    assert take() == []
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert len(take()) == 1


def test_process_whose_turn_is_over_stops_where_it_is(inbox, monkeypatch) -> None:
    put(inbox, "products/a.csv")
    put(inbox, "products/b.csv")
    taking = unattended.take_bucket()
    assert next(taking).name == "a.csv"
    # It was frozen, and somebody else goes on.
    Lease.objects.update(holder="somebody", until=timezone.now() + timedelta(seconds=60))
    monkeypatch.setattr(Turn, "is_half_over", lambda self: True)
    assert list(taking) == []
    assert "products/b.csv" in there(inbox) and Import.objects.count() == 1
    assert Lease.objects.get().holder == "somebody"


def test_bucket_that_is_away_is_said_and_tried_again(inbox, settings, caplog) -> None:
    put(inbox, "products/new.csv")
    options = settings.STORAGES["inbox"]["OPTIONS"]
    gone = {**settings.STORAGES["inbox"], "OPTIONS": {**options, "endpoint_url": "http://127.0.0.1:9"}}
    settings.STORAGES = {**settings.STORAGES, "inbox": gone}
    tasks.scan_bucket()
    assert "The bucket cannot be looked into: Storage does not answer at the moment" in caplog.text
    assert not Lease.objects.exists()


def test_worker_that_is_to_leave_stops_looking(inbox, monkeypatch) -> None:
    put(inbox, "products/a.csv")
    put(inbox, "products/b.csv")
    taking = unattended.take_bucket("host:17:18")
    next(taking)
    leases.end(unattended.BUCKET, "host:17:", 30)
    monkeypatch.setattr(Turn, "is_half_over", lambda self: True)
    assert list(taking) == [] and Import.objects.count() == 1
    # Nor does another process of the worker begin.
    assert take() == []


def test_object_for_which_there_is_no_room_waits(inbox, settings) -> None:
    put(inbox, "products/new.csv")
    settings.LOADIFY_STORAGE_QUOTA = 10
    assert [(outcome.waits, "too full" in outcome.problem) for outcome in take()] == [(True, True)]
    settings.LOADIFY_STORAGE_QUOTA = 0
    assert [outcome.problem for outcome in take()] == [""]


def test_what_is_done_is_not_looked_through_again(inbox, monkeypatch) -> None:
    put(inbox, "products/new.csv")
    take()
    asked = []
    monkeypatch.setattr(type(inbox), "objects", lambda self, within="": asked.append(within) or iter(()))
    assert take() == [] and asked == ["products"] * asked.count("products")
