"""RFC 7432 section 15 as a table, and what must hold for any two claims."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.vpn.mobility import SEQUENCE_LIMIT, Claim, Moves, next_sequence, outranked, unheard

LOW, HIGH = b"\x0a\0\0\x01", b"\x0a\0\0\x02"
V6 = bytes.fromhex("20010db8000000000000000000000001")

claims = st.builds(Claim, st.integers(0, 3), st.booleans(), st.sampled_from((LOW, HIGH, V6)))


@pytest.mark.parametrize(
    ("local", "remote", "elsewhere"),
    [
        (Claim(0, False, HIGH), None, False),
        (Claim(0, False, HIGH), Claim(0, False, LOW), True),  # equal: the lowest VTEP
        (Claim(0, False, LOW), Claim(0, False, HIGH), False),
        (Claim(1, False, HIGH), Claim(0, False, LOW), False),  # the highest sequence
        (Claim(1, False, LOW), Claim(2, False, HIGH), True),
        (Claim(0, True, HIGH), Claim(9, False, LOW), False),  # 15.2: a sticky MAC does not move
        (Claim(9, False, LOW), Claim(0, True, HIGH), True),
        (Claim(0, True, HIGH), Claim(0, True, LOW), True),
        (Claim(0, False, V6), Claim(0, False, HIGH), True),  # IPv4 is lower than IPv6
    ],
)
def test_who_has_it(local: Claim, remote: Claim | None, elsewhere: bool) -> None:
    assert outranked(local, remote) is elsewhere


@given(claims, claims)
def test_two_pes_come_to_the_same_verdict(a: Claim, b: Claim) -> None:
    if a.vtep != b.vtep:
        assert outranked(a, b) is not outranked(b, a)


@given(claims, claims, claims)
def test_ranking_is_transitive(a: Claim, b: Claim, c: Claim) -> None:
    if outranked(a, b) and outranked(b, c):
        assert outranked(a, c)


@pytest.mark.parametrize(
    ("previous", "sticky", "remote", "sequence"),
    [
        (0, False, None, 0),
        (3, False, None, 3),
        (0, False, Claim(0, False, LOW), 1),
        (0, False, Claim(7, False, LOW), 8),
        (9, False, Claim(7, False, LOW), 9),  # ours is higher already
        (7, False, Claim(7, False, LOW), 8),
        (0, True, Claim(7, False, LOW), 0),  # sticky does not count
        (0, False, Claim(7, True, LOW), 0),  # nothing outbids sticky
        (0, False, Claim(SEQUENCE_LIMIT, False, LOW), SEQUENCE_LIMIT),
    ],
)
def test_next_sequence(previous: int, sticky: bool, remote: Claim | None, sequence: int) -> None:
    assert next_sequence(previous, sticky, remote) == sequence


@given(st.integers(0, 5), claims, st.sampled_from((LOW, HIGH)))
def test_a_station_that_comes_here_wins_unless_the_other_is_sticky(previous: int, remote: Claim, vtep: bytes) -> None:
    sequence = next_sequence(previous, False, remote)
    assert outranked(Claim(sequence, False, vtep), remote) is remote.sticky


@given(st.integers(0, 5), claims, st.sampled_from((LOW, HIGH)))
def test_who_answers_a_claim_has_heard_it(previous: int, claim: Claim, vtep: bytes) -> None:
    answer = Claim(next_sequence(previous, False, claim), False, vtep)
    assert not unheard(claim, answer)


@pytest.mark.parametrize(
    ("local", "remote", "is_unheard"),
    [
        (Claim(2, False, HIGH), Claim(2, False, LOW), True),
        (Claim(2, False, HIGH), Claim(3, False, LOW), False),
        (Claim(2, False, HIGH), Claim(2, True, LOW), False),  # sticky ones do not count
        (Claim(2, True, HIGH), Claim(2, True, LOW), False),
    ],
)
def test_an_equal_number_is_no_answer(local: Claim, remote: Claim, is_unheard: bool) -> None:
    assert unheard(local, remote) is is_unheard


def test_moves_within_the_window_make_a_duplicate_once() -> None:
    moves = Moves()
    assert [moves.note(at, 3, 10.0) for at in (0.0, 5.0, 11.0, 12.0, 13.0)] == [False, False, False, True, False]
    assert moves.frozen_since == 12.0


def test_no_window_no_detection() -> None:
    moves = Moves()
    assert not any(moves.note(0.0, 1, 0.0) for _ in range(10))
