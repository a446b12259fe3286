"""What a snapshot says: buckets that add up, a percentage that never falls, a time left that is no wild guess."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from importer.models import DatasetLock, Import
from importer.pictures import Point, area, speed_over_time, widths
from importer.progress import Holder, percent_done, seconds_left, snapshot
from importer.states import State
from importer.templatetags.imports import as_cell


def run_at(state: State, **fields) -> Import:
    return Import(dataset="products", state=state, attempt=1, **fields)


#: A whole import, step by step, as the engine commits it; a worker dies while writing and another goes on.
STEPS = [
    Import(dataset="products"),
    run_at(State.STAGING),
    run_at(State.STAGING, step_done=50, step_total=100, lines=500),
    run_at(State.QUEUED, step_done=50, step_total=100, lines=500),
    run_at(State.STAGING, step_done=100, step_total=100, lines=1000, rejected=10),
    run_at(State.COMPARING, step_total=100, lines=1000, rejected=10),
    run_at(State.WAITING, step_total=100, lines=1000, rejected=10, checkpoint={"phase": "comparing"}),
    run_at(State.COMPARING, lines=1000, rejected=10, unchanged=200, superseded=90),
    run_at(State.APPLYING, step_total=700, lines=1000, rejected=10, unchanged=200, superseded=90),
    run_at(State.APPLYING, step_done=350, step_total=700, lines=1000, rejected=10, unchanged=200, created=350),
    run_at(State.QUEUED, step_done=350, step_total=700, lines=1000, checkpoint={"phase": "applying"}),
    run_at(State.APPLYING, step_done=700, step_total=700, lines=1000, rejected=10, updated=700),
    run_at(State.INDEXING, step_done=0, step_total=2, lines=1000),
    run_at(State.INDEXING, step_done=2, step_total=2, lines=1000),
    run_at(State.DONE, step_done=2, step_total=2, lines=1000, created=1000),
]


def test_percent_never_falls_and_is_100_only_at_the_end():
    percents = [percent_done(step) for step in STEPS]
    assert percents == sorted(percents)
    assert percents[0] == 0.0
    assert percents[2] == percents[3] == 20.0
    assert percents[9] == percents[10] == 67.5
    assert percents[-2:] == [99.0, 100.0]


@pytest.mark.parametrize("run", STEPS, ids=lambda run: f"{run.state}-{run.step_done}")
def test_buckets_add_up_to_the_lines_read_at_every_step(run):
    seen = snapshot(run, ask=False)
    assert seen.adds_up
    assert sum(bucket.count for bucket in seen.buckets) == run.lines


def test_lines_in_no_bucket_are_still_to_come_and_not_applied_once_it_failed():
    fields = {"lines": 100, "rejected": 3}
    reading = snapshot(run_at(State.STAGING, **fields)).buckets[-1]
    failed = snapshot(run_at(State.FAILED, **fields)).buckets[-1]
    assert (reading.words, reading.count) == ("still to come", 97)
    assert (failed.words, failed.count) == ("not applied", 97)


def test_counters_that_overshoot_are_said_not_hidden():
    assert not snapshot(run_at(State.DONE, lines=10, created=11)).adds_up


def test_a_failed_import_keeps_the_percentage_at_which_it_stopped():
    assert percent_done(run_at(State.FAILED, step_done=1, step_total=2, checkpoint={"phase": "applying"})) == 67.5


def test_an_import_for_a_queue_is_sent_and_then_stored():
    run = run_at(State.PUBLISHING, step_done=50, step_total=100, options={"queue": True})
    assert [phase.name for phase in snapshot(run).phases] == ["publishing", "consuming"]
    assert percent_done(run) == 30.0
    run = run_at(State.CONSUMING, options={"queue": True}, lines=100, published=90, created=40, rejected=10)
    assert percent_done(run) == 80.0
    assert [(bucket.words, bucket.count) for bucket in snapshot(run).buckets if bucket.count] == [
        ("created", 40),
        ("rejected", 10),
        ("on their way", 50),
    ]


def test_speed_is_that_of_the_last_seconds_and_at_the_end_of_the_whole():
    samples = [[1, 1000], [10, 10_000], [12, 30_000], [14, 50_000]]
    assert snapshot(run_at(State.STAGING, samples=samples)).rows_per_second == 10_000
    assert snapshot(run_at(State.COMPARING, samples=samples)).rows_per_second is None
    done = run_at(State.DONE, samples=samples, lines=50_000, seconds={"staging": 14.0, "applying": 6.0})
    assert snapshot(done).rows_per_second == 2_500


def test_time_left_goes_by_the_pace_of_the_phase_at_work():
    reading = run_at(State.STAGING, step_done=25, step_total=100, samples=[[2.0, 100], [4.0, 250]])
    # 4 s for a quarter of the reading: 12 s for the rest of it, and 60 percent at 16 s for 40.
    assert seconds_left(reading) == pytest.approx(12 + 24)
    comparing = run_at(State.COMPARING, seconds={"staging": 8.0})
    assert seconds_left(comparing) == pytest.approx(2 + 10)
    waited_before = [[4.0, 1000], [100.0, 1000], [102.0, 1200]]
    writing = run_at(State.APPLYING, lines=1000, step_done=200, step_total=400, samples=waited_before)
    assert seconds_left(writing) == pytest.approx(2 + 4 * 15 / 35)
    assert seconds_left(run_at(State.INDEXING, step_done=1, step_total=2, seconds={"applying": 7.0})) == 1.5


@pytest.mark.parametrize(
    "run",
    [
        run_at(State.STAGING, step_done=1, step_total=100, samples=[[9.0, 10]]),
        run_at(State.STAGING, step_done=50, step_total=100, samples=[[0.3, 10]]),
        run_at(State.PAUSED, step_done=50, step_total=100, samples=[[9.0, 10]]),
        run_at(State.INDEXING),
        run_at(State.DONE),
    ],
)
def test_time_left_is_unknown_when_there_is_little_to_go_by(run):
    assert seconds_left(run) is None


def test_elapsed_stands_still_when_it_has_ended():
    now = timezone.now()
    ended = run_at(State.DONE, started_at=now - timedelta(seconds=90), finished_at=now - timedelta(seconds=30))
    assert snapshot(ended).elapsed == 60
    assert snapshot(Import(dataset="products")).elapsed is None


def test_time_in_which_nobody_worked_at_it_is_told_at_the_end():
    now = timezone.now()
    times = {"started_at": now - timedelta(seconds=90), "finished_at": now}
    assert snapshot(run_at(State.DONE, seconds={"staging": 10, "applying": 20}, **times)).waited == 60
    assert snapshot(run_at(State.DONE, seconds={"staging": 88}, **times)).waited is None
    assert snapshot(run_at(State.PAUSED, seconds={"staging": 10}, **times)).waited is None


@pytest.mark.django_db
def test_a_waiting_import_names_who_changes_the_dataset():
    ada = User.objects.create_user("ada@example.com", name="Ada", role="editor")
    first = Import.objects.create(dataset="products", owner=ada, state=State.APPLYING)
    second = Import.objects.create(dataset="products", state=State.WAITING)
    assert snapshot(second).waiting_for is None
    lock = DatasetLock.objects.create(dataset="products", run=first)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert snapshot(second).waiting_for == Holder(first.public_id, "Ada")
    assert len(asked) == 2
    Import.objects.filter(pk=first.pk).update(state=State.PAUSED)
    assert snapshot(second).waiting_for == Holder(first.public_id, "Ada", is_paused=True)
    Import.objects.filter(pk=first.pk).update(state=State.DONE)
    assert snapshot(second).waiting_for is None
    lock.run, lock.holder, lock.lease_until = None, "Ada, who deletes all products,", timezone.now() + timedelta(60)
    lock.save()
    assert snapshot(second).waiting_for == Holder(None, "Ada, who deletes all products,")
    DatasetLock.objects.update(lease_until=timezone.now() - timedelta(60))
    assert snapshot(second).waiting_for is None


def test_the_picture_keeps_all_rows_and_all_time():
    points = speed_over_time([[0.5, 100], [1.0, 300], [3.0, 300], [4.0, 900]], columns=4)
    assert [point.at for point in points] == [0.0, 1.0, 2.0, 3.0]
    assert [point.rate for point in points] == [300.0, 0.0, 0.0, 600.0]
    assert area(points, width=40, height=12) == "M0 12L0.0 7.0H10.0L10.0 12.0H20.0L20.0 12.0H30.0L30.0 2.0H40.0V12Z"


def test_the_picture_of_too_little_is_none():
    assert speed_over_time([]) == ()
    assert speed_over_time([[0.0, 10]]) == ()
    assert area(()) == ""
    assert area((Point(0.0, 1.0, 0.0),)) == "M0 100L0.0 100.0H600.0V100Z"


def test_one_line_of_a_million_can_be_seen_in_the_bar():
    parts = widths([999_999, 0, 1])
    assert [part[1] > 0 for part in parts] == [True, False, True]
    assert parts[2][1] > 7
    assert sum(part[1] for part in parts) == pytest.approx(1000, abs=0.1)
    assert widths([0, 0]) == [(0.0, 0.0), (0.0, 0.0)]


def test_values_of_rows_are_written_as_a_file_does():
    assert [as_cell(value) for value in (True, False, 90.5, "True", "")] == ["true", "false", "90.5", "True", ""]
