"""One person is removed from every place that keeps them, and nobody else is."""

import io
import json
import logging
from datetime import timedelta

import pytest
import xlsxwriter
from django.core.files.storage import default_storage
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import User
from cards.models import CardEvent
from contacts.models import Contact, Person
from importer import control, erasure, export_control, exports, file_search, held, locks, review, runner, sweep
from importer.erasure_places import InTheWay
from importer.loaders import work_tables
from importer.models import (
    Change,
    DatasetLock,
    DeadLetter,
    Erasure,
    Export,
    Held,
    HeldValue,
    Import,
    Mapping,
    Reject,
    StoredFile,
)
from importer.options import Options
from importer.sought import sought
from importer.states import State
from importer.values import BadValue

PEOPLE = "name,email\nAnn,ann@example.com\nBen,ben@example.com\n"
#: Contacts: Ann by her phone in one spelling.
CONTACTS = "Name,Phone Number,Email Address\nAnn,055 12 34 56,ann@example.com\nBen,055 65 43 21,ben@example.com\n"
PHONE = "+37455123456"


def xlsx(sheets: dict[str, list[list[str]]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name)
            for number, cells in enumerate(lines):
                sheet.write_row(number, 0, cells)
    return out.getvalue()


def people() -> list[str]:
    return sorted(Person.objects.values_list("email", flat=True))


@pytest.mark.parametrize("spelling", ["ann@example.com", " Ann@Example.COM "])
def test_a_person_goes_and_the_others_stay(load, spelling):
    load(PEOPLE, "people")
    load(CONTACTS, "contacts")
    done = erasure.erase(spelling, None)
    assert people() == ["ben@example.com"]
    assert list(Contact.objects.values_list("email", flat=True)) == ["ben@example.com"]
    assert done.kind == "email"
    assert {place: done.counts[place] for place in ("People", "Contacts", "Files")} == {"People": 1, "Contacts": 1, "Files": 2}


@pytest.mark.parametrize("spelling", ["+374 55 12-34-56", "055 123 456", "0037455123456", "٠٥٥١٢٣٤٥٦"])
def test_a_phone_is_found_in_any_spelling(load, spelling):
    run = load(CONTACTS, "contacts")
    done = erasure.erase(spelling, None)
    assert (done.kind, done.counts) == ("phone", {"Contacts": 1, "Changes of contacts": 1, "Files": 1})
    assert list(Contact.objects.values_list("name", flat=True)) == ["Ben"]
    run.file.refresh_from_db()
    assert run.file.deleted_why == "erased"


def test_what_names_nobody_is_refused_with_a_sentence(db):
    for text in ("", "  ", "Ann", "ann@", "31 May"):
        with pytest.raises(BadValue, match="is no e-mail address or phone number|is nothing that a person is known by"):
            erasure.erase(text, None)
    assert not Erasure.objects.exists()


def test_the_log_tells_who_knows_the_value_and_nobody_else(load, caplog):
    load(PEOPLE, "people")
    ada = User.objects.create_user("ada@example.com", role="editor")
    with caplog.at_level(logging.INFO):
        first = erasure.erase("ann@example.com", ada)
        second = erasure.erase("ANN@example.com", ada)
    assert (first.person, first.digest == second.digest, len(first.digest)) == (ada, True, 64)
    assert second.counts == {}
    assert list(erasure.before(sought("ann@example.com"))) == [second, first]
    assert list(erasure.before(sought("ben@example.com"))) == []
    assert "Personal data was erased, found by email" in caplog.text
    assert "ann@" not in "".join(record.getMessage() for record in caplog.records if record.name == "importer.erasure").lower()
    assert "ann" not in str(Erasure.objects.values()).lower()


def test_changes_of_the_person_go_so_that_an_undo_brings_nobody_back(load):
    run = load(PEOPLE, "people")
    ben = Person.objects.get(email="ben@example.com")
    # An edit took the address away from a row that stays.
    before = {"email": "ann@example.com", "name": "Ben"}
    Change.objects.create(
        dataset="people", row_id=ben.pk, at=timezone.now(), kind="u", before=before, after={"email": "b@x.am"}
    )
    Change.objects.create(dataset="people", row_id=99, at=timezone.now(), kind="d", before=before)
    Change.objects.create(dataset="products", row_id=99, at=timezone.now(), kind="u", before=before)
    done = erasure.erase("ann@example.com", None)
    assert done.counts["Changes of people"] == 3
    left = Change.objects.filter(dataset="people")
    assert [(change.row_id, change.run_id) for change in left] == [(ben.pk, run.pk)]
    control.undo(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, people()) == (State.UNDONE, [])
    assert Change.objects.filter(dataset="products").count() == 1


REJECTED = (
    "Name,Phone Number,Email Address\n"
    "Ann,,ann@example.com\n"
    "Ann,55 12 34 56,not an address\n"
    "Ann,'+374 (55) 12-34-56,too,many\n"
    'Ann,"055123456" stray,x\n'
    "Call Ann at ann@example.com,,\n"
    "Ben,,ben@example.com\n"
    "Ann,٠٥٥ ١٢ ٣٤ ٥٦,not an address\n"
)


def rejected(run: Import) -> dict[int, bool]:
    """By line, whether the cells are still there."""
    return {reject.line: bool(reject.cells) for reject in Reject.objects.filter(run=run)}


def test_rejected_lines_lose_the_person_in_every_spelling(load):
    run = load(REJECTED + "Zoe,055 00 00 01,zoe@example.com\n", "contacts")
    assert run.rejected == 7
    done = erasure.erase(PHONE, None)
    assert rejected(run) == {2: True, 3: False, 4: False, 5: False, 6: True, 7: True, 8: False}
    assert done.counts["Rejected lines of contacts"] == 4
    done = erasure.erase("ann@example.com", None)
    assert rejected(run) == {2: False, 3: False, 4: False, 5: False, 6: False, 7: True, 8: False}
    assert [reject.reason for reject in Reject.objects.filter(run=run, line=3)] == [
        "Line 3: “…” is not an e-mail address. An email address must have an @-sign."
    ]
    run.refresh_from_db()
    assert (run.rejected, Reject.objects.filter(run=run).count()) == (7, 7)


def test_a_reason_loses_the_person_that_it_quotes(load):
    run = load("name,email\nBen,ben@example.com\nAnn,ann@example.com.\n", "people")
    reject = Reject.objects.get(run=run)
    assert "“ann@example.com.”" in reject.reason
    erasure.erase("ann@example.com", None)
    reject.refresh_from_db()
    assert (reject.cells, "ann@" in reject.reason) == ([], False)


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com/ben@example.com",
        "ben@example.com&ann@example.com",
        "mailto:ann@example.com?subject=x",
        "\u200bann@example.com",
        "\ufeffann@example.com",
        "ann@example.com\u2400",
        "«ann@example.com»",
        "„Ann@example.com“…",
        "{ann@example.com}",
        "- ann@example.com—home",
        "-ann@example.com-",
        "https://example.com/?to=ann@example.com&x=1",
        "ben@example.com、ann@example.com",
    ],
)
def test_an_address_is_found_amid_other_text(db, text):
    assert sought("ann@example.com").in_text([text])


