"""Undo gives back the table of before, byte for byte, and leaves alone what somebody changed since."""

import pytest
from django.db import connection

from importer import control, runner, stopping, sweep, undo
from importer.loaders import work_tables
from importer.models import Change, DatasetLock, Import
from importer.states import State
from products import edits
from products.models import Product
from tests.importer.conftest import query

HEAD = "sku,name,description,active\n"


def table():
    return query("SELECT id, sku, sku_key, name, description, active, created_at, updated_at FROM products_product ORDER BY id")


def take_back(run: Import) -> Import:
    control.undo(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    return run


def file(*rows: str) -> str:
    return HEAD + "".join(f"{row}\n" for row in rows)


def test_undo_gives_back_rows_and_moments_and_removes_created_ones(load):
    load(file("a,One,x,yes", "b,Two,,no", "c,Three,z,yes"))
    before = table()
    run = load(file("A,Uno,x,no", "b,Two,\\N,no", "c,Three,z,yes", "d,Four,,yes"))
    assert (run.created, run.updated, run.unchanged) == (1, 2, 1)
    take_back(run)
    assert run.state == State.UNDONE, run.error
    assert table() == before
    assert {name: run.undo[name] for name in ("restored", "removed", "kept", "gone")} == {
        "restored": 2, "removed": 1, "kept": 0, "gone": 0,
    }  # fmt: skip
    assert not Change.objects.filter(run=run).exists()
    assert not DatasetLock.objects.exclude(run=None).exists()
    assert run.finished_at is not None


def test_undo_keeps_what_a_person_changed_since_and_lists_it(load):
    load(file("a,One,,yes", "b,Two,,yes"))
    run = load(file("a,Uno,,yes", "b,Due,,yes", "c,Tre,,yes", "d,Quattro,,yes"))
    mine = {sku: Product.objects.get(sku=sku) for sku in "abcd"}
    edits.change(mine["a"].pk, {"description": "by hand"}, None)
    edits.change(mine["c"].pk, {"name": "by hand"}, None)
    edits.delete(mine["d"].pk, None)
    take_back(run)
    left = {row.sku: (row.name, row.description) for row in Product.objects.all()}
    assert left == {"a": ("Uno", "by hand"), "b": ("Two", ""), "c": ("by hand", "")}
    assert {name: run.undo[name] for name in ("restored", "removed", "kept", "gone")} == {
        "restored": 1, "removed": 0, "kept": 2, "gone": 1,
    }  # fmt: skip
    assert sorted(Change.objects.filter(run=run).values_list("row_id", flat=True)) == sorted(mine[s].pk for s in "acd")


def test_undo_of_three_imports_in_turn_leads_back_through_every_table(load, monkeypatch):
    monkeypatch.setattr(undo, "BUCKET", 2)
    tables, runs = [table()], []
    for number in range(3):
        rows = [f"s{i},name {number},{'x' * (i % (number + 2))},{'yes' if i % 3 else 'no'}" for i in range(number, 9 + number)]
        runs.append(load(file(*rows)))
        tables.append(table())
    for number in (2, 1, 0):
        assert table() == tables[number + 1]
        assert take_back(runs[number]).state == State.UNDONE
        assert table() == tables[number]


def test_undo_of_an_earlier_import_keeps_what_a_later_one_wrote(load):
    first = load(file("a,One,,yes", "b,Two,,yes"))
    later = load(file("a,Uno,,yes"))
    assert take_back(first).undo["kept"] == 1
    assert [row.name for row in Product.objects.all()] == ["Uno"]
    take_back(later)
    assert [row.name for row in Product.objects.all()] == ["One"]
    # What was kept stands again as the first import left it, and can be taken back now.
    assert take_back(first).state == State.UNDONE
    assert not Product.objects.exists()


def test_undo_after_deleting_everything_brings_nothing_back(load):
    load(file("a,One,,yes"))
    run = load(file("a,Uno,,yes", "b,Two,,yes"))
    edits.clear(None)
    take_back(run)
    assert run.state == State.UNDONE
    assert (run.undo["gone"], run.undo["kept"]) == (2, 0)
    assert not Product.objects.exists()


def test_undo_can_be_paused_and_goes_on_where_it_was(load, monkeypatch):
    monkeypatch.setattr(undo, "BUCKET", 2)
    run = load(file(*(f"s{i},n,,yes" for i in range(7))))
    control.undo(run, None)
    whole = runner.Runner._undo_bucket

    def pause_first(self, work):
        if self.run.checkpoint["undone"]:
            control.pause(Import.objects.get(pk=self.run.pk), None)
            self.attempt.heart._once()
        return whole(self, work)

    with monkeypatch.context() as patch:
        patch.setattr(runner.Runner, "_undo_bucket", pause_first)
        runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.PAUSED
    assert Product.objects.count() == 5
    # Half undone, it keeps the dataset.
    assert DatasetLock.objects.get(dataset="products").run == run
    control.resume(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.undo["removed"]) == (State.UNDONE, 7)
    assert not Product.objects.exists()


def test_undo_twice_at_once_is_one_undo(load):
    run = load(file("a,One,,yes"))
    control.undo(run, None)
    version = run.version
    control.undo(run, None)
    assert run.version == version


def test_undo_waits_for_an_import_that_has_the_dataset(load, submit):
    run = load(file("a,One,,yes"))
    other = submit(file("b,Two,,yes"))
    Import.objects.filter(pk=other.pk).update(state=State.APPLYING)
    DatasetLock.objects.update(run=other)
    take_back(run)
    assert run.state == State.WAITING
    Import.objects.filter(pk=other.pk).update(state=State.CANCELLED)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == State.UNDONE


def test_what_wrote_nothing_cannot_be_undone(load):
    run = load("sku,nonsense\na,b\n")
    assert run.state == State.FAILED
    with pytest.raises(control.Refused, match="nothing to undo"):
        control.undo(run, None)


def test_old_changes_are_dropped_a_table_each(load, settings):
    old, new = load(file("a,One,,yes")), load(file("b,Two,,yes"))
    long_ago = stopping.timezone.now() - stopping.timedelta(days=settings.LOADIFY_CHANGES_DAYS, minutes=1)
    Import.objects.filter(pk=old.pk).update(finished_at=long_ago)
    sweep.tidy()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s), to_regclass(%s)", [undo.changes_table(old.pk), undo.changes_table(new.pk)])
        assert cursor.fetchone() == (None, undo.changes_table(new.pk))
    with pytest.raises(control.Refused, match="not kept any more"):
        control.undo(old, None)


