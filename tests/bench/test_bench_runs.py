"""The measurements still run, so that they are there when somebody needs them."""

import json
import math
import os
import re
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest

from bench import import_limit, memory, page, peers, raw_copy, scale, search, sse
from bench.peers import __main__ as comparison
from importer.readers.excel_rows import WorkbookRows

#: Each of them takes half a minute to begin; the short form runs the one measurement that speaks of the main job.
whole = pytest.mark.whole
ROOT = Path(__file__).resolve().parent.parent.parent


def measured(module: str, *arguments: str, here: bool = False) -> Any:
    """What a measurement prints, made on a server that it starts, or `here`, on that of the tests."""
    arguments += ("--database-url", os.environ["DATABASE_URL"]) if here else ()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_import_limit_gives_ratios() -> None:
    report = measured("bench.import_limit", "--rows", "2000", "--rounds", "1", "--changed")
    assert (report["rows"], report["keys"]) == (2_000, 1_867)
    arms = report["arms"]
    assert list(arms) == ["`\\copy`", "fresh import", "identical again", "every row changed", import_limit.UPSERT]
    assert arms["`\\copy`"]["times_copy"] == 1.0
    assert arms["fresh import"]["times_fresh"] == 1.0
    for arm in arms.values():
        assert arm["seconds"] == [pytest.approx(arm["median"])]
        assert arm["times_copy"] > 0
    assert {"staging", "comparing", "applying"} <= set(arms["fresh import"]["phases"])


@pytest.mark.slow
@whole
@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells the proportional share of memory.")
def test_memory_is_measured() -> None:
    [result] = measured("bench.memory", "2000", "--warm-ups", "1", here=True)
    assert result["rows"] == 2_000
    # So few rows hardly show; what is asked is that a whole worker was measured, before and meanwhile.
    assert result["idle_mib"] > 60
    assert result["peak_mib"] == pytest.approx(result["idle_mib"], abs=64)


def test_workbook_to_measure_has_the_records_of_the_csv(tmp_path: Path) -> None:
    plain = tmp_path / "p.csv"
    plain.write_text('name,sku,description\nOne,a-1,"x, y"\n', encoding="utf-8")
    with memory.as_workbook(plain).open("rb") as file:
        rows = WorkbookRows(file)
        heading, resume = rows.heading()
        assert heading == ["name", "sku", "description", "active"]
        assert next(rows.batches(resume, 10)).rows == [["One", "a-1", "x, y", "yes"]]
        rows.close()


@pytest.mark.slow
@whole
def test_searches_are_measured() -> None:
    report = measured("bench.search", "--rows", "1000", "--rounds", "1", "--every", "79", here=True)
    assert report["rows"] == 1_000
    assert {name: kind["goal"] for name, kind in report["kinds"].items()} == search.GOALS
    # Four values of `active`; 66 terms in six orders on two pages each.
    assert report["all"]["requests"] == 4 * math.ceil(66 * 6 * 2 / 79)
    for figures in (report["all"], *report["kinds"].values(), *report["groups"].values(), *report["filters"].values()):
        assert 0 < figures["p50"] <= figures["p95"] <= figures["max"]


def test_every_term_is_searched_in_every_order_on_two_pages() -> None:
    asked = search.searches("no", dict.fromkeys(search.ORDERS, "cursor"))
    terms = {(one.query.get("q"), one.query.get("words")) for one in asked}
    assert len(asked) == len(terms) * 6 * 2
    assert {one.query["sort"] for one in asked} == {"sku", "-sku", "name", "-name", "changed", "-changed"}
    assert sum("page" in one.query for one in asked) == len(asked) / 2


@pytest.mark.parametrize(("share", "expected"), [(50, 2.0), (95, 4.0), (25, 1.0), (26, 2.0), (100, 4.0)])
def test_percentile_is_the_nearest_rank(share: int, expected: float) -> None:
    assert search.percentile([4.0, 2.0, 3.0, 1.0], share) == expected


@pytest.mark.slow
@whole
def test_webhooks_are_measured() -> None:
    report = measured("bench.webhooks", "--endpoints", "6", "--events", "10", "--seconds", "2", here=True)
    assert report["capacity"] > 0
    assert report["arrived"] == report["expected"] == 3 * report["edits"] > 0
    assert report["duplicates"] == 0


