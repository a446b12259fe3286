"""Whole imports: buckets, Changes, what stays as it is, and what bad input leads to."""

import json
from datetime import datetime

import pytest
from django.db import connection

from importer import control, runner, staging
from importer.models import Change, Import
from importer.options import Options
from importer.staging import Staging
from products.models import Product
from tests.importer.conftest import query

HEAD = "sku,name,description\n"


def buckets(run: Import) -> dict[str, int]:
    names = ("lines", "created", "updated", "unchanged", "superseded", "held", "rejected")
    return {name: getattr(run, name) for name in names if getattr(run, name)}


def catalogue() -> list[tuple[str, str, str, bool]]:
    return list(Product.objects.order_by("sku_key").values_list("sku", "name", "description", "active"))


def test_a_file_lands(load):
    run = load(HEAD + 'B-1,Bee,"with, comma\nand line"\na-1,Ay,\n')
    assert run.state == "done"
    assert buckets(run) == {"lines": 2, "created": 2}
    assert catalogue() == [("a-1", "Ay", "", True), ("B-1", "Bee", "with, comma\nand line", True)]
    assert set(run.seconds) == {"staging", "comparing", "applying", "indexing"}
    assert run.finished_at >= run.started_at >= run.queued_at


def test_the_last_line_of_a_key_wins_whatever_its_case(load):
    run = load(HEAD + "ABC-1,first,\nx,other,\nabc-1 ,second,\n\u200bAbc-1,third,\n")
    assert buckets(run) == {"lines": 4, "created": 2, "superseded": 2}
    assert [row[1] for row in catalogue()] == ["third", "other"]


def test_an_update_touches_only_rows_that_differ(load):
    load(HEAD + "a,Ay,x\nb,Bee,y\nc,Cee,z\n")
    before = dict(Product.objects.values_list("sku", "updated_at"))
    Product.objects.filter(sku="b").update(active=False)
    run = load(HEAD + "a,Ay,x\nB,Bee,changed\nd,Dee,\n")
    assert buckets(run) == {"lines": 3, "created": 1, "updated": 1, "unchanged": 1}
    after = dict(Product.objects.values_list("sku_key", "updated_at"))
    assert after["a"] == before["a"] and after["c"] == before["c"] and after["b"] > before["b"]
    assert catalogue()[1] == ("B", "Bee", "changed", False)


def test_active_changes_only_when_the_file_says_so(load):
    run = load("sku,name,description,active\na,Ay,,no\nb,Bee,,\nc,Cee,,1\n")
    assert [row[3] for row in catalogue()] == [False, True, True]
    run = load("sku,name,description,active\na,Ay,,\nb,Bee,,0\nc,Cee,,1\n")
    assert buckets(run) == {"lines": 3, "updated": 1, "unchanged": 2}
    assert [row[3] for row in catalogue()] == [False, False, True]


def test_changes_tell_the_line_and_what_was_there_before(load):
    first = load(HEAD + "a,Ay,x\nb,Bee,y\n")
    stamp = Product.objects.get(sku="b").updated_at
    second = load(HEAD + "c,Cee,\nB,Bee,new\na,Ay,x\n")
    made = list(Change.objects.filter(run=first).order_by("line").values_list("line", "kind", "before"))
    assert made == [(2, "c", None), (3, "c", None)]
    changes = {change.line: change for change in Change.objects.filter(run=second)}
    assert {line: change.kind for line, change in changes.items()} == {2: "c", 3: "u"}
    assert changes[3].row_id == Product.objects.get(sku_key="b").pk
    assert changes[3].at == Product.objects.get(sku_key="b").updated_at
    before = dict(changes[3].before)
    assert datetime.fromisoformat(before.pop("updated_at")) == stamp
    assert before == {"sku": "b", "description": "y"}


def test_work_tables_are_gone_and_changes_stay(load):
    run = load(HEAD + "a,Ay,x\n")
    names = {name for (name,) in query("SELECT relname FROM pg_class WHERE relname LIKE 'importer_%'")}
    assert f"importer_change_{run.pk}" in names
    assert not {f"importer_stage_{run.pk}", f"importer_plan_{run.pk}"} & names