def test_changes_of_an_import_that_is_undone_in_the_last_moment_are_kept(load, settings, monkeypatch):
    runs = [load(file("a,One,,yes")), load(file("b,Two,,yes"))]
    long_ago = stopping.timezone.now() - stopping.timedelta(days=settings.LOADIFY_CHANGES_DAYS, minutes=1)
    Import.objects.filter(pk__in=[run.pk for run in runs]).update(finished_at=long_ago)
    drop = work_tables.drop_old_changes

    def press(run_ids):
        run_ids = list(run_ids)
        if runs[1].state == State.DONE:
            control.undo(runs[1], None)
        return drop(run_ids)

    monkeypatch.setattr(work_tables, "drop_old_changes", press)
    sweep.tidy()
    runner.run(runs[1].pk)
    runs[1].refresh_from_db()
    assert runs[1].state == State.UNDONE
    assert not undo.possible(runs[0].pk)
    assert query("SELECT sku FROM products_product") == [("a",)]


def test_whether_an_undo_is_possible_is_asked_in_one_statement(load, django_assert_num_queries):
    run = load(file("a,One,,yes"))
    with django_assert_num_queries(1):
        assert undo.possible(run.pk)
    query(f"DROP TABLE {undo.changes_table(run.pk)}; SELECT 1")
    assert not undo.possible(run.pk)
    assert not undo.possible(0)
