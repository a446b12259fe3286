"""The page of a new import: the plain form, and the end of an upload in parts."""

import io
import re
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from importer import datasets
from importer.intake import uploads
from importer.models import Import, StoredFile

pytestmark = pytest.mark.django_db

GOOD = b"sku,name,description\na-1,Mug,Red\n"


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}},
    }


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", role="editor")


@pytest.fixture
def browser_of_anna(anna: User) -> Client:
    client = Client()
    client.force_login(anna)
    return client


def csv(content: bytes, name: str = "prices.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "text/csv")


def test_page_asks_people_to_sign_in(client: Client) -> None:
    answer = client.get("/imports/new/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/accounts/login/?next=/imports/new/"


def test_page_has_products_chosen_and_says_what_a_file_looks_like(browser_of_anna: Client) -> None:
    page = browser_of_anna.get("/imports/new/")
    assert page.status_code == 200
    assert '<option value="products" selected>Products</option>' in page.text
    assert "/imports/sample/products.csv" in page.text
    assert "style=" not in page.text
    assert "<script>" not in page.text


def test_plain_form_starts_an_import(browser_of_anna: Client, anna: User) -> None:
    answer = browser_of_anna.post("/imports/new/", {"dataset": "products", "upload": "", "file": csv(GOOD)})
    run = Import.objects.get()
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/imports/{run.public_id}/"
    assert (run.owner, run.dataset, run.file.name, run.file.size, run.state) == (
        anna,
        "products",
        "prices.csv",
        33,
        "queued",
    )


def test_upload_that_is_complete_starts_an_import(browser_of_anna: Client, anna: User) -> None:
    file = uploads.keep(anna, "prices.csv", io.BytesIO(GOOD))
    answer = browser_of_anna.post("/imports/new/", {"dataset": "products", "upload": str(file.public_id)})
    assert answer.headers["Location"] == f"/imports/{Import.objects.get().public_id}/"
    assert Import.objects.get().file == file


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"dataset": "products"}, "Choose the file to import."),
        ({}, "Choose the file to import."),
        ({"dataset": "planets", "file": csv(GOOD)}, "planets is not one of the available choices."),
        ({"dataset": "products", "upload": "nonsense"}, "Enter a valid UUID."),
        ({"dataset": "products", "file": csv(b"", "nothing.csv")}, "The file “nothing.csv” is empty."),
        ({"dataset": "products", "upload": str(uuid.uuid4())}, "The file that was sent is not here any more."),
    ],
)
def test_form_that_cannot_be_taken_is_shown_again(browser_of_anna: Client, fields: dict[str, object], sentence: str) -> None:
    for value in fields.values():
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)
    answer = browser_of_anna.post("/imports/new/", fields)
    if not fields:
        sentence = "This field is required."
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "<h1>New import</h1>" in answer.text
    assert not Import.objects.exists()


def test_form_for_htmx_comes_alone(browser_of_anna: Client) -> None:
    answer = browser_of_anna.post("/imports/new/", {"dataset": "products"}, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert "Choose the file to import." in answer.text
    assert "<h1>" not in answer.text
    assert "HX-Request" in answer.headers["Vary"]


def test_plain_form_takes_files_up_to_its_limit(browser_of_anna: Client, settings) -> None:
    settings.LOADIFY_FORM_LIMIT = 1000
    exact = browser_of_anna.post("/imports/new/", {"dataset": "products", "file": csv(GOOD + b"\n" * (1000 - 33))})
    assert exact.status_code == 302
    more = browser_of_anna.post("/imports/new/", {"dataset": "products", "file": csv(GOOD + b"\n" * (1001 - 33))})
    assert more.status_code == 422
    assert "“prices.csv” has 1.0 kB. Without JavaScript, files of up to 1.0 kB can be sent" in more.text
    assert StoredFile.objects.count() == 1


def test_upload_of_somebody_else_cannot_be_imported(browser_of_anna: Client) -> None:
    ben = User.objects.create_user("ben@example.com", "not-important-9", role="editor")
    file = uploads.keep(ben, "secret.csv", io.BytesIO(GOOD))
    answer = browser_of_anna.post("/imports/new/", {"dataset": "products", "upload": str(file.public_id)})
    assert answer.status_code == 422
    assert "secret.csv" not in answer.text
    assert not Import.objects.exists()


def test_upload_that_is_not_complete_is_refused_with_a_sentence(browser_of_anna: Client, anna: User) -> None:
    file = uploads.begin(anna, "prices.csv", 2000)
    uploads.append(anna, file.public_id, 0, io.BytesIO(GOOD), len(GOOD))
    answer = browser_of_anna.post("/imports/new/", {"dataset": "products", "upload": str(file.public_id)})
    assert answer.status_code == 422
    assert "Only 33 of the 2,000 bytes of “prices.csv” have arrived." in answer.text
    assert StoredFile.objects.get().received == 33


def test_page_says_of_every_dataset_what_its_files_look_like(browser_of_anna: Client) -> None:
    page = browser_of_anna.get("/imports/new/?dataset=cards")
    assert '<option value="cards" selected>Card reports</option>' in page.text
    opened = re.findall(r'<details name="looks"\s+data-dataset="(\w+)"\s+(open)?', page.text)
    assert opened == [("cards", "open"), ("contacts", ""), ("people", ""), ("products", ""), ("students", "")]
    cards = page.text.partition('data-dataset="cards"')[2].partition("</details>")[0]
    assert "There are 4 kinds of files" in cards
    assert "<code>user mobile</code>" in cards and "<code>stage</code>" not in cards
    assert browser_of_anna.get("/imports/new/?dataset=boats").status_code == 200


def test_every_column_of_every_dataset_is_explained() -> None:
    assert [(one.name, column.name) for one in datasets.all() for column in one.in_files if not column.about] == []
    assert [one.name for one in datasets.all() if not one.about] == []


def test_sample_of_a_dataset_can_be_imported_again(browser_of_anna: Client, load) -> None:
    answer = browser_of_anna.get("/imports/sample/products.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="products-sample.csv"'
    run = load(b"".join(answer.streaming_content), "products")
    assert (run.state, run.lines, run.rejected) == ("done", 20, 0)
    assert browser_of_anna.get("/imports/sample/boats.csv").status_code == 404
