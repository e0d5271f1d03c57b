"""The token bucket."""

from __future__ import annotations

from math import inf

import pytest

from hornpipe.engine.pace import BURST, LONGEST, QUIET, Pace


def test_a_burst_is_free_and_debt_is_a_pause() -> None:
    pace = Pace(100)
    assert not pace.spend(int(100 * BURST), 10.0)
    assert pace.spend(50, 10.0)
    assert pace.until == pytest.approx(10.5)
    assert not pace.spend(0, 10.5)
    assert pace.spend(100, 10.5)
    assert pace.until == pytest.approx(11.5)
    assert pace.seconds == pytest.approx(1.5)


def test_the_bucket_fills_no_further_than_a_burst() -> None:
    pace = Pace(100)
    pace.spend(1, 0.0)
    assert pace.spend(int(100 * BURST) + 100, 1e6)
    assert pace.until == pytest.approx(1e6 + 1)


def test_what_goes_on_at_the_limit_is_never_made_to_wait() -> None:
    pace = Pace(1000)
    assert not any(pace.spend(100, second / 10) for second in range(1000))


def test_no_pause_is_longer_than_the_longest() -> None:
    pace = Pace(100)
    assert pace.spend(1_000_000, 10.0)
    assert pace.until == pytest.approx(10.0 + LONGEST)
    assert not pace.spend(0, pace.until)


def test_pauses_that_overlap_count_once() -> None:
    pace = Pace(100)
    pace.spend(int(100 * BURST) + 200, 10.0)
    pace.spend(100, 11.0)  # from the other one of two connections
    assert pace.until == pytest.approx(13.0)
    assert pace.seconds == pytest.approx(3.0)


def test_it_is_over_after_a_quiet_time() -> None:
    pace = Pace(100)
    assert pace.deadline == inf
    pace.spend(1000, 10.0)
    pace.since = 10.0
    assert pace.deadline == pytest.approx(15.0 + QUIET)
