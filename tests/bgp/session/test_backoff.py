"""Pauses: how they grow, where they end, what starts them over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.session.backoff import Backoff


def test_attempts_grow_to_the_connect_retry_time() -> None:
    backoff = Backoff(lambda: 1.0, 12.0)
    assert [backoff.next_attempt() for _ in range(6)] == [1, 2, 4, 8, 12, 12]


def test_a_short_connect_retry_time_is_kept_from_the_start() -> None:
    backoff = Backoff(lambda: 1.0, 0.5)
    assert [backoff.next_attempt() for _ in range(3)] == [0.5, 0.5, 0.5]


def test_idle_grows_to_a_minute() -> None:
    backoff = Backoff(lambda: 1.0, 5.0)
    assert [backoff.next_idle() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_after_many_failures_there_is_no_overflow() -> None:
    backoff = Backoff(lambda: 1.0, 5.0)
    assert {backoff.next_attempt() for _ in range(5000)} == {1, 2, 4, 5}


def test_establishment_starts_the_attempts_over_but_only_a_lasting_session_the_idle_time() -> None:
    backoff = Backoff(lambda: 1.0, 5.0)
    for _ in range(3):
        backoff.next_attempt()
        backoff.next_idle()
    backoff.established(100.0)
    backoff.lost(159.0)
    assert backoff.next_attempt() == 1
    assert backoff.next_idle() == 8
    backoff.established(200.0)
    backoff.lost(260.0)
    assert backoff.next_idle() == 1


@given(st.floats(0, 1, exclude_max=True), st.floats(0.01, 1000))
def test_jitter_is_rfc_4271_section_10(jitter: float, seconds: float) -> None:
    assert 0.75 * seconds <= Backoff(lambda: jitter, 5.0).jittered(seconds) <= seconds
