"""Files past their time are deleted by the timetable, and everything that needed them says so."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.models import User
from importer import control, retention, sweep
from importer.models import DeadLetter, Import, Reject, StoredFile
from importer.states import State

FILE = "sku,name,description\na,One,\n,Nameless Ann,\n"
FATE = "because it was older than files are kept here."


def old(run: Import, days: float = 91) -> Import:
    then = timezone.now() - timedelta(days=days)
    Import.objects.filter(pk=run.pk).update(finished_at=then, queued_at=then)
    StoredFile.objects.filter(pk=run.file_id).update(created_at=then)
    run.refresh_from_db()
    return run


def test_an_old_file_is_deleted_and_the_history_stays(load):
    run = old(load(FILE))
    path = run.file.path
    assert default_storage.exists(path)
    sweep.tidy()
    run.refresh_from_db()
    assert not default_storage.exists(path)
    assert (run.file.path, run.file.deleted_why, run.file.name) == ("", "retention", "file.csv")
    assert FATE in run.file.fate
    assert (run.state, run.lines, run.rejected) == (State.DONE, 2, 1)


def test_rejected_lines_lose_their_cells_with_the_file(load, monkeypatch):
    monkeypatch.setattr(retention, "PIECE", 1)
    run = old(load("sku,name,description,active\na,One,,maybe “Ann”\nb,Two,,Ann\n,Three,,yes\n"))
    assert "Ann" in Reject.objects.filter(run=run).values_list("reason", flat=True)[0]
    sweep.tidy()
    found = Reject.objects.filter(run=run).order_by("line")
    assert [(reject.line, reject.cells) for reject in found] == [(2, []), (3, []), (4, [])]
    assert not any("Ann" in reject.reason for reject in found)
    assert "“…”" in found[0].reason


@pytest.mark.parametrize("days", [0, 92])
def test_a_file_is_kept_for_as_long_as_the_setting_says(load, settings, days):
    run = old(load(FILE))
    settings.LOADIFY_FILE_DAYS = days
    sweep.tidy()
    assert default_storage.exists(run.file.path)
    assert Reject.objects.get(run=run).cells == ["", "Nameless Ann", ""]


def test_a_file_of_which_an_import_is_not_at_its_end_is_kept(load):
    run = old(load(FILE))
    again = old(control.submit(run.file, "products", owner=None))
    sweep.tidy()
    assert default_storage.exists(run.file.path)
    control.cancel(again, None, roll_back=False)
    sweep.tidy()
    assert default_storage.exists(run.file.path), "its last import ended just now"
    old(again)
    sweep.tidy()
    assert not default_storage.exists(run.file.path)


def test_a_storage_that_does_not_let_go_is_asked_again(load, monkeypatch):
    run = old(load(FILE))
    path = run.file.path

    def refuse(name):
        raise OSError("the disk is read-only")

    with monkeypatch.context() as patch:
        patch.setattr(default_storage._wrapped.__class__, "delete", lambda self, name: refuse(name))
        sweep.tidy()
    run.refresh_from_db()
    assert (run.file.path, bool(run.file.fate)) == (path, True)
    sweep.tidy()
    run.refresh_from_db()
    assert (run.file.path, default_storage.exists(path)) == ("", False)


def test_what_needs_a_deleted_file_says_what_became_of_it(client, load):
    ada = User.objects.create_user("ada@example.com", role="editor")
    run = load(FILE)
    Import.objects.update(owner=ada, state=State.FAILED, created=0, updated=0)
    StoredFile.objects.update(owner=ada)
    old(run)
    sweep.tidy()
    run.refresh_from_db()
    with pytest.raises(control.Refused, match=FATE):
        control.submit(run.file, "products", owner=ada)
    with pytest.raises(control.Refused, match=FATE):
        control.retry(run, ada)
    client.force_login(ada)
    page = client.get(f"/imports/{run.public_id}/").content.decode()
    assert (FATE in page, "Download the file" in page, "Look at the file again" in page) == (True, False, False)
    answer = client.get(f"/imports/{run.public_id}/file", follow=True)
    assert (answer.status_code, FATE in answer.content.decode()) == (410, True)
    answer = client.get(f"/imports/prepare/{run.file.public_id}/?dataset=products")
    assert (answer.status_code, FATE in answer.content.decode()) == (422, True)


def test_letters_that_were_decided_about_are_forgotten_and_the_others_wait(db):
    long_ago, lately = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=29)
    for number, decided in enumerate(
        [{}, {"discarded_at": long_ago}, {"replayed_at": long_ago}, {"discarded_at": lately}, {"replayed_at": lately}]
    ):
        DeadLetter.objects.create(
            message_id=str(number), dataset="people", body=b"ann@example.com", reason="No.", came_at=long_ago, **decided
        )
    sweep.tidy()
    assert [letter.message_id for letter in DeadLetter.objects.order_by("pk")] == ["0", "3", "4"]