@pytest.mark.parametrize(
    "text", ["joann@example.com", "ann.b@example.com", "ann+x@example.com", "ann@example.com.am", "a_ann@example.com"]
)
def test_an_address_that_has_another_in_it_is_not_taken_for_it(db, text):
    assert not sought("ann@example.com").in_text([text])


@pytest.mark.parametrize(
    "text",
    [
        "055 12 34 56/055 65 43 21",
        "055654321/055123456",
        "055 65 43 21 + 055 12 34 56",
        "055 12 34 56 & 055 65 43 21",
        "055654321 \\ +374 (55) 12-34-56",
        "055/12/34/56",
    ],
)
def test_a_phone_is_found_beside_another_one(db, text):
    assert sought(PHONE).in_text([text])


def test_dead_letters_lose_the_person_however_json_spells_them(load):
    values = {"1": "josé@example.com", "2": "See:\njosé@example.com", "3": "joe@example.com"}
    for number, text in values.items():
        body = json.dumps({"v": 1, "values": {"name": "Jo", "email": text}}).encode()
        DeadLetter.objects.create(message_id=number, dataset="people", body=body, reason="No.")
    DeadLetter.objects.create(message_id="4", dataset="people", body=b'{"jos\xc3\xa9@example.com', reason="No.")
    assert erasure.erase("JOSÉ@example.com", None).counts == {"Dead letters": 3}
    assert [letter.message_id for letter in DeadLetter.objects.all()] == ["3"]