def test_clean_file_holds_the_last_line_of_each_key(tmp_path: Path) -> None:
    raw, clean = tmp_path / "raw.csv", tmp_path / "clean.csv"
    raw.write_text('name,sku,description\nOld,a-b,old\nOther, c ,"x, ""y""\nz"\n New ,A-B,new\n', encoding="utf-8")
    assert raw_copy.clean(raw, clean) == 2
    now = "2026-01-01 00:00:00+00"
    assert clean.read_text(encoding="utf-8") == (f'c,c,Other,"x, ""y""\nz",t,{now},{now}\nA-B,a-b,New,new,t,{now},{now}\n')


@pytest.mark.slow
@whole
@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has /proc.")
def test_viewers_see_the_end_of_their_import() -> None:
    [found] = measured("bench.sse", "--viewers", "20", "--seconds", "2", here=True)
    assert (found["viewers"], found["final_received"]) == (20, 20)
    assert 0 < found["p50_s"] <= found["p95_s"] <= found["max_s"]
    assert 0 < found["connections"] <= 10 and 0 < found["threads"] <= 20


def test_news_arrives_with_its_version_or_a_later_one() -> None:
    # Two viewers of two imports. Version 2 of the first never came by itself, and what comes twice counts once.
    arrivals = array("d", [0, 1, 10.5, 1, 7, 20.25, 0, 3, 12.0, 0, 3, 14.0])
    commits = [[(1, 10.0), (2, 10.75), (3, 11.5)], [(7, 20.0), (8, 21.0)]]
    late, last = sse.lateness(arrivals, commits)
    assert sorted(late) == [0.25, 0.5, 0.5, 1.25]
    # The second viewer did not see the last of its import.
    assert last == [0.5]


def test_goals_that_were_missed_are_said_in_sentences() -> None:
    found = {"viewers": 2_000, "processes": 1, "final_received": 1_999, "p95_s": 0.9, "connections": 11, "threads": 6}
    assert sse.missed(found) == [
        "Only 1,999 of 2,000 viewers saw the end of their import.",
        "2,000 viewers on 1 process: connections is 11, 10 was asked.",
    ]
    grown = {"slower_percent": 15.1, "more_mib": 3.0, "search": {"p95": 250.0}}
    assert scale.missed(grown) == ["A million rows take 15.1 % longer in the largest file; 15 % may be."]


@pytest.mark.slow
@whole
@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells the proportional share of memory.")
def test_growth_is_measured() -> None:
    found = measured("bench.scale", "1000", "--every", "200", "--warm-ups", "1", here=True)
    assert (found["slower_percent"], found["more_mib"]) == (0, 0)
    assert [one["rows"] for one in found["imports"]] == [1_000]
    small = found["small"]
    # An SKU of the sample may come twice among those that change.
    assert small["created"] * 2 == small["lines"] > 1_000 and small["updated"] > small["created"] * 0.8
    assert found["search"]["products"] == 1_000 + small["created"]


@pytest.mark.slow
@whole
def test_peers_leave_the_same_table_behind() -> None:
    without = [*peers.FOREIGN, "pgloader"]
    found = measured("bench.peers", "--rows", "2000", "--rounds", "1", "--without", *without)
    assert (found["rows"], found["keys"]) == (2_000, 1_867)
    ratios = {arm["name"]: arm["times_copy"] for arm in found["arms"]}
    assert list(ratios.values()) == sorted(ratios.values())
    assert ratios["psql `\\copy`"] == 1.0
    assert {"Loadify", "Django `bulk_create`", "`\\copy` to staging, one upsert"} < ratios.keys()
    assert len(found["left_out"]) == len(without)


def test_peers_say_their_name_and_what_file_they_take() -> None:
    for name in peers.PEERS:
        said = comparison.constants(ROOT / "bench" / "peers" / f"{name}.py")
        assert said["NAME"] and said["CLEAN"] in (True, False)


def test_section_of_the_page_is_written_anew_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Title\n\nWords.\n", encoding="utf-8")
    page.put(path, "one", "first")
    page.put(path, "two", "second")
    page.put(path, "one", r"anew \1")
    assert path.read_text(encoding="utf-8") == (
        "# Title\n\nWords.\n\n<!-- one: written by bench -->\nanew \\1\n<!-- end of one -->\n\n"
        "<!-- two: written by bench -->\nsecond\n<!-- end of two -->\n"
    )


def test_peers_run_with_the_libraries_of_the_site() -> None:
    """Loadify is measured in the folder of the others, and needs there what it needs here."""
    root = Path(__file__).resolve().parents[2]
    site, others = (
        set(re.findall(r"^[\w.-]+==[^ \n]+", (root / name / "requirements.txt").read_text(), re.MULTILINE))
        for name in (".", "bench")
    )
    assert site <= others
