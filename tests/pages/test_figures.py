"""Numbers as people read them."""

import pytest

from pages.templatetags import figures


@pytest.mark.parametrize(
    ("number", "shown"), [(None, "–"), (0, "0"), (466667, "466,667"), (12.6, "13"), (5_000_000, "5,000,000")]
)
def test_count_groups_thousands(number, shown):
    assert figures.count(number) == shown


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(None, "–"), (0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (999_499, "999 kB")]
    + [(999_500, "1.0 MB"), (118_489_088, "118 MB"), (8.5e9, "8.5 GB"), (2.5e15, "2,500 TB")],
)
def test_size_picks_the_unit(octets, shown):
    assert figures.size(octets) == shown


@pytest.mark.parametrize(
    ("speed", "shown"),
    [(None, "–"), (0, "0.0 rows/s"), (3.14, "3.1 rows/s"), (10, "10 rows/s"), (56_199, "56,000 rows/s")]
    + [(99_950, "100,000 rows/s"), (214_000, "210,000 rows/s")],
)
def test_rate_keeps_two_digits(speed, shown):
    assert figures.rate(speed) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (-0.2, "0.0 s"), (0.44, "0.4 s"), (8.9, "8.9 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s")]
    + [(125.4, "2 min 5 s"), (3599.6, "1 h 0 min"), (3720, "1 h 2 min")],
)
def test_duration_says_how_long(seconds, shown):
    assert figures.duration(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(None, "0:00"), (7.9, "0:07"), (754, "12:34"), (3723, "1:02:03")])
def test_clock_counts_whole_seconds(seconds, shown):
    assert figures.clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0, "a few seconds"), (6.9, "about 5 s"), (23, "about 25 s"), (57.4, "about 55 s")]
    + [(58, "about 1 min"), (98, "about 1 min 40 s"), (114.9, "about 1 min 50 s"), (115, "about 2 min")]
    + [(250, "about 4 min"), (3569, "about 59 min"), (3570, "about 1 h"), (7800, "about 2 h 10 min")],
)
def test_roughly_goes_in_coarse_steps(seconds, shown):
    assert figures.roughly(seconds) == shown


def test_roughly_changes_seldom_while_time_runs_out():
    said = [figures.roughly(second / 2) for second in range(1200, 0, -1)]
    changes = sum(one != other for one, other in zip(said, said[1:], strict=False))
    assert changes < 40


def test_percent_never_says_100_too_early():
    assert figures.percent(99.99) == "99 %"
    assert figures.percent(100.0) == "100 %"
