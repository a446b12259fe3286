"""What an import would change is counted and looked at before it lands."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from importer import control, runner, staging
from importer import review as importer_review
from importer.loaders.portable import PortableLoader
from importer.models import Import, StoredFile
from importer.options import Options
from products.models import Product
from tests.importer.conftest import Load, query

HEADING = "sku,name,description,active\n"


def catalogue(number: int, name: str = "Name", description: str = "Old", active: str = "true", prefix: str = "a") -> str:
    return HEADING + "".join(f"{prefix}-{i:04},{name},{description},{active}\n" for i in range(number))


@pytest.fixture
def review(submit: Load, load: Load):
    """Import `content` in a mode and with options, as far as it goes."""

    def review(content: str, mode: Import.Mode = Import.Mode.REVIEW, **options: object) -> Import:
        file = submit(content).file
        assert file is not None
        Import.objects.filter(file=file).delete()
        run = control.submit(StoredFile.objects.get(pk=file.pk), "products", None, mode, Options(**options))  # type: ignore[arg-type]
        return go_on(run)

    return review


def go_on(run: Import) -> Import:
    runner.run(run.pk)
    run.refresh_from_db()
    return run


def test_review_waits_counts_and_then_lands(load, review):
    load(HEADING + "A,Oak,Round,true\nB,Elm,Square,true\nC,Ash,Flat,true\n")

    run = review(HEADING + "a,Oak,,true\nB,Elm,Square,true\nD,Fir,New,true\nd,Fir 2,New,true\n,No key,,true\n")

    assert run.state == "review"
    counts = {"to_create": 1, "to_update": 1, "unchanged": 1, "superseded": 1, "rejected": 1, "missing": 0, "to_hold": 0}
    assert run.review["counts"] == counts
    assert sum(counts.values()) == run.lines == 5
    assert {column["name"]: (column["changed"], column["emptied"]) for column in run.review["columns"]} == {
        "sku": (1, 0),
        "name": (0, 0),
        "description": (1, 1),
        "active": (0, 0),
    }
    assert run.review["absent"] == 1
    assert run.review["rows_before"] == 3
    assert Product.objects.get(sku_key="a").description == "Round"
    assert query(f"SELECT key, n, line FROM importer_double_{run.pk}") == [("d", 2, 5)]
    assert query("SELECT run_id FROM importer_datasetlock") == [(None,)]

    control.approve(run, None)
    go_on(run)

    assert run.state == "done"
    assert (run.created, run.updated, run.unchanged, run.superseded, run.rejected) == (1, 1, 1, 1, 1)
    assert Product.objects.get(sku_key="a").description == ""
    # Failed imports of other tests keep theirs.
    assert query(f"SELECT relname FROM pg_class WHERE relname ~ '^importer_(stage|plan|missing|double)_{run.pk}(_|$)'") == []


def test_auto_waits_only_when_rows_would_change(load, review):
    assert review(HEADING + "A,Oak,Round,true\n", Import.Mode.AUTO).state == "done"
    assert review(HEADING + "A,Oak,Round,true\nB,Elm,,true\n", Import.Mode.AUTO).state == "done"
    assert review(HEADING + "A,Oak,Square,true\n", Import.Mode.AUTO).state == "review"


def test_warnings_hold_an_import_that_was_to_apply_at_once(load, review):
    load(catalogue(100))

    run = review(catalogue(51, name="Other"), Import.Mode.APPLY)

    assert run.state == "review"
    assert [warning["sentence"] for warning in run.review["warnings"]] == ["51 of the 100 products there are would change."]
    assert review(catalogue(50, name="Third"), Import.Mode.APPLY).state == "done"
    assert review(catalogue(100, name="Fourth"), Import.Mode.APPLY, unasked=True).state == "done"


def test_warnings_of_columns_that_go_blank_and_of_rows_that_go_off(load, review):
    load(catalogue(100))

    blank = review(catalogue(20, description=""), Import.Mode.APPLY)
    off = review(catalogue(20, active="false"), Import.Mode.APPLY)

    assert [warning["kind"] for warning in blank.review["warnings"]] == ["emptied"]
    assert [warning["sentence"] for warning in off.review["warnings"]] == [
        "20 of the 100 products there are would become inactive."
    ]
    assert review(catalogue(19, description=""), Import.Mode.APPLY).state == "done"


def test_columns_left_out_stay_as_they_are(load, review):
    load(HEADING + "A,Oak,Round,true\n")
    run = review(HEADING + "A,Oak 2,Square,true\nB,Elm,New,true\n")

    control.choose(run, None, ("description",), deactivate_missing=False)
    go_on(run)

    assert run.state == "review"
    assert [column["name"] for column in run.review["columns"]] == ["sku", "name", "active"]
    control.approve(run, None)
    assert go_on(run).state == "done"
    assert list(Product.objects.order_by("sku_key").values_list("name", "description")) == [("Oak 2", "Round"), ("Elm", "")]


def test_missing_rows_are_switched_off_and_undone(load, review, monkeypatch):
    monkeypatch.setattr(runner, "BUCKET", 2)
    load(HEADING + "".join(f"{key},Oak,Round,{active}\n" for key, active in zip("ABCDEFG", "1111110", strict=True)))
    before = list(Product.objects.order_by("id").values_list("sku", "active", "updated_at"))

    run = review(HEADING + "A,Oak,Round,1\n", deactivate_missing=True)
    assert run.review["counts"]["missing"] == 5
    Product.objects.filter(sku_key="c").update(active=False)
    control.approve(run, None)
    assert go_on(run).state == "done"

    assert (run.unchanged, run.deactivated, run.counted) == (1, 4, 1)
    assert list(Product.objects.filter(active=True).values_list("sku", flat=True)) == ["A"]
    assert query(f"SELECT count(*), count(line) FROM importer_change_{run.pk}") == [(4, 0)]
    control.undo(run, None)
    assert go_on(run).state == "undone"
    Product.objects.filter(sku_key="c").update(active=True)
    assert list(Product.objects.order_by("id").values_list("sku", "active", "updated_at")) == before


def test_columns_chosen_by_hand_are_staged_in_the_order_of_the_dataset(review):
    run = review(HEADING + "A,Oak,Round,false\n", places={"sku": 0, "name": 1, "active": 3, "description": 2})

    control.approve(run, None)
    assert go_on(run).state == "done"
    assert Product.objects.values_list("sku", "name", "description", "active").get() == ("A", "Oak", "Round", False)


def test_mangled_keys_are_counted_with_examples(load, review):
    load(
        HEADING + "0017,Oak,,1\n90.750,Elm,,1\nplain,Ash,,1\n33,Tin,,1\n0,Nil,,1\n1E+06,Old,,1\n", options=Options(unasked=True)
    )

    damaged = (
        '17,Oak,,1\n90.75,Elm,,1\n"9,71E+11",Fir,,1\n9.71E+11,Fir,,1\n9E+12,Fir,,1\n9.7e11,Fir,,1\n033,Tin,,1\n0.00,Nil,,1\n'
    )
    sound = "18,New,,1\n1e5x,New,,1\n5E10,Code,,1\n12E+11,Code,,1\n170,New,,1\n9.075,New,,1\n1E+06,Old,,1\n33,Tin,,1\n"
    run = review(HEADING + damaged + sound)

    assert run.review["mangled"] == {
        "scientific": {"count": 4, "examples": [[4, "9,71E+11", ""], [5, "9.71E+11", ""], [7, "9.7e11", ""], [6, "9E+12", ""]]},
        "shortened": {"count": 4, "examples": [[9, "0.00", "0"], [8, "033", "33"], [2, "17", "0017"], [3, "90.75", "90.750"]]},
    }
    assert [warning["sentence"] for warning in run.review["warnings"]] == [
        "4 new keys look like a long number that a spreadsheet has shortened: “9,71E+11” in line 4.",
        "A spreadsheet may have dropped or added zeros in 4 new keys: “0.00” in line 9, where “0” is there already.",
    ]


def test_approved_import_comes_back_when_much_has_changed_meanwhile(load, review):
    load(catalogue(20))
    run = review(catalogue(20, name="Other"))
    control.approve(run, None)
    Product.objects.filter(sku_key__lt="a-0011").update(name="Other")

    go_on(run)

    assert run.state == "review"
    assert run.review["drift"] == (
        "Rows were changed since you looked: you approved 0 created, 20 updated and 0 missing; "
        "now it would be 0 created, 9 updated and 0 missing. Please look again."
    )
    control.approve(run, None)
    assert go_on(run).state == "done"
    assert (run.updated, run.unchanged) == (9, 11)


def test_approved_import_comes_back_when_a_column_would_now_go_blank_in_many_rows(load, review):
    load(catalogue(20, description=""))
    run = review(catalogue(20, name="Other", description=""))
    control.approve(run, None)
    load(catalogue(20, description="Written by hand"))

    go_on(run)

    assert (run.state, run.review["counts"]["to_update"]) == ("review", 20)
    assert run.review["drift"] == (
        "Rows were changed since you looked: the column “description” would now go blank or off in 20 rows, not in 0. "
        "Please look again."
    )
    assert "approved" not in run.review
    control.approve(run, None)
    assert go_on(run).state == "done"


def test_missing_rows_are_not_forgotten_where_they_cannot_be_switched_off(load, review, monkeypatch):
    for module in (staging, importer_review):
        monkeypatch.setattr(module, "loader_for", PortableLoader)

    run = review(HEADING + "A,Oak,Round,true\n", Import.Mode.AUTO, deactivate_missing=True)

    assert (run.state, run.error) == (
        "failed",
        "Switching off what the file does not have needs PostgreSQL; this site runs on another database.",
    )
    assert not Product.objects.exists()


def test_rejected_lines_are_said_to_count_as_missing(load, review):
    load(HEADING + "A,Oak,,1\nB,Elm,,1\n")

    run = review(HEADING + "A,Oak,,1\nB,Elm\n", deactivate_missing=True)

    assert (run.review["counts"]["missing"], run.review["counts"]["rejected"]) == (1, 1)
    assert [warning["sentence"] for warning in run.review["warnings"]] == [
        "1 line was rejected; the keys that stand there count as missing from the file."
    ]


def test_import_file_prints_what_it_waits_for(load, tmp_path, capsys):
    load(catalogue(100))
    path = tmp_path / "new.csv"
    path.write_text(catalogue(100, name="Other"))

    with pytest.raises(SystemExit):
        call_command("import_file", "products", str(path))

    printed = capsys.readouterr().out
    assert "Nothing was written yet: 100 lines = 0 to create, 100 to update, 0 unchanged" in printed
    assert "100 of the 100 products there are would change.\n" in printed
    run = Import.objects.latest("id")
    assert f"/imports/{run.public_id}/review/" in printed
    call_command("import_file", "products", str(path), "--yes")
    assert Product.objects.filter(name="Other").count() == 100


def test_a_missing_row_that_somebody_switched_off_meanwhile_is_left_alone(load, review, monkeypatch):
    load(HEADING + "a,Oak,,true\nb,Elm,,true\nc,Ash,,true\n")
    apply = runner.Runner._apply

    def meddle(self: runner.Runner) -> None:
        Product.objects.filter(sku="b").update(active=False)
        apply(self)

    monkeypatch.setattr(runner.Runner, "_apply", meddle)
    run = review(HEADING + "a,Oak,,true\n", mode=Import.Mode.APPLY, deactivate_missing=True)

    assert (run.state, run.deactivated) == ("done", 1)
    assert query("SELECT sku FROM products_product WHERE active") == [("a",)]
    assert query(f"SELECT kind, before->>'active' FROM importer_change_{run.pk}") == [("u", "true")]


def test_picture_of_speed_leaves_out_the_time_in_which_nobody_worked(review):
    run = review(catalogue(3))
    Import.objects.filter(pk=run.pk).update(started_at=run.started_at - timedelta(days=1))
    read = run.samples[-1][0]

    control.approve(run, None)
    go_on(run)

    assert run.state == "done"
    moments = [at for at, rows in run.samples]
    assert moments == sorted(moments)
    assert read < moments[-1] < sum(run.seconds.values()) + 5