def test_a_large_first_import_leaves_every_search_index_valid(load, monkeypatch):
    indexes = """SELECT c.relname, pg_get_indexdef(c.oid), i.indisvalid FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'products_product'::regclass ORDER BY 1"""
    before = query(indexes)
    assert len(before) == 7 and all(valid for _, _, valid in before)
    seen = []
    apply = runner.Runner._apply

    def watched(self: runner.Runner) -> None:
        seen.append(len(query(indexes)))
        apply(self)

    monkeypatch.setattr(runner.Runner, "_apply", watched)
    run = load(HEAD + "".join(f"s-{n},Name {n},words\n" for n in range(6_000)))
    assert buckets(run) == {"lines": 6_000, "created": 6_000}
    assert seen == [2], "only the keys are kept while the rows are written"
    assert query(indexes) == before
    assert query("SELECT missing_indexes::text FROM importer_datasetlock") == [("[]",)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("\n\n", "The file is empty."),
        (HEAD, "The file has a heading line and nothing else."),
        ("name,description\nx,y\n", "The heading has no column “sku”."),
        (
            "Some Product,A-1,Nice thing\nOther,A-2,Thing\n",
            "The heading has no column “sku” and no column “name”",
        ),
        ("sku,name,description,SKU\n", "The column “sku” stands in the heading 2 times; once is needed."),
    ],
)
def test_a_file_that_cannot_be_read_fails_with_a_sentence(load, content, sentence):
    run = load(content)
    assert run.state == "failed"
    assert run.error.startswith(sentence)
    assert Product.objects.count() == 0


def test_bad_lines_are_rejected_with_a_sentence_and_good_ones_land(load):
    data = (
        b"\xef\xbb\xbfName;x,SKU , Description\n".replace(b"Name;x", b"NAME")
        + b"one,A-1,fine\n"
        + b"two,A-2\n"
        + b"three,  ,no key\n"
        + b"four," + b"x" * 101 + b",too long\n"
        + b"five,A-5,nul \0 byte\n"
        + b"six,A-6,caf\xe9\n"
        + b'seven,A-7,"two\nlines"\n'
        + b"eight,A-8,a,b\n"
        + b"nine,A-9,good"
    )  # fmt: skip
    run = load(data)
    assert run.state == "done"
    assert buckets(run) == {"lines": 9, "created": 3, "rejected": 6}
    rejects = list(run.rejects.order_by("line").values_list("line", "reason"))
    assert rejects == [
        (3, "Line 3: 2 cells where the heading has 3."),
        (4, "Line 4: The SKU is empty."),
        (5, "Line 5: The SKU is 101 characters long, 100 are allowed: “" + "x" * 40 + "…”."),
        (6, "Line 6: The description holds a NUL byte, which no database text can hold: “nul · byte”."),
        (7, "Line 7: The description is not UTF-8 text: “caf?”."),
        (10, "Line 10: 4 cells where the heading has 3."),
    ]
    assert run.rejects.get(line=7).cells == ["six", "A-6", "caf\\xe9"]
    assert [row[0] for row in catalogue()] == ["A-1", "A-7", "A-9"]


def test_text_that_looks_like_copy_syntax_arrives_as_it_was(load):
    nasty = ["\\N", "\\.", "a\\tb", "tab\there", "cr\rhere", "\x1d", "\x1e\x1f", "\\\\"]
    lines = "".join(f's-{n},"{text}","{text}"\n' for n, text in enumerate(nasty))
    run = load(HEAD + lines)
    assert buckets(run) == {"lines": len(nasty), "created": len(nasty)}
    assert [row[2] for row in catalogue()] == nasty


def test_a_file_whose_every_line_is_bad_ends_early(load):
    run = load(HEAD + ",a,b\n" * 7_000)
    assert run.state == "failed"
    assert run.error == "None of the first 1,000 lines can be taken, so nothing was written. Line 2: The SKU is empty."
    assert buckets(run) == {"lines": 5_000, "rejected": 5_000}


def test_a_person_who_makes_or_deletes_rows_meanwhile_is_not_in_the_way(load, submit, monkeypatch):
    load(HEAD + "gone,Gone,\nkept,Kept,\n")
    run = submit(HEAD + "gone,Gone,new\nkept,Kept,new\nfresh,Fresh,\nraced,Raced,file\n")
    apply = runner.Runner._apply

    def meddle(self: runner.Runner) -> None:
        Product.objects.filter(sku="gone").delete()
        Product.objects.create(sku="RACED", name="Raced", description="person")
        apply(self)

    monkeypatch.setattr(runner.Runner, "_apply", meddle)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == "done", run.error
    assert buckets(run) == {"lines": 4, "created": 2, "updated": 2}
    assert [row[2] for row in catalogue()] == ["", "new", "new", "file"]
    raced = Change.objects.get(run=run, row_id=Product.objects.get(sku_key="raced").pk)
    assert raced.kind == "u" and raced.before["description"] == "person" and raced.before["sku"] == "RACED"


