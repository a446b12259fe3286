"""`import_file` and `import_folder`: what nobody is asked about is told by headings and names, or refused with a sentence."""

import io
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from cards.models import CardEvent
from contacts.models import Person
from importer import datasets, mapping
from importer.models import Import, StoredFile
from products.models import Product

FILES = Path(__file__).parents[1] / "files"
PARTNER = FILES / "cards-partner"


@pytest.fixture(autouse=True)
def _stored(submit) -> None:
    """Files are stored in a folder of the test."""


def run_command(*arguments: object) -> tuple[int, list[str], str]:
    """Exit code, lines of stdout, stderr."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(*map(str, arguments), stdout=out, stderr=err)
    except SystemExit as end:
        code = int(str(end.code))
    return code, out.getvalue().splitlines(), err.getvalue()


def test_import_file_recognises_the_layout_and_tells_it(tmp_path):
    code, lines, _ = run_command("import_file", "cards", PARTNER / "delivered.csv", "--json")
    assert code == 0
    report = json.loads(lines[0])
    assert (report["dataset"], report["layout"], report["created"]) == ("cards", "delivered", 2)
    assert list(CardEvent.objects.values_list("stage", flat=True)) == [3, 3]


def test_import_file_takes_the_layout_that_is_named(tmp_path):
    path = shutil.copy(PARTNER / "delivered.csv", tmp_path / "report.csv")
    assert run_command("import_file", "cards", path, "--layout", "exceptions")[0] == 0
    assert Import.objects.get().layout == "exceptions"


def test_import_file_refuses_what_could_be_two_layouts(tmp_path):
    path = shutil.copy(PARTNER / "delivered.csv", tmp_path / "report.csv")
    with pytest.raises(CommandError) as refused:
        call_command("import_file", "cards", str(path))
    assert str(refused.value) == (
        "“report.csv” may be Card reports (Delivery exceptions) or Card reports (Delivered): its headings fit each of them, "
        "and its name does not tell which. Say it with --layout exceptions or --layout delivered."
    )
    assert Import.objects.count() == StoredFile.objects.count() == 0


@pytest.mark.parametrize(
    ("dataset", "layout", "sentence"),
    [
        (
            "cards",
            "lost",
            "Card reports have no layout called “lost”; there are: pickup, exceptions, delivered, returned, export.",
        ),
        ("products", "lost", "Products have no layout called “lost”; there are: none."),
        (
            "cards",
            "pickup",
            "The heading has no column “user mobile”. Card reports need the columns id, card id, user mobile, timestamp",
        ),
        ("products", "", "The heading has no column “sku” and no column “name” and no column “description”. Products need"),
        ("boats", "", "There is no dataset called “boats”"),
    ],
)
def test_import_file_says_what_does_not_fit(dataset, layout, sentence):
    with pytest.raises(CommandError, match="^" + sentence.replace("(", r"\(").replace(".", r"\.")):
        call_command("import_file", dataset, str(PARTNER / "delivered.csv"), "--layout", layout)
    assert StoredFile.objects.count() == 0


def test_file_of_no_kind_of_the_dataset_is_refused_with_its_headings(tmp_path):
    path = tmp_path / "boats.csv"
    path.write_text("boat,harbour\nAda,Kiel\n")
    with pytest.raises(
        CommandError, match=r"^The headings of “boats.csv” are “boat”, “harbour”; that is none of: Card reports \("
    ):
        call_command("import_file", "cards", str(path))


def test_file_whose_name_tells_its_layout_is_told_what_that_lacks(tmp_path):
    (tmp_path / "delivered.csv").write_text("ID,Card ID,Contact,Comment\n1,ZYW1,0585949014,DELIVERED\n")
    _, lines, _ = run_command("import_folder", tmp_path, "--settle", "0")
    assert lines == [
        "delivered.csv: refused. The heading has no column “user contact” and no column “timestamp”. "
        "Card reports need the columns id, card id, user contact, timestamp, comment, in any order."
    ]


def test_people_without_a_heading_are_taken_in_order():
    code, lines, said = run_command("import_file", "people", FILES / "people-no-header.csv", "--json")
    report = json.loads(lines[0])
    assert code == 0
    assert (report["lines"], report["created"], report["rejected"]) == (11_273, 11_000, 0)
    assert report["unchanged"] + report["superseded"] == 273
    assert said == (
        "The first line of “people-no-header.csv” looks like data, so its cells are taken for name, email, in this order.\n"
    )
    assert Person.objects.count() == 11_000
    assert Person.objects.get(email_key="khunter0@bing.com").name == "Kathy Hunter"


def test_data_with_more_cells_than_the_dataset_has_columns_is_refused(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("Anna,anna@example.com,1\n")
    with pytest.raises(CommandError, match="^The heading has no column “name” and no column “email”"):
        call_command("import_file", "people", str(path))


def test_unknown_headings_are_no_data_even_when_there_are_as_many(tmp_path):
    path = tmp_path / "artikel.csv"
    path.write_text("Artikel,Bezeichnung,Text\nA-1,Mug,Red\n")
    with pytest.raises(CommandError, match="^The heading has no column “sku” and no column “name” and no column “description”"):
        call_command("import_file", "products", str(path))


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    shutil.copytree(PARTNER, inbox)
    (inbox / "people-2024.csv").write_text("Anna,anna@example.com\nBo,bo@example.com\n")
    (inbox / "catalogue.csv").write_text("sku,name,description\nA-1,Mug,Red\n")
    return inbox


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_import_folder_imports_every_file_it_recognises(inbox):
    code, lines, _ = run_command("import_folder", inbox, "--wait", "--settle", "0")
    assert lines == [
        "catalogue.csv → Products: done, 1 line = 1 created, 0 updated.",
        "delivered.csv → Card reports (Delivered): done, 2 lines = 2 created, 0 updated.",
        "delivery-exceptions.csv → Card reports (Delivery exceptions): done, 2 lines = 2 created, 0 updated.",
        "people-2024.csv → People: done, 2 lines = 2 created, 0 updated. The first line of “people-2024.csv” looks like data, "
        "so its cells are taken for name, email, in this order.",
        "pickup.csv → Card reports (Picked up): done, 3 lines = 3 created, 0 updated.",
        "returned.csv → Card reports (Returned): done, 1 line = 1 created, 0 updated.",
    ]
    assert code == 0
    assert names(inbox) == [] and len(names(inbox / "done")) == 6 and not list((inbox / ".taken").iterdir())
    assert Product.objects.get().sku == "A-1" and CardEvent.objects.count() == 8 and Person.objects.count() == 2


def test_import_folder_submits_for_a_worker_and_says_so_in_json(inbox):
    code, lines, _ = run_command("import_folder", inbox, "--settle", "0", "--json")
    found = [json.loads(line) for line in lines]
    assert [(line["file"], line["dataset"], line["state"]) for line in found][:2] == [
        ("catalogue.csv", "products", "queued"),
        ("delivered.csv", "cards", "queued"),
    ]
    assert code == 0 and Import.objects.count() == 6 and len(names(inbox / "done")) == 6
    assert str(Import.objects.order_by("pk")[0].public_id) == found[0]["id"]


def test_import_folder_puts_what_it_refuses_aside_with_the_reason(inbox):
    (inbox / "report.csv").write_bytes((PARTNER / "delivered.csv").read_bytes())
    (inbox / "boats.csv").write_text("boat,harbour\nAda,Kiel\n")
    (inbox / "empty.csv").write_text("")
    (inbox / "failed").mkdir()
    (inbox / "failed" / "empty.csv").write_text("of yesterday")
    (inbox / "wrong.csv").write_text("sku,name,description\n")
    code, lines, _ = run_command("import_folder", inbox, "--wait", "--settle", "0")
    assert code == 1
    reason = (
        "“report.csv” may be Card reports (Delivery exceptions) or Card reports (Delivered): its headings fit each of them, "
        "and its name does not tell which. Give it a name that tells, and put it there again."
    )
    assert f"report.csv: refused. {reason}" in lines
    assert (inbox / "failed" / "report.csv.reason.txt").read_text() == reason + "\n"
    assert (inbox / "failed" / "empty-2.csv.reason.txt").read_text() == "The file “empty.csv” is empty.\n"
    assert (inbox / "failed" / "empty.csv").read_text() == "of yesterday"
    assert (inbox / "failed" / "boats.csv.reason.txt").read_text().startswith("The headings of “boats.csv” are “boat”")
    assert (inbox / "failed" / "wrong.csv.reason.txt").read_text() == "The file has a heading line and nothing else.\n"
    assert len(names(inbox / "done")) == 6
    assert StoredFile.objects.count() == 7


def test_import_folder_takes_no_file_without_a_heading_whose_name_does_not_tell(inbox):
    (inbox / "guests.csv").write_text("Anna,anna@example.com\n")
    code, lines, _ = run_command("import_folder", inbox, "--settle", "0")
    assert code == 1 and [
        line for line in lines if line.startswith("guests.csv: refused. The headings of “guests.csv” are “Anna”")
    ]


def test_import_folder_says_that_there_is_nothing_to_import(tmp_path):
    (tmp_path / "november").mkdir()
    shutil.copy(PARTNER / "pickup.csv", tmp_path / "november")
    assert run_command("import_folder", tmp_path) == (0, [f"There is no file to import in {tmp_path}."], "")
    assert run_command("import_folder", tmp_path, "--json") == (0, [], "")


def test_import_folder_refuses_a_file_whose_name_contradicts_its_headings(inbox):
    shutil.copy(PARTNER / "returned.csv", inbox / "delivered.csv")
    run_command("import_folder", inbox, "--settle", "0")
    assert (inbox / "failed" / "delivered.csv.reason.txt").read_text() == (
        "“delivered.csv” may be Card reports (Returned) or Card reports (Delivered): its headings are those of “Returned”, "
        "and its name tells “Delivered”. Give it a name that tells, and put it there again.\n"
    )


def test_import_folder_leaves_alone_what_is_not_finished(inbox):
    for name in (".hidden.csv", "later.csv.part", "copy.tmp", "~$pickup.csv"):
        (inbox / name).write_text("sku,name,description\nA-2,Mug,Red\n")
    (inbox / "folder.csv").mkdir()
    (inbox / "elsewhere.csv").symlink_to(PARTNER / "pickup.csv")
    run_command("import_folder", inbox, "--settle", "0")
    assert names(inbox) == [".hidden.csv", "copy.tmp", "elsewhere.csv", "later.csv.part", "~$pickup.csv"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"\xfcber.csv", "?ber.csv"),
        (b"a\nb.csv", "a·b.csv"),
        (b"\x1b[31ma.csv", "·[31ma.csv"),
        ("\u202ea.csv".encode(), "·a.csv"),
    ],
)
@pytest.mark.parametrize("content", ["sku,name,description\nA-2,Mug,Red\n", "boat,harbour\nAda,Kiel\n"])
def test_import_folder_says_a_name_that_cannot_be_shown_on_one_line(tmp_path, name, said, content):
    (tmp_path / os.fsdecode(name)).write_text(content)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with suppress(SystemExit):
        call_command("import_folder", str(tmp_path), "--settle", "0", stdout=out)
    out.seek(0)
    lines = out.read().splitlines()
    assert len(lines) == 1 and lines[0].startswith((f"{said} →", f"{said}: refused"))


def test_import_folder_takes_everything_for_the_dataset_that_is_named(inbox):
    code, lines, _ = run_command("import_folder", inbox, "--settle", "0", "--dataset", "cards")
    assert code == 1
    assert [line.partition(":")[0] for line in lines if "refused" in line] == ["catalogue.csv", "people-2024.csv"]
    with pytest.raises(CommandError, match="^There is no dataset called “boats”"):
        call_command("import_folder", str(inbox), "--dataset", "boats")
    with pytest.raises(CommandError, match="nowhere is no folder"):
        call_command("import_folder", str(inbox / "nowhere"))


def test_headings_that_a_person_mapped_once_are_recognised(inbox):
    headings = ["Artikel", "Bezeichnung", "Langtext"]
    mapping.remember(datasets.get("products"), headings, {"sku": 0, "name": 1, "description": 2}, {"description": "keep"})
    (inbox / "liste.csv").write_text(",".join(headings) + "\nL-1,Lampe,hell\n")
    _, lines, _ = run_command("import_folder", inbox, "--settle", "0", "--wait")
    assert "liste.csv → Products: done, 1 line = 1 created, 0 updated. “liste.csv” is mapped as the last time." in lines
    assert Product.objects.get(sku="L-1").description == "hell"
    assert Import.objects.get(file__name="liste.csv").options["blank"] == {"description": "keep"}


def test_headings_that_a_person_mapped_for_another_layout_than_the_name_tells_are_refused(tmp_path):
    headings = ["Nr", "Karte", "Telefon", "Zeit", "Bemerkung"]
    places = {"reference": 0, "card_id": 1, "phone": 2, "at": 3, "comment": 4}
    mapping.remember(datasets.get("cards").seen_as("delivered"), headings, places, {})
    for name in ("delivery-exceptions.csv", "delivered.csv"):
        (tmp_path / name).write_text(",".join(headings) + "\n1,ZYW1,0585949014,13-11-2023 14:00,User not available\n")
    _, lines, _ = run_command("import_folder", tmp_path, "--settle", "0", "--wait")
    assert lines[0].startswith("delivered.csv → Card reports (Delivered): done, 1 line = 1 created")
    assert lines[1].startswith("delivery-exceptions.csv: refused. The headings of “delivery-exceptions.csv” are “Nr”")