@pytest.mark.parametrize("file_is_there", [True, False])
def test_what_a_failed_import_has_read_goes_and_it_says_so(load, tmp_path, file_is_there):
    run = load(PEOPLE, "people")
    Import.objects.filter(pk=run.pk).update(state=State.FAILED, checkpoint=run.checkpoint | {"phase": "staging"})
    run.refresh_from_db()
    loader = review.loader_of(run)
    loader.make_stage()
    with transaction.atomic():
        loader.copy(b"2\tann@example.com\tAnn\tann@example.com\n")
    if not file_is_there:
        (tmp_path / run.file.path).unlink()
    assert erasure.erase("carl@example.com", None).counts == {}
    assert work_tables.exist(run.pk)
    done = erasure.erase("ann@example.com", None)
    assert ("Imports that keep what they have read" in done.counts) is not file_is_there
    assert not work_tables.exist(run.pk)
    with pytest.raises(control.Refused, match="because it held data of a person whose data was erased|is not kept any more"):
        control.retry(run, None)


def test_an_import_that_is_not_at_its_end_has_to_end_first(load, submit):
    load(PEOPLE, "people")
    waiting = submit(PEOPLE, "people", name="again.csv")
    path = waiting.file.path
    with pytest.raises(
        InTheWay, match="An import of people that has this person in it is running; try again when it has ended."
    ):
        erasure.erase("ann@example.com", None)
    assert (people(), Erasure.objects.count()) == (["ann@example.com", "ben@example.com"], 0)
    assert default_storage.exists(path)
    erasure.erase("carl@example.com", None)
    control.cancel(waiting, None, roll_back=False)
    erasure.erase("ann@example.com", None)
    assert (people(), default_storage.exists(path)) == (["ben@example.com"], False)


def test_an_import_that_has_the_dataset_is_waited_for(load, submit):
    load(PEOPLE, "people")
    other = submit("name,email\nZoe,zoe@example.com\n", "people")
    Import.objects.filter(pk=other.pk).update(state=State.APPLYING)
    DatasetLock.objects.update_or_create(dataset="people", defaults={"run": other})
    with pytest.raises(locks.Taken):
        erasure.erase("ann@example.com", None)
    assert people() == ["ann@example.com", "ben@example.com"]


def test_files_of_the_person_are_deleted_and_the_others_stay(load):
    held = load(PEOPLE, "people", name="ann@example.com.csv")
    other = load("name,email\nBen,ben@example.com\n", "people")
    products = load("sku,name,description\nann@example.com,One,\n")
    path = held.file.path
    erasure.erase("ann@example.com", None)
    for run in (held, other, products):
        run.refresh_from_db()
    assert not default_storage.exists(path)
    assert (held.file.path, held.file.name, held.file.deleted_why) == ("", "erased", "erased")
    assert held.file.fate.endswith("because it held data of a person whose data was erased.")
    for run in (other, products):
        assert (run.file.fate, default_storage.exists(run.file.path)) == ("", True)


def test_a_file_that_was_taken_for_another_dataset_goes_too(load, submit):
    failed = load(PEOPLE, "products", name="ann@example.com.csv")
    assert (failed.state, "has no column “sku”" in failed.error) == (State.FAILED, True)
    refused = load("sku,name,description\n,ann@example.com,\n,Ben,\n", "products")
    assert (refused.state, refused.rejected) == (State.DONE, 2)
    cancelled = submit("sku,name\na,ann@example.com\n", "products")
    control.cancel(cancelled, None, roll_back=False)
    others = load("sku,name,description\n,ben@example.com,\n", "products")
    seen = erasure.look("ann@example.com")
    assert (seen.counts, len(seen.files)) == ({"Rejected lines of products": 1, "Names of files": 1}, 3)
    assert erasure.erase("ann@example.com", None).counts == {"Files": 3, "Rejected lines of products": 1}
    assert rejected(refused) == {2: False, 3: True}
    for run in (failed, refused, cancelled, others):
        run.refresh_from_db()
    assert [run.file.deleted_why for run in (failed, refused, cancelled, others)] == ["erased", "erased", "erased", ""]


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        (xlsx({"One": [["name", "email"], ["Ben", "ben@example.com"]], "Two": [["x"], ["to: Ann@example.com;"]]}), True),
        (xlsx({"One": [["name", "email"], ["Ben", "ben@example.com"]]}), False),
        ("name;phone\nAnn;'+374 55 123456'\n".encode("utf-16"), False),
        ("name;email\nÄnn;ANN@example.com\n".encode("utf-16"), True),
        (b"ann@example.com,x\nBen,ben@example.com\n", True),
        (b'name,email\nAnn,"broken ""ann@example.com\n', True),
        (b"name,email\nJoann@example.com,xann@example.com\n", False),
    ],
)
def test_a_file_is_searched_in_all_its_parts(load, content, holds):
    run = load(content, "people", name="file")
    (document,) = file_search.documents()
    assert (document.path, file_search.holds(document, sought("ann@example.com"))) == (run.file.path, holds)