def test_a_staging_table_that_was_rewritten_is_noticed(load, submit, monkeypatch):
    """VACUUM FULL moves staged rows, and the plan points to their places; no row may get another row's values."""
    run = submit(HEAD + "".join(f"s-{n},Name {n},\n" for n in range(50)))
    apply = runner.Runner._apply

    def rewrite(self: runner.Runner) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM importer_stage_{run.pk} WHERE "#line" < 5')
            cursor.execute(f"VACUUM FULL importer_stage_{run.pk}")
        apply(self)

    monkeypatch.setattr(runner.Runner, "_apply", rewrite)
    runner.run(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert run.error.startswith("Somebody rewrote the staging table")
    assert Product.objects.count() == 0


def test_what_everybody_may_see_of_a_failure_holds_no_cell_of_the_file(load):
    assert "DE8937" not in load("Jane Doe,jane@bank.example,DE8937040044\n").error


def test_a_rejected_line_keeps_its_first_cells_only(load):
    run = load(HEAD + "x" + "," * 5_000 + "\n" + "a,b,c\n")
    assert len(run.rejects.get().cells) == 3 + 100
    assert run.rejects.get().reason == "Line 2: 5001 cells where the heading has 3."


def test_import_file_prints_counts_and_phases(submit, tmp_path, capsys):
    from django.core.management import call_command

    path = tmp_path / "some.csv"
    path.write_text(HEAD + "a,Ay,\nb,,\n,x,y\n")
    call_command("import_file", "products", str(path), "--json")
    report = json.loads(capsys.readouterr().out)
    assert {name: report[name] for name in ("state", "lines", "created", "rejected")} == {
        "state": "done", "lines": 3, "created": 2, "rejected": 1,
    }  # fmt: skip
    assert set(report["phases"]) == {"staging", "comparing", "applying", "indexing"}
    assert sum(report["phases"].values()) <= report["seconds"]


def test_import_stops_above_the_chosen_number_of_rejects(load) -> None:
    text = "sku,name,description\n" + "a-1,Mug,Red\n" * 3 + ",Mug,Red\n" * 3
    fine = load(text, options=Options(most_rejects=3))
    assert (fine.state, fine.created, fine.rejected) == ("done", 1, 3)
    Product.objects.all().delete()
    stopped = load(text, options=Options(most_rejects=2))
    assert stopped.state == "failed"
    assert stopped.error == "3 of the first 6 lines are rejected, and 2 were allowed at the start. Nothing was written."
    assert not Product.objects.exists()
    control.retry(stopped, None)
    runner.run(stopped.pk)
    stopped.refresh_from_db()
    assert (stopped.state, Product.objects.count()) == ("failed", 0)


def test_good_lines_after_the_first_thousand_bad_ones_do_not_save_a_wrong_file(load) -> None:
    for bad, state in ((1_000, "failed"), (999, "done")):
        run = load("sku,name,description\n" + ",Mug,Red\n" * bad + "a-1,Mug,Red\n")
        assert (run.state, run.rejected) == (state, bad)


@pytest.mark.parametrize(("good", "state"), [(0, "failed"), (1, "done")])
def test_import_of_nothing_but_bad_lines_stops(load, good: int, state: str) -> None:
    run = load("sku,name,description\n" + "a-1,Mug,Red\n" * good + ",Mug,Red\n" * 1_000)
    assert (run.state, run.rejected) == (state, 1_000)
    if not good:
        assert run.error == ("None of the first 1,000 lines can be taken, so nothing was written. Line 2: The SKU is empty.")
        control.retry(run, None)
        runner.run(run.pk)
        run.refresh_from_db()
        assert run.state == "failed"


def test_file_without_a_heading_is_read_from_its_first_line(load) -> None:
    options = Options(format={"heading": False}, places={"sku": 1, "name": 0, "description": 2})
    run = load("Mug,a-1,\nCup,a-2,\n", options=options)
    assert (run.state, run.lines, run.created, run.checkpoint["heading"]) == (
        "done",
        2,
        2,
        [],
    )
    assert list(Product.objects.order_by("sku").values_list("sku", "name")) == [("a-1", "Mug"), ("a-2", "Cup")]


@pytest.mark.parametrize(("blank", "left"), [("keep", "Red"), ("clear", "")])
@pytest.mark.parametrize("bad", ["", ",No key,\n"])
def test_an_empty_cell_keeps_or_clears_the_old_value(load, blank: str, left: str, bad: str) -> None:
    """Also in a batch with a bad line in it, which is cleaned row by row."""
    load("sku,name,description\na-1,Mug,Red\n")
    run = load(f"sku,name,description\na-1,Cup,\n{bad}", options=Options(blank={"description": blank}))
    assert (run.state, run.updated, run.rejected) == ("done", 1, len(bad) and 1)
    assert [(row.name, row.description) for row in Product.objects.all()] == [("Cup", left)]


def test_a_file_is_looked_at_once_however_often_its_import_is_taken_up(submit, monkeypatch) -> None:
    monkeypatch.setattr(staging, "CHUNK", 1)
    run = submit("sku;name;description\na;One;x\nb;Two;y\n")
    whole = Staging._batch

    def paused_at_the_second(self, *given):
        if self.run.lines:
            control.pause(Import.objects.get(pk=self.run.pk), None)
            self.attempt.heart._once()
        whole(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Staging, "_batch", paused_at_the_second)
        runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.lines) == ("paused", 1)
    monkeypatch.setattr(staging, "sniff", None)
    control.resume(run, None)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error, run.created) == ("done", "", 2)
