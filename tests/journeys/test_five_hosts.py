"""Loadify on five machines: one is cut off, the broker goes away, and everything ends as it should (five_hosts.py)."""

from pathlib import Path

import psutil
import pytest

from tests.conftest import missing
from tests.journeys import five_hosts

ROWS = 200_000


@pytest.fixture
def isolation() -> None:
    if not five_hosts.can_isolate():
        missing("namespaces", "Network namespaces cannot be made here (unshare, iproute2).")


@pytest.mark.slow
def test_five_machines_end_right_though_one_is_cut_off_and_the_broker_goes_away(isolation, tmp_path: Path) -> None:
    seen = five_hosts.isolated(tmp_path, ROWS)
    cut_off = seen["cut off at"]
    assert seen["hosts"] == 5
    assert cut_off["lines"] >= ROWS // 5 and cut_off["state"] in ("staging", "comparing", "applying")
    assert {cut_off["worker"], seen["taken over by"]} == {"worker1", "worker2"}
    # The lease, the sweep that finds it, and the clock of the test.
    assert seen["taken over after"] < five_hosts.LEASE + 20
    assert seen["tables"] == seen["expected"] and seen["stayed so"]
    products, people = seen["products"], seen["people"]
    assert (products["state"], products["lines"], products["rejected"]) == ("done", ROWS, 0)
    assert products["attempt"] == 2
    assert products["created"] + products["superseded"] == ROWS
    assert (people["state"], people["lines"]) == ("done", ROWS // 10)
    assert people["created"] == seen["expected"]["people"]
    assert people["created"] + people["unchanged"] + people["rejected"] == ROWS // 10
    assert [viewer["last"] for viewer in seen["viewers"]] == ["done"] * 4
    assert all(viewer["seen"] > 1 for viewer in seen["viewers"])
    left = [process for process in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(process.info["cmdline"] or [])]
    assert left == []