def test_a_file_that_nobody_can_read_is_told_of(load):
    run = load(b"%PDF-1.4 ann@example.com", "people")
    assert run.state == State.FAILED
    done = erasure.erase("ann@example.com", None)
    assert done.counts == {"Files that nobody can read, left as they are": 1}
    assert default_storage.exists(run.file.path)


def test_files_that_storage_keeps_hold_of_are_deleted_by_the_timetable(load, monkeypatch):
    path = load(PEOPLE, "people").file.path

    def refuse(storage, name):
        raise OSError("the disk is read-only")

    with monkeypatch.context() as patch:
        patch.setattr(type(default_storage._wrapped), "delete", refuse)
        done = erasure.erase("ann@example.com", None)
        assert done.files_left == [path]
        sweep.tidy()
    done.refresh_from_db()
    assert done.files_left == [path]
    assert default_storage.exists(path)
    sweep.tidy()
    done.refresh_from_db()
    assert (done.files_left, default_storage.exists(path)) == ([], False)


def test_an_erasure_that_breaks_off_leaves_all_as_it_was(load, monkeypatch):
    run = load(PEOPLE, "people")
    monkeypatch.setattr(erasure, "digest", lambda wanted: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        erasure.erase("ann@example.com", None)
    run.file.refresh_from_db()
    assert (people(), run.file.fate) == (["ann@example.com", "ben@example.com"], "")
    assert default_storage.exists(run.file.path)


def test_notes_of_imports_and_mappings_lose_the_person(load):
    run = load(PEOPLE, "people")
    review = {"mangled": {"shortened": {"count": 1, "examples": [[2, "ann@example.com", ""]]}}, "counts": {"to_create": 2}}
    review["warnings"] = [{"kind": "shortened", "sentence": "1 new key: “ann@example.com” in line 2."}]
    checkpoint = run.checkpoint | {"heading": ["Ann", "ann@example.com"]}
    Import.objects.filter(pk=run.pk).update(review=review, checkpoint=checkpoint, error="Line 2: “ann@example.com” is odd.")
    Mapping.objects.create(dataset="people", headings_hash="1", columns={"email": "ann@example.com"})
    Mapping.objects.create(dataset="people", headings_hash="2", columns={"email": "email"})
    erasure.erase("ann@example.com", None)
    run.refresh_from_db()
    assert run.review["mangled"]["shortened"]["examples"] == [[2, "", ""]]
    assert run.review["warnings"][0]["sentence"] == "1 new key: “…” in line 2."
    assert (run.checkpoint["heading"], run.error) == (["Ann", ""], "Line 2: “…” is odd.")
    assert [mapping.headings_hash for mapping in Mapping.objects.all()] == ["2"]


def test_sentence_of_a_failed_export_loses_the_person(load):
    for key in ("ann@example.com", "ben@example.com"):
        Export.objects.create(
            dataset="people", format="xlsx", state="failed", error=f"The name of “{key}” has too many characters."
        )
    assert erasure.erase("ann@example.com", None).counts == {"Notes of exports": 1}
    said = sorted(Export.objects.values_list("error", flat=True))
    assert said == ["The name of “ben@example.com” has too many characters.", "The name of “…” has too many characters."]


def test_a_look_tells_what_an_erasure_removes_and_removes_nothing(load, submit):
    load(PEOPLE, "people")
    waiting = submit(PEOPLE, "people")
    seen = erasure.look("ann@example.com")
    assert seen.counts == {"People": 1, "Changes of people": 1}
    assert sorted(file.row.pk for file in seen.files) == sorted(StoredFile.objects.values_list("pk", flat=True))
    assert [problem.run for problem in seen.in_the_way] == [waiting]
    assert people() == ["ann@example.com", "ben@example.com"]
    control.cancel(waiting, None, roll_back=False)
    done = erasure.erase("ann@example.com", None)
    assert done.counts == seen.counts | {"Files": 2}
    assert erasure.look("ann@example.com").is_empty


CARDS = "ID ,Card ID,User Mobile,Timestamp\n1,c1,055123456,24-11-2026 09:30\n2,c2,0556543210,24-11-2026 09:31\n"


def test_where_rows_outlive_the_person_the_cell_alone_goes(load):
    run = load(CARDS, "cards", layout="pickup")
    assert (run.created, run.error) == (2, "")
    before = {"phone": "00374 55123456", "comment": "was there"}
    change = Change.objects.create(dataset="cards", row_id=1, at=timezone.now(), kind="u", before=before, after={"phone": "1"})
    seen = erasure.look("055 12-34-56")
    assert seen.counts == {"Card reports, phone alone": 1}
    done = erasure.erase("055 12-34-56", None)
    assert done.counts == {"Card reports, phone alone": 1, "Files": 1}
    assert list(CardEvent.objects.order_by("card_id").values_list("card_id", "phone")) == [("C1", ""), ("C2", "0556543210")]
    change.before = {"phone": "+971 (0)55-123456", "comment": "was there"}
    change.save()
    assert erasure.erase("055123456", None).counts == {"Changes of card reports": 1}
    change.refresh_from_db()
    assert (change.before, change.after) == ({"phone": "", "comment": "was there"}, {"phone": "1"})


HELD = "Name,Phone Number,Email Address\nAnn,055123456,ann@example.com\nAgain,055123456,other@example.com\n"


def test_held_rows_of_the_person_are_never_stored(load):
    run = load(HELD, "contacts", options=Options(unasked=True))
    assert (run.created, run.held) == (1, 1)
    assert erasure.look(PHONE).counts == {"Contacts": 1, "Changes of contacts": 1, "Held contacts": 1}
    erasure.erase(PHONE, None)
    assert [(row.state, row.values) for row in Held.objects.all()] == [(Held.State.DISCARDED, {})]
    assert not HeldValue.objects.exists()
    later = timezone.now() + timedelta(minutes=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importer.held.timezone.now", lambda: later)
        assert held.store_due() == 0
    assert not Contact.objects.exists()
    run.refresh_from_db()
    assert run.counted == run.lines


def test_files_of_exports_go_and_exports_that_are_written_are_waited_for(load):
    load(PEOPLE, "people")
    export = export_control.request_export("people", None)
    with pytest.raises(InTheWay, match="An export of people has not ended; try again when it has, or cancel it."):
        erasure.erase("ann@example.com", None)
    exports.run(export.pk)
    export.refresh_from_db()
    path = export.path
    assert default_storage.exists(path)
    assert [document.name for document in erasure.look("ann@example.com").files] == ["file.csv", "Export of people"]
    done = erasure.erase("ann@example.com", None)
    export.refresh_from_db()
    assert (done.counts["Files"], export.path, default_storage.exists(path)) == (2, "", False)


def test_no_import_writes_the_person_back_meanwhile(load, submit):
    """What holds an import off is the row that it takes the dataset by: it is locked until the erasure is committed."""
    load(PEOPLE, "people")
    seen = []

    def entries(wanted):
        with pytest.raises(OperationalError, match="could not obtain lock"):
            in_another_connection("SELECT 1 FROM importer_datasetlock WHERE dataset = 'people' FOR UPDATE NOWAIT")
        seen.append(wanted.value)
        return iter(())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasure.erasure_places, "PLACES", [entries])
        erasure.erase("ann@example.com", None)
    assert seen == ["ann@example.com"]
    in_another_connection("SELECT 1 FROM importer_datasetlock WHERE dataset = 'people' FOR UPDATE NOWAIT")


def in_another_connection(sql: str) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(sql)
            cursor.execute("ROLLBACK")
    finally:
        other.close()


def test_a_file_that_comes_during_the_search_is_searched_too(load, monkeypatch):
    load(PEOPLE, "people")
    search, searched = erasure._search, []

    def slow(wanted, found):
        result = search(wanted, found)
        if not searched:
            load(PEOPLE, "people", name="late.csv")
        searched.append(wanted)
        return result

    monkeypatch.setattr(erasure, "_search", slow)
    assert erasure.erase("ann@example.com", None).counts["Files"] == 2
    assert {file.deleted_why for file in StoredFile.objects.all()} == {"erased"}
