"""Layouts on the pages: recognised, asked for when they cannot be told, changed; and a file that is of another dataset."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from cards.models import CardEvent
from importer import runner
from importer.intake import uploads
from importer.models import Import, Mapping, StoredFile

pytestmark = pytest.mark.django_db(transaction=True)

PARTNER = Path(__file__).parents[1] / "files/cards-partner"
DELIVERED = (PARTNER / "delivered.csv").read_bytes()
PLACES = {"place_reference": "0", "place_card_id": "1", "place_phone": "2", "place_at": "3"}


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}},
    }


@pytest.fixture
def anna(transactional_db: None) -> User:
    return User.objects.create_user("anna@example.com", "not-important-9", role="editor")


@pytest.fixture
def browser(anna: User) -> Client:
    client = Client()
    client.force_login(anna)
    return client


def keep(owner: User, content: bytes, name: str) -> StoredFile:
    return uploads.keep(owner, name, io.BytesIO(content))


def begin(browser: Client, file: StoredFile, dataset: str = "cards") -> str:
    """Where the page of a new import leads with this file."""
    return browser.post("/imports/new/", {"dataset": dataset, "upload": str(file.public_id)}).headers["Location"]


def address(file: StoredFile, rest: str = "") -> str:
    return f"/imports/prepare/{file.public_id}/?dataset=cards{rest}"


def sent_back(page: Any) -> dict[str, str]:
    """What a browser would send of the page as it stands, without a button."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    for name, body in re.findall(r'<select name="(\w+)".*?>(.*?)</select>', page.text, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body) or re.search(r'<option value="([^"]*)"', body)
        fields[name] = chosen[1] if chosen else ""
    return fields


@pytest.mark.parametrize(
    ("name", "layout"),
    [("pickup", "pickup"), ("delivery-exceptions", "exceptions"), ("delivered", "delivered"), ("returned", "returned")],
)
def test_file_whose_layout_is_clear_goes_straight_on(browser, anna, name, layout):
    file = keep(anna, (PARTNER / f"{name}.csv").read_bytes(), f"{name}.csv")
    run = Import.objects.get() if begin(browser, file).startswith("/imports/0") else None
    assert run and run.layout == layout


def test_file_whose_name_contradicts_its_headings_is_asked_about(browser, anna):
    file = keep(anna, (PARTNER / "returned.csv").read_bytes(), "delivered.csv")
    assert begin(browser, file) == address(file)
    words = " ".join(browser.get(address(file)).text.split())
    assert "its headings are those of “Returned”, and its name tells “Delivered”. Choose it" in words


def test_file_that_could_be_two_layouts_is_asked_about(browser, anna):
    file = keep(anna, DELIVERED, "report.csv")
    assert begin(browser, file) == address(file)
    page = browser.get(address(file))
    assert "This may be “Delivery exceptions” or “Delivered”" in " ".join(page.text.split())
    fields = sent_back(page)
    assert fields["layout"] == "" and not [name for name in fields if name.startswith("place_")]
    assert "The first rows, as they stand in the file" in page.text and "ZYW8827" in page.text
    refused = browser.post(address(file), fields | {"start": "1"})
    assert refused.status_code == 422 and "Choose which kind it is." in refused.text
    assert "no layout called" not in refused.text
    assert not Import.objects.exists()

    chosen = browser.post(address(file), fields | {"layout": "delivered"}, headers={"HX-Request": "true"})
    assert "This may be" not in chosen.text
    assert chosen.text.count("is taken as blank") == 3 and "keeps the old value" not in chosen.text
    mapped = fields | sent_back(chosen)
    assert mapped["layout"] == "delivered"
    assert {name: mapped[name] for name in PLACES} == PLACES and mapped["place_comment"] == "4"
    started = browser.post(address(file), mapped | {"start": "1"})
    run = Import.objects.get()
    assert started.headers["Location"] == f"/imports/{run.public_id}/" and run.layout == "delivered"
    runner.run(run.pk)
    assert list(CardEvent.objects.values_list("card_id", "stage").order_by("card_id")) == [("ZYW7631", 3), ("ZYW8827", 3)]
    assert "Card reports (Delivered)" in browser.get(f"/imports/{run.public_id}/").text
    assert "Card reports (Delivered)" in browser.get("/imports/").text


def test_another_layout_matches_the_columns_anew(browser, anna):
    file = keep(anna, DELIVERED, "delivered.csv")
    fields = sent_back(browser.get(address(file)))
    assert fields["layout"] == "delivered"
    page = browser.post(address(file), fields | {"layout": "pickup"})
    assert "The columns were matched anew." in page.text
    assert "Still to choose: phone." in page.text and "place_comment" not in page.text


def test_layout_of_the_address_is_chosen_and_an_unknown_one_is_passed_over(browser, anna):
    file = keep(anna, DELIVERED, "report.csv")
    assert sent_back(browser.get(address(file, "&layout=exceptions")))["layout"] == "exceptions"
    assert sent_back(browser.get(address(file, "&layout=lost")))["layout"] == ""
    assert browser.post(address(file), {"layout": "lost", "start": "1"}).status_code == 422


def test_name_tells_the_layout_of_a_file_with_other_headings(browser, anna):
    file = keep(anna, b"Nr;Karte;Telefon;Wann\n1;ZYW1;0501234567;13-11-2023 14:00\n", "returned-2023.csv")
    assert begin(browser, file) == address(file)
    assert sent_back(browser.get(address(file)))["layout"] == "returned"


def test_each_layout_remembers_its_own_mapping(browser, anna):
    content = b"Nr;Karte;Telefon;Wann\n1;ZYW1;0501234567;13-11-2023 14:00\n"
    file = keep(anna, content, "a.csv")
    fields = sent_back(browser.get(address(file, "&layout=returned"))) | PLACES
    assert browser.post(address(file), fields | {"start": "1"}).status_code == 302
    again = keep(anna, content, "b.csv")
    assert PLACES.items() <= sent_back(browser.get(address(again, "&layout=returned"))).items()
    assert sent_back(browser.get(address(again, "&layout=pickup")))["place_phone"] == ""
    assert Mapping.objects.count() == 1


def test_failed_import_is_looked_at_again_as_the_same_layout(browser, anna):
    file = keep(anna, DELIVERED.partition(b"\n")[0] + b"\n", "delivered.csv")
    begin(browser, file)
    run = Import.objects.get()
    runner.run(run.pk)
    page = browser.get(f"/imports/{run.public_id}/")
    assert f'href="/imports/prepare/{file.public_id}/?dataset=cards&amp;layout=delivered"' in page.text


def test_file_of_another_dataset_is_offered_to_it(browser, anna):
    file = keep(anna, DELIVERED, "delivered.csv")
    assert begin(browser, file, "products") == f"/imports/prepare/{file.public_id}/?dataset=products"
    page = browser.get(f"/imports/prepare/{file.public_id}/?dataset=products")
    assert "This looks like Card reports (Delivered), not like products." in " ".join(page.text.split())
    link = re.search(r'href="(\?dataset=cards[^"]*)"', page.text)
    assert link and link[1] == "?dataset=cards&amp;layout=delivered"
    assert sent_back(browser.get(address(file, "&layout=delivered")))["layout"] == "delivered"
    assert "This looks like" not in browser.get(address(file)).text


def test_rejected_lines_of_a_layout_come_back_as_the_same_layout(browser, anna):
    bad = DELIVERED.replace(b"2023-11-13T09:34:56Z", b"13-13-2023")
    begin(browser, keep(anna, bad, "delivered.csv"))
    run = Import.objects.get()
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.rejected == 1
    home = browser.get(f"/imports/{run.public_id}/rejects.csv")
    mended = b"".join(home.streaming_content).replace(b"13-13-2023", b"13-11-2023")
    begin(browser, keep(anna, mended, "delivered-rejects.csv"))
    run = Import.objects.latest("pk")
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.layout, run.created) == ("delivered", 1)
