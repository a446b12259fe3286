"""Contacts that come again too early: held, stored in order when their moment has come, let through, discarded, undone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from contacts.models import Contact
from importer import control, held, locks, runner, sweep
from importer.lanes import lanes_for
from importer.loaders import search_indexes
from importer.models import Change, Held, HeldValue, Import
from importer.options import Options
from importer.states import State

FILES = Path(__file__).resolve().parents[1] / "files"
WINDOW = timedelta(minutes=3)
HEADING = "Name,Phone Number,Email Address\n"


@pytest.fixture
def take(load):
    """Import lines of contacts here and now."""

    def take(*lines: str, **chosen: Any) -> Import:
        chosen = {"options": Options(unasked=True)} | chosen
        return load(HEADING + "".join(f"{line}\n" for line in lines), "contacts", **chosen)

    return take


@pytest.fixture
def later(monkeypatch):
    """Makes the timetable think that some time has passed since now."""

    def later(**passed: float) -> int:
        moment = datetime.now(UTC) + timedelta(**passed)
        with monkeypatch.context() as patch:
            patch.setattr("importer.held.timezone.now", lambda: moment)
            return held.store_due()

    return later


def waiting(run: Import | None = None) -> list[tuple[int, timedelta]]:
    """Line and wait of each held row, to the next five seconds: the machine may be slow."""
    rows = Held.objects.filter(state=Held.State.WAITING, **({"run": run} if run else {})).order_by("due_at", "id")
    now = timezone.now()
    return [(row.line, timedelta(seconds=5 * round((row.due_at - now).total_seconds() / 5))) for row in rows]


def stored() -> list[str]:
    return list(Contact.objects.order_by("created_at", "id").values_list("name", flat=True))


def test_sample_is_taken_but_for_the_contact_without_a_phone(load):
    run = load((FILES / "contacts.xlsx").read_bytes(), "contacts", "contacts.xlsx")
    assert (run.state, run.lines, run.created, run.rejected) == (State.DONE, 4, 3, 1)
    rows = list(Contact.objects.order_by("id").values_list("name", "phone", "email"))
    assert rows == [("Kevin", "+91144558899", "kevin@gmail.com"), ("Davit", "+374500500", ""), ("Gorge", "14", "")]
    [reject] = run.rejects.all()
    assert reject.reason == "Line 2: The phone number is empty; a contact without one is not stored."


def test_columns_may_stand_in_any_order_and_case(load):
    run = load("EMAIL ADDRESS,name,Phone number\nA@b.am,Ann,011223344\n", "contacts")
    assert run.created == 1
    assert Contact.objects.values_list("name", "phone", "email").get() == ("Ann", "+37411223344", "a@b.am")


def test_missing_column_is_refused_with_a_sentence(load):
    run = load("name,phone number\nAnn,011223344\n", "contacts")
    assert run.state == State.FAILED
    assert run.error.startswith("The heading has no column “email”. Contacts need the columns name, phone, email")


def test_same_phone_in_one_file_follows_at_steps_of_the_window(take):
    run = take("A,011223344,", "B,+374 11 22 33 44,", "C,077112233,", "D,0037411223344,")
    assert (run.created, run.held, run.counted) == (2, 2, 4)
    assert stored() == ["A", "C"]
    assert waiting() == [(3, WINDOW), (5, 2 * WINDOW)]


def test_same_email_holds_too_whatever_its_case(take):
    take("A,011223344,x@y.am")
    run = take("B,011223355,X@Y.AM ")
    assert (run.created, run.held) == (0, 1)
    assert waiting(run) == [(2, WINDOW)]


def test_blank_emails_hold_nobody(take):
    assert take("A,011223344,", "B,011223355,", "C,011223366,").created == 3


def test_row_waits_for_the_later_of_its_phone_and_email(take):
    take("A,011223344,a@y.am", "B,011223344,b@y.am", "C,011223355,b@y.am", "D,011223344,")
    # B behind A by phone, C behind B by e-mail, D behind B by phone.
    assert waiting() == [(3, WINDOW), (4, 2 * WINDOW), (5, 2 * WINDOW)]


def test_row_that_waits_holds_rows_of_other_files(take):
    take("A,011223344,", "B,011223344,")
    run = take("C,011223344,")
    assert waiting(run) == [(2, 2 * WINDOW)]


def test_row_is_free_again_after_the_window(take):
    take("A,011223344,")
    Contact.objects.update(
        created_at=timezone.now() - WINDOW - timedelta(seconds=1), closed_until=timezone.now() - timedelta(seconds=1)
    )
    assert take("B,011223344,").created == 1
    assert Contact.objects.count() == 2


def test_held_rows_are_stored_at_their_moments_in_order(take, later):
    run = take("A,011223344,", "B,011223344,", "C,011223344,")
    assert later(minutes=2, seconds=59) == 0
    assert later(minutes=3, seconds=1) == 1
    assert stored() == ["A", "B"]
    assert later(minutes=6, seconds=1) == 1
    moments = list(Contact.objects.order_by("id").values_list("created_at", flat=True))
    # A row that is stored a second behind its moment bears the moment, so that the next is not late as well.
    assert [moment - moments[0] for moment in moments] == [timedelta(), WINDOW, 2 * WINDOW]
    assert not HeldValue.objects.exists()
    assert list(Change.objects.filter(run=run).order_by("line").values_list("line", "kind")) == [(2, "c"), (3, "c"), (4, "c")]
    assert Held.objects.filter(state=Held.State.STORED, row_id__isnull=False).count() == 2


def test_after_a_standstill_rows_still_keep_the_window(take, later):
    take("A,011223344,", "B,011223344,", "C,011223344,", "D,077112233,", "E,077112233,")
    # An hour late: one of each phone now, the other is put off.
    assert later(hours=1) == 2
    moments = dict(Contact.objects.values_list("name", "created_at"))
    assert set(moments) == {"A", "B", "D", "E"}
    [left] = Held.objects.filter(state=Held.State.WAITING)
    assert (left.line, left.due_at) == (4, moments["B"] + WINDOW)
    assert HeldValue.objects.get().due_at == left.due_at


def test_new_row_waits_behind_one_whose_moment_has_passed(take, later):
    take("A,011223344,", "B,011223344,")
    old = timezone.now() - timedelta(hours=1)
    Contact.objects.update(created_at=old, closed_until=old + WINDOW)
    Held.objects.update(due_at=old + WINDOW)
    HeldValue.objects.update(due_at=old + WINDOW)
    run = take("C,011223344,")
    assert waiting(run) == [(2, WINDOW)]
    assert later(seconds=1) == 1
    assert stored() == ["A", "B"]


def test_window_is_a_setting(take, settings):
    settings.LOADIFY_HOLD_SECONDS = 5
    take("A,011223344,", "B,011223344,")
    assert waiting() == [(3, timedelta(seconds=5))]


def test_shorter_window_is_for_what_comes_from_now_on(take, later, settings):
    take("A,011223344,", "B,011223344,")
    settings.LOADIFY_HOLD_SECONDS = 10
    run = take("C,011223344,", "D,077112233,")
    # A was stored with the promise of three minutes, which the database keeps.
    assert (run.state, run.created, run.held) == (State.DONE, 1, 1)
    assert waiting() == [(3, WINDOW), (2, WINDOW + timedelta(seconds=10))]
    Held.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    HeldValue.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert held.store_due() == 0
    closed = Contact.objects.get(name="A").closed_until
    assert [row.due_at for row in Held.objects.filter(state=Held.State.WAITING)] == [closed, closed]
    assert later(minutes=3, seconds=1) == 1
    assert later(minutes=3, seconds=12) == 1
    assert stored() == ["A", "D", "B", "C"]


def test_longer_window_is_for_what_was_stored_already_too(take, settings):
    take("A,011223344,")
    settings.LOADIFY_HOLD_SECONDS = 300
    take("B,011223344,")
    assert waiting() == [(2, timedelta(seconds=300))]


def test_row_that_the_database_refuses_keeps_no_other_from_being_stored(take, later, caplog):
    take("A,011223344,", "B,011223344,", "C,077112233,", "D,077112233,")
    bad = Held.objects.get(line=3)
    bad.values["name"] = "B" * 300
    bad.save()
    assert later(minutes=3, seconds=1) == 1
    assert stored() == ["A", "C", "D"]
    bad.refresh_from_db()
    assert bad.state == Held.State.WAITING
    assert bad.due_at > timezone.now() + WINDOW
    assert HeldValue.objects.get().due_at == bad.due_at
    assert f"Held row {bad.pk} could not be stored" in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize("same", [{"phone": "+37411223344"}, {"email": "a@b.am"}])
def test_database_bars_what_comes_too_early(same):
    now = timezone.now()
    first = {"phone": "+1", "email": "x@b.am"} | same
    second = {"phone": "+2", "email": "y@b.am"} | same
    Contact.objects.create(**first, created_at=now, closed_until=now + WINDOW)
    with pytest.raises(IntegrityError, match="contact_(phone|email)_once"), transaction.atomic():
        Contact.objects.create(**second, created_at=now + WINDOW - timedelta(seconds=1), closed_until=now + 2 * WINDOW)
    Contact.objects.create(**second, created_at=now + WINDOW, closed_until=now + 2 * WINDOW)
    assert Contact.objects.count() == 2


def test_person_lets_a_row_through_before_its_moment(take, later):
    person = User.objects.create_user("ann@example.com", role="editor")
    take("A,011223344,", "B,011223344,", "C,011223344,")
    last = Held.objects.get(line=4)
    held.release(last.pk, person)
    assert stored() == ["A", "C"]
    last.refresh_from_db()
    assert (last.state, last.decided_by) == (Held.State.STORED, person)
    # What was let through holds the others like any row: B comes a window after C, not after A.
    assert later(minutes=3, seconds=1) == 1
    assert stored() == ["A", "C", "B"]
    let_through, put_off = Contact.objects.get(name="C"), Contact.objects.get(name="B")
    assert put_off.created_at - let_through.created_at >= WINDOW


def test_row_whose_window_is_free_is_let_through_within_the_rule(take):
    take("A,011223344,", "B,011223344,", "C,011223344,")
    Contact.objects.all().delete()
    held.release(Held.objects.get(line=3).pk, None)
    contact = Contact.objects.get()
    assert contact.closed_until - contact.created_at == WINDOW


def test_discarded_row_is_never_stored(take, later):
    take("A,011223344,", "B,011223344,", "C,011223344,")
    held.discard(Held.objects.get(line=3).pk, None)
    assert later(hours=1) == 1
    assert stored() == ["A", "C"]


@pytest.mark.parametrize("verb", [held.release, held.discard])
def test_row_that_does_not_wait_any_more_is_told(take, later, verb):
    take("A,011223344,", "B,011223344,")
    assert later(minutes=4) == 1
    with pytest.raises(held.Gone, match=r"This row does not wait any more: it was stored meanwhile\."):
        verb(Held.objects.get().pk, None)
    assert Contact.objects.count() == 2


def test_undo_discards_what_waits_and_removes_what_was_stored(take, later):
    run = take("A,011223344,", "B,011223344,", "C,011223344,", "D,077112233,")
    assert later(minutes=3, seconds=1) == 1
    control.undo(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.UNDONE
    assert (run.undo["removed"], run.undo["discarded"]) == (3, 1)
    assert not Contact.objects.exists()
    assert later(hours=1) == 0
    assert Held.objects.filter(state=Held.State.DISCARDED).count() == 1


def test_import_of_which_everything_waits_can_be_undone(take, later):
    take("A,011223344,")
    run = take("B,011223344,")
    control.undo(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.undo["discarded"]) == (State.UNDONE, 1)
    assert later(hours=1) == 0


def test_cancelled_import_that_is_rolled_back_discards_its_holds(submit, monkeypatch, later):
    monkeypatch.setattr("importer.loaders.holding.HoldingPostgres.most", 2)
    run = submit(
        HEADING + "A,011223344,\nB,011223344,\nC,011223344,\nD,077112233,\n", "contacts", options=Options(unasked=True)
    )
    real = runner.Runner._apply_bucket

    def once(self: runner.Runner, lane: str) -> bool:
        real(self, lane)
        control.cancel(Import.objects.get(pk=run.pk), None, roll_back=True)
        self.attempt.heart.wanted = "cancel"
        return True

    with monkeypatch.context() as patch:
        patch.setattr(runner.Runner, "_apply_bucket", once)
        runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.held) == (State.QUEUED, 1, 1)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.undo["discarded"], run.undo["removed"]) == (State.UNDONE, 1, 1)
    assert later(hours=1) == 0


def test_buckets_of_one_import_know_of_each_other(take, monkeypatch):
    monkeypatch.setattr("importer.loaders.holding.HoldingPostgres.most", 2)
    run = take("A,011223344,", "B,077112233,", "C,011223344,", "D,077112233,", "E,011223344,", "F,011223355,")
    assert (run.created, run.held) == (3, 3)
    assert waiting() == [(4, WINDOW), (5, WINDOW), (6, 2 * WINDOW)]


def test_review_estimates_what_would_be_held(take, submit):
    take("A,011223344,")
    run = submit(
        HEADING + "B,011223344,\nC,077112233,c@y.am\nD,077112244,C@y.am\nE,077112255,\n", "contacts", mode=Import.Mode.REVIEW
    )
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.REVIEW
    counts = run.review["counts"]
    assert (counts["to_create"], counts["to_hold"], counts["rejected"]) == (2, 2, 0)
    assert run.review["warnings"] == []
    control.approve(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.held) == (State.DONE, 2, 2)


def test_review_warns_of_a_chain_of_more_than_an_hour(submit):
    run = submit(HEADING + "".join(f"N{n},011223344,\n" for n in range(30)), "contacts", mode=Import.Mode.AUTO)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.REVIEW
    assert [warning["sentence"] for warning in run.review["warnings"]] == [
        "29 lines come too early, and the last of them would be stored in about 1.4 hours."
    ]


def test_estimate_that_time_has_changed_is_no_drift(submit, take):
    first = take(*(f"A{n},0771122{n},n{n}@y.am" for n in range(10, 40)))
    run = submit(HEADING + "".join(f"B{n},0771122{n},\n" for n in range(10, 40)), "contacts", mode=Import.Mode.REVIEW)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.review["counts"]["to_hold"] == first.created == 30
    Contact.objects.all().delete()
    control.approve(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.held) == (State.DONE, 30, 0)


def test_held_rows_outlive_their_changes_partition_and_are_forgotten_later(take, later):
    run = take("A,011223344,", "B,011223344,")
    old = timezone.now() - timedelta(days=40)
    Import.objects.filter(pk=run.pk).update(finished_at=old)
    sweep.tidy()
    assert later(minutes=4) == 1
    sweep.tidy()
    assert Held.objects.count() == 1
    Held.objects.update(ended_at=old)
    sweep.tidy()
    assert Held.objects.count() == 0


def test_described_rows_say_what_holds_them(take):
    take("A,011223344,a@y.am")
    take("B,011223344,b@y.am", "C,077112233,a@y.am")
    rows = held.described(list(Held.objects.order_by("line")))
    assert [[cell.column for cell in row.cells if cell.bars] for row in rows] == [["phone"], ["email"]]
    assert all(170 < row.seconds <= 180 for row in rows)


@pytest.fixture
def paused(take, submit, monkeypatch) -> Import:
    """An import of three lines that was paused when its first two had been held."""
    monkeypatch.setattr("importer.loaders.holding.HoldingPostgres.most", 2)
    take("A,011223344,")
    run = submit(HEADING + "B,011223344,\nC,011223344,\nD,077112233,\n", "contacts", options=Options(unasked=True))
    real = runner.Runner._apply_bucket

    def once(self: runner.Runner, lane: str) -> bool:
        real(self, lane)
        self.attempt.heart.wanted = "pause"
        Import.objects.filter(pk=run.pk).update(wanted="pause")
        return True

    with monkeypatch.context() as patch:
        patch.setattr(runner.Runner, "_apply_bucket", once)
        runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.held) == (State.PAUSED, 0, 2)
    return run


def test_import_paused_after_lines_that_all_wait_goes_on_behind_them(paused):
    control.resume(paused, None)
    runner.run(paused.pk)
    paused.refresh_from_db()
    assert (paused.state, paused.created, paused.held, paused.counted) == (State.DONE, 1, 2, 3)


def test_import_of_which_everything_waits_is_rolled_back_too(paused):
    control.cancel(paused, None, roll_back=True)
    runner.run(paused.pk)
    paused.refresh_from_db()
    assert (paused.state, paused.undo["discarded"]) == (State.UNDONE, 2)
    assert not HeldValue.objects.exists()


def test_lines_are_written_in_turn_however_many_they_are():
    assert lanes_for(100_000, in_turn=True) == {"0": [0, 0, 100_000]}
    assert len(lanes_for(100_000, in_turn=False)) == 2


@contextmanager
def turn_taken() -> Iterator[threading.Event]:
    """Somebody else says what is stored when, until the event is set."""
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            locks.turn("contacts")
            taken.set()
            over.wait(60)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    try:
        yield over
    finally:
        over.set()
        thread.join()


def waits(call: Callable[[], object], over: threading.Event, happened: Callable[[], bool]) -> None:
    """`call` does nothing before the event is set, and then does it."""

    def work() -> None:
        call()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(1)
    assert thread.is_alive()
    assert not happened()
    over.set()
    thread.join(60)
    assert happened()


def test_import_waits_for_its_turn(submit):
    run = submit(HEADING + "A,011223344,\n", "contacts", options=Options(unasked=True))
    with turn_taken() as over:
        waits(lambda: runner.run(run.pk), over, Contact.objects.exists)


@pytest.mark.parametrize("verb", ["store_due", "release", "discard"])
def test_held_rows_wait_for_their_turn(take, verb):
    take("A,011223344,", "B,011223344,")
    waiting = Held.objects.get()
    past = timezone.now() - timedelta(hours=1)
    Contact.objects.update(created_at=past, closed_until=past)
    Held.objects.update(due_at=past + WINDOW)
    call = held.store_due if verb == "store_due" else lambda: getattr(held, verb)(waiting.pk, None)
    with turn_taken() as over:
        waits(call, over, lambda: not Held.objects.filter(state=Held.State.WAITING).exists())


def test_indexes_by_which_rows_are_looked_up_stay_during_a_load(take, monkeypatch):
    monkeypatch.setattr("importer.loaders.search_indexes.FEW", 1)
    seen = []
    real = runner.Runner._apply

    def look(self: runner.Runner) -> None:
        seen.extend(name for name, _, _ in search_indexes.found('"contacts_contact"'))
        real(self)

    monkeypatch.setattr(runner.Runner, "_apply", look)
    assert take("A,011223344,", "B,077112233,").created == 2
    # The constraints are no search indexes: they cannot be dropped like one.
    assert seen == ["contact_created", "contact_email", "contact_phone"]
