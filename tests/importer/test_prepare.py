"""The page between a file and its import: how it is read, which heading goes where, the first rows, the start."""

import io
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from importer import forms, runner
from importer.intake import uploads
from importer.models import Import, Mapping, StoredFile
from products.models import Product

pytestmark = pytest.mark.django_db

FOREIGN = "Artikel,Bezeichnung,Text,on\nA-1,Mug,Red,yes\nA-2,,,perhaps\n"


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}},
    }


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", role="editor")


@pytest.fixture
def client_of_anna(anna: User) -> Client:
    client = Client()
    client.force_login(anna)
    return client


def keep(owner: User, content: str, name: str = "file.csv") -> StoredFile:
    return uploads.keep(owner, name, io.BytesIO(content.encode()))


def address(file: StoredFile) -> str:
    return f"/imports/prepare/{file.public_id}/?dataset=products"


def form_of(page: Any) -> dict[str, str]:
    """What a browser would send back of the page as it stands, without a button."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    for name, body in re.findall(r'<select name="(\w+)".*?>(.*?)</select>', page.text, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body) or re.search(r'<option value="([^"]*)"', body)
        fields[name] = chosen[1] if chosen else ""
    return fields


MAPPED = {"place_sku": "0", "place_name": "1", "place_description": "2", "place_active": "3"}


def test_perfect_file_goes_straight_on_and_waits_when_it_changes_something(client_of_anna: Client, anna: User) -> None:
    file = keep(anna, "SKU, name ,description\na-1,Mug,Red\n")
    answer = client_of_anna.post("/imports/new/", {"dataset": "products", "upload": str(file.public_id)})
    run = Import.objects.get()
    assert answer.headers["Location"] == f"/imports/{run.public_id}/"
    assert run.mode == Import.Mode.AUTO


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("sku,name,description\na-1,Mug,Red\n", {"look": "1"}),
        ("sku,name,description,colour\na-1,Mug,Red,red\n", {}),
        ("sku,name\na-1,Mug\n", {}),
        ("sku,name,description,SKU\na-1,Mug,Red,a-2\n", {}),
        (FOREIGN, {}),
    ],
)
def test_other_files_are_looked_at_first(client_of_anna: Client, anna: User, content: str, fields: dict[str, str]) -> None:
    file = keep(anna, content)
    answer = client_of_anna.post("/imports/new/", {"dataset": "products", "upload": str(file.public_id)} | fields)
    assert answer.headers["Location"] == address(file)
    assert not Import.objects.exists()


def test_page_shows_what_was_found_and_the_first_rows(client_of_anna: Client, anna: User) -> None:
    file = keep(anna, "Name,Product SKU,description,enabled,colour\nMug,A-1,Red,yes,x\nCup,,Blue,perhaps,y\nPot,A-3\n")
    page = client_of_anna.get(address(file))
    assert page.status_code == 200
    fields = form_of(page)
    assert (fields["place_sku"], fields["place_name"]) == ("1", "0")
    assert (fields["place_description"], fields["place_active"]) == ("2", "3")
    assert (fields["encoding"], fields["delimiter"], fields["heading"], fields["mode"]) == ("utf-8", "comma", "yes", "auto")
    assert "Not taken from the file: colour." in page.text
    assert "Still to choose" not in page.text
    assert '<span class="clamp">Mug</span>' in page.text
    assert "The SKU is empty." in page.text
    assert "“perhaps” in active is neither yes nor no" in page.text
    assert "2 cells where the heading has 5." in page.text
    assert "style=" not in page.text


def test_mapping_by_hand_is_shown_again_before_it_is_started(client_of_anna: Client, anna: User) -> None:
    file = keep(anna, FOREIGN)
    page = client_of_anna.get(address(file))
    assert "Still to choose: sku, name, description." in page.text
    # What one has to choose from is seen as it is.
    assert "The first rows, as they stand in the file" in page.text
    assert '<span class="clamp">A-1</span>' in page.text
    part = client_of_anna.post(address(file), form_of(page) | MAPPED, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<h1>" not in part.text
    assert "Still to choose" not in part.text
    assert '<span class="clamp">A-1</span>' in part.text
    assert not Import.objects.exists()
    assert not Mapping.objects.exists()


def test_start_carries_every_choice_and_the_mapping_is_remembered(client_of_anna: Client, anna: User) -> None:
    file = keep(anna, FOREIGN)
    fields = form_of(client_of_anna.get(address(file))) | MAPPED
    fields |= {"blank_name": "keep", "mode": "review", "deactivate_missing": "on", "most_rejects": "5", "start": "1"}
    answer = client_of_anna.post(address(file), fields)
    run = Import.objects.get()
    assert answer.headers["Location"] == f"/imports/{run.public_id}/"
    assert (run.owner, run.mode, run.file) == (anna, "review", file)
    assert run.options["places"] == {"sku": 0, "name": 1, "description": 2, "active": 3}
    assert run.options["blank"] == {"name": "keep", "description": "clear"}
    assert (run.options["deactivate_missing"], run.options["most_rejects"]) == (True, 5)

    again = keep(anna, "Text,on,BEZEICHNUNG,Artikel\nRed,yes,Mug,A-1\n")
    page = client_of_anna.get(address(again))
    assert "Mapped as the last time" in page.text
    found = form_of(page)
    assert {name: found[name] for name in MAPPED} == {
        "place_sku": "3",
        "place_name": "2",
        "place_description": "0",
        "place_active": "1",
    }
    assert found["blank_name"] == "keep"


def test_empty_cells_keep_or_clear_as_remembered_even_of_a_perfect_file(client_of_anna: Client, anna: User) -> None:
    perfect = "sku,name,description\na-1,Mug,\n"
    file = keep(anna, perfect)
    fields = form_of(client_of_anna.get(address(file))) | {"blank_description": "keep", "start": "1"}
    assert client_of_anna.post(address(file), fields).status_code == 302
    again = keep(anna, perfect)
    answer = client_of_anna.post("/imports/new/", {"dataset": "products", "upload": str(again.public_id)})
    assert answer.headers["Location"] == address(again)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"place_sku": ""}, "Choose which column of the file holds the sku."),
        ({"place_name": "17"}, "17 is not one of the available choices."),
        ({"most_rejects": "many"}, "Write a whole number of lines, or leave it empty."),
        ({"most_rejects": "-1"}, "Write a whole number of lines"),
        ({"mode": "never"}, "never is not one of the available choices."),
        ({"blank_name": "burn"}, "burn is not one of the available choices."),
        ({"encoding": "ebcdic"}, "ebcdic is not one of the available choices."),
        ({"columns": "of another reading"}, "The file is read in another way now"),
    ],
)
def test_bad_choices_are_refused_with_a_sentence(
    client_of_anna: Client, anna: User, fields: dict[str, str], sentence: str
) -> None:
    file = keep(anna, FOREIGN)
    good = form_of(client_of_anna.get(address(file))) | MAPPED
    answer = client_of_anna.post(address(file), good | fields | {"start": "1"})
    assert answer.status_code == 422
    assert sentence in answer.text
    # At the top of a long page, too.
    assert "The import was not started" in answer.text
    assert "<h1>Look at the file first</h1>" in answer.text
    assert not Import.objects.exists()


def test_file_without_a_heading_gets_numbered_columns(client_of_anna: Client, anna: User) -> None:
    file = keep(anna, "A-1,Mug,Red\nA-2,Cup,Blue\n")
    page = client_of_anna.get(address(file))
    assert "The first line looks like data" in page.text
    assert '<option value="1">Column 2: Mug</option>' in page.text
    fields = form_of(page)
    assert fields["heading"] == "no"
    client_of_anna.post(address(file), fields | {**MAPPED, "place_active": "", "mode": "apply", "start": "1"})
    run = Import.objects.get()
    assert run.options["format"]["heading"] is False
    answer = client_of_anna.post(address(file), fields | {"heading": "yes"})
    assert "The file is read in another way now" in answer.text
    assert '<option value="1">Mug</option>' in answer.text


def test_file_that_cannot_be_read_is_said_on_both_pages(client_of_anna: Client, anna: User) -> None:
    file = keep(anna, "\n\n")
    answer = client_of_anna.post("/imports/new/", {"dataset": "products", "upload": str(file.public_id), "look": "1"})
    assert answer.status_code == 422
    assert "The file is empty." in answer.text
    page = client_of_anna.get(address(file))
    assert page.status_code == 422
    assert "The file is empty." in page.text


def test_only_the_owner_of_a_file_gets_to_its_page(client_of_anna: Client, anna: User) -> None:
    ben = User.objects.create_user("ben@example.com", "not-important-9", role="admin")
    assert client_of_anna.get(address(keep(ben, FOREIGN))).status_code == 404
    assert client_of_anna.post(address(keep(ben, FOREIGN)), {"start": "1"}).status_code == 404
    unfinished = uploads.begin(anna, "file.csv", 100)
    assert client_of_anna.get(address(unfinished)).status_code == 404
    assert client_of_anna.get(address(keep(anna, FOREIGN)).replace("products", "planets")).status_code == 404
    assert Client().get(address(keep(anna, FOREIGN))).status_code == 302


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("choice", "name"), [("keep", "Mug"), ("clear", "")])
def test_empty_cell_keeps_or_clears_the_old_value(client_of_anna: Client, anna: User, choice: str, name: str) -> None:
    Product.objects.create(sku="A-2", name="Mug", description="old")
    file = keep(anna, "Artikel,Bezeichnung,Text\nA-1,,x\nA-2,,new\n")
    fields = form_of(client_of_anna.get(address(file))) | MAPPED | {"place_active": "", "blank_name": choice}
    assert client_of_anna.post(address(file), fields | {"mode": "apply", "start": "1"}).status_code == 302
    run = Import.objects.get()
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.updated, run.error) == ("done", 1, 1, "")
    assert list(Product.objects.order_by("sku").values_list("sku", "name", "description")) == [
        ("A-1", "", "x"),
        ("A-2", name, "new"),
    ]


def test_a_site_that_cannot_review_offers_only_to_apply_at_once(client_of_anna, anna, monkeypatch):
    monkeypatch.setattr(forms, "can_review", lambda: False)
    file = keep(anna, "sku,name,description\nA-1,Mug,Red\n")

    page = client_of_anna.get(address(file))

    assert re.findall(
        r"<option[^>]*>([^<]*)</option>", page.content.decode().split('name="mode"')[1].split("</select>")[0]
    ) == ["Apply at once"]
    assert "that the file does not have" not in page.content.decode()


def test_apostrophes_before_formulas_are_asked_about_and_shown_as_chosen(client_of_anna: Client, anna: User) -> None:
    assert 'name="escaped"' not in client_of_anna.get(address(keep(anna, "sku,name,description\na,'plain,\n"))).text
    file = keep(anna, "sku,name,description\na,'=1,\n")
    page = client_of_anna.get(address(file))
    assert form_of(page)["escaped"] == "stay"
    assert '<span class="clamp">&#x27;=1</span>' in page.text
    chosen = form_of(page) | {"escaped": "go"}
    assert '<span class="clamp">=1</span>' in client_of_anna.post(address(file), chosen, headers={"HX-Request": "true"}).text
    client_of_anna.post(address(file), chosen | {"start": "1"})
    assert Import.objects.get().options["escaped"] is True
    exported = keep(anna, "\ufeffsku,name,description,active\na,'=1,,true\n")
    assert form_of(client_of_anna.get(address(exported)))["escaped"] == "go"
