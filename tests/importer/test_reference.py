"""The engine and both loaders against the plain reference: random files, one after the other, into one catalogue."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer import lanes, review, runner, staging
from importer.loaders import portable
from importer.loaders.postgres import PostgresLoader
from importer.models import Change, Import, StagedRow
from importer.options import Options
from products.models import Product
from tests.importer.reference import Catalogue

skus = st.one_of(
    st.sampled_from(["a-1", "A-1", " a-1 ", "b", "B", "É", "e\u0301", "straße", "STRASSE", "x\u200b", "", " ", "\ufeff"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\x03"), max_size=6),
    st.sampled_from(["x" * 100, "y" * 101, "n\0l"]),
)
texts = st.one_of(st.sampled_from(["", "\\N", "\\", "a\tb", "one\ntwo", "\x1d\x1e\x1f", "O'Hara", "50%"]), st.text(
    st.characters(codec="utf-8", exclude_characters="\0\x03"), max_size=10,
))  # fmt: skip
rows = st.tuples(skus, texts, texts, st.sampled_from(["", "yes", "no", "0", "TRUE", "perhaps"]))
ragged = st.lists(texts, min_size=1, max_size=6)
blanks = st.dictionaries(st.sampled_from(["name", "description"]), st.sampled_from(["keep", "clear"]))
files = st.tuples(st.booleans(), st.lists(st.one_of(rows, rows, rows, ragged), min_size=1, max_size=15), blanks)


def written(with_active: bool, lines: list) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["sku", "name", "description", "active"] if with_active else ["sku", "name", "description"])
    writer.writerows([row[:3] if isinstance(row, tuple) and not with_active else row for row in lines])
    return text.getvalue()


class Portable(portable.PortableLoader):
    """The portable loader on PostgreSQL, where Changes lie in one table for each import."""

    compared = 0

    def compare(self, *given):
        Portable.compared += 1
        PostgresLoader(self.dataset, self.run_id, self.names)._make_changes()
        return super().compare(*given)


def check_review(run: Import) -> None:
    """What the review foretold is what was done."""
    counts = {"to_create": run.created, "to_update": run.updated, "unchanged": run.unchanged}
    counts |= {"superseded": run.superseded, "rejected": run.rejected, "missing": 0, "to_hold": 0}
    assert run.review["counts"] == counts
    updated = list(Change.objects.filter(run=run, kind=Change.Kind.UPDATED).values_list("row_id", "before"))
    now = Product.objects.in_bulk([row for row, _ in updated])
    for column in run.review["columns"]:
        name = column["name"]
        assert column["changed"] == sum(name in before for _, before in updated)
        assert column["emptied"] == sum(bool(before.get(name)) and not getattr(now[row], name) for row, before in updated)


@pytest.mark.slow
@pytest.mark.every
@pytest.mark.parametrize("bucket", [2, 20_000])
@pytest.mark.parametrize("loader", [PostgresLoader, Portable])
def test_loading_equals_the_reference(load, monkeypatch, loader, bucket):
    for module in (staging, review):
        monkeypatch.setattr(module, "loader_for", loader)
    monkeypatch.setattr(portable, "SLICE", 3 if bucket == 2 else 1)
    monkeypatch.setattr(Portable, "compared", 0)
    monkeypatch.setattr(runner, "BUCKET", bucket)
    monkeypatch.setattr(lanes, "BUCKET", bucket)
    monkeypatch.setattr(staging, "CHUNK", 4)

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(files, min_size=1, max_size=3))
    def check(many):
        Product.objects.all().delete()
        catalogue = Catalogue()
        for with_active, lines, blank in many:
            live = Product.objects.values_list("sku_key", "updated_at")
            stamps = {key: (catalogue.stamps[key], stamp) for key, stamp in live}
            text = written(with_active, lines)
            expected = catalogue.load(text, blank)
            run = load(text, options=Options(blank=blank, unasked=True))
            assert run.state == "done", run.error
            assert {name: getattr(run, name) for name in expected["counts"]} == expected["counts"]
            assert run.counted == run.lines
            assert list(run.rejects.order_by("line").values_list("line", flat=True)) == expected["rejected"]
            live = {row[0]: row[1:5] for row in Product.objects.values_list("sku_key", "sku", "name", "description", "active")}
            assert live == catalogue.rows
            for key, stamp in Product.objects.values_list("sku_key", "updated_at"):
                if key in stamps:
                    assert (stamp > stamps[key][1]) == (catalogue.stamps[key] > stamps[key][0])
            changes = {line: before and {k: v for k, v in before.items() if k != "updated_at"}
                       for line, before in Change.objects.filter(run=run).values_list("line", "before")}  # fmt: skip
            assert changes == expected["changes"]
            if loader is PostgresLoader:
                check_review(run)
            assert not StagedRow.objects.exists()

    check()
    assert (Portable.compared > 0) == (loader is Portable)
