"""Timers: hold, keepalive, send hold (RFC 9687), and the deadline a shell waits for."""

from __future__ import annotations

from math import inf

import pytest

from hornpipe.bgp import frame
from hornpipe.bgp.session.table import State
from tests.bgp.session.transcript import EMPTY_UPDATE, GRACEFUL, KEEPALIVE, Transcript, their_open


def test_keepalives_go_every_third_of_the_hold_time() -> None:
    t = Transcript().established(hold_time=9)
    for _ in range(4):
        assert t.waits(3) == ["3s 1 > KEEPALIVE"]
        t.hears(1, KEEPALIVE)


def test_keepalives_are_jittered_and_may_be_more_frequent() -> None:
    assert Transcript(jitter=0.0).established().waits(22.5) == ["22.5s 1 > KEEPALIVE"]
    assert Transcript(keepalive=5.0).established().waits(5) == ["5s 1 > KEEPALIVE"]
    assert Transcript(keepalive=500.0).established().waits(30) == ["30s 1 > KEEPALIVE"]


def test_the_peer_falls_silent() -> None:
    t = Transcript().established(hold_time=9)
    lines = t.waits(9)
    assert lines == [
        "3s 1 > KEEPALIVE",
        "6s 1 > KEEPALIVE",
        "9s 1 > NOTIFICATION 4/0",
        "9s 1 closed",
        "9s down for good 4/0: hold timer expired: the peer fell silent",
        "9s ACTIVE",
    ]
    assert t.waits(1) == ["1s CONNECT", "1s connect"]


def test_the_peer_falls_silent_and_graceful_restart_covers_it_with_the_n_bit() -> None:
    t = Transcript().established(hold_time=9, graceful_restart=GRACEFUL)
    assert "9s down gracefully 4/0: hold timer expired: the peer fell silent" in t.waits(9)


@pytest.mark.parametrize("message", [KEEPALIVE, EMPTY_UPDATE])
def test_keepalives_and_updates_alone_keep_the_session(message: bytes) -> None:
    t = Transcript().established(hold_time=9)
    for _ in range(10):
        t.waits(8)
        t.hears(1, message)
    assert t.session.state == State.ESTABLISHED
    t.waits(9)
    assert t.session.state != State.ESTABLISHED


def test_half_a_message_does_not_keep_the_session() -> None:
    t = Transcript().established(hold_time=9)
    t.waits(8)
    t.hears(1, KEEPALIVE[:10])
    t.waits(1)
    assert t.session.state != State.ESTABLISHED


def test_hold_time_zero_has_no_timers() -> None:
    t = Transcript().established(hold_time=0)
    assert t.waits(100_000) == []
    t = Transcript(hold_time=0).established()
    assert t.waits(100_000) == []
    assert t.session.next_deadline() == inf


def test_no_open_in_four_minutes() -> None:
    t = Transcript()
    t.start()
    t.connected()
    assert t.waits(239) == []
    assert t.waits(1) == ["1s 1 > NOTIFICATION 4/0", "1s 1 closed", "1s IDLE"]
    assert t.session.reason == "hold timer expired: no OPEN came"
    assert t.waits(1) == ["1s CONNECT", "1s connect"]


def test_no_keepalive_after_the_open() -> None:
    t = Transcript()
    t.start()
    t.connected()
    t.hears(1, their_open(hold_time=9))
    assert t.waits(9) == [
        "3s 1 > KEEPALIVE",
        "6s 1 > KEEPALIVE",
        "9s 1 > NOTIFICATION 4/0",
        "9s 1 closed",
        "9s IDLE",
    ]


def test_send_hold_timer_the_peer_speaks_but_does_not_read() -> None:
    t = Transcript().established()
    t.clogged.add(1)
    t.session.send(EMPTY_UPDATE, t.now)
    for _ in range(7):
        assert t.waits(60) == []
        t.hears(1, KEEPALIVE)
    assert t.waits(60) == [
        "60s 1 closed",
        "60s down for good 8/0: send hold timer expired: the peer does not read",
        "60s ACTIVE",
    ]
    left = t.session.data_to_send(1)
    assert frame.Framer().feed(left)[-1] == (frame.NOTIFICATION, b"\x08\x00"), "if TCP takes it after all"


def test_send_hold_timer_starts_over_whenever_tcp_takes_something() -> None:
    t = Transcript(send_hold_time=30.0).established()
    for _ in range(6):
        t.clogged.add(1)
        t.session.send(EMPTY_UPDATE, t.now)
        t.waits(29)
        t.clogged.clear()
        assert t.hears(1, KEEPALIVE)[0] == "1 > UPDATE"
    assert t.session.state == State.ESTABLISHED


def test_send_hold_timer_can_be_off_and_follows_long_hold_times() -> None:
    off = Transcript(send_hold_time=0.0, hold_time=0).established()
    off.clogged.add(1)
    off.session.send(EMPTY_UPDATE, off.now)
    assert off.waits(10_000) == []
    long = Transcript(hold_time=600).established(hold_time=600)
    long.clogged.add(1)
    long.session.send(EMPTY_UPDATE, long.now)
    long.waits(590)
    long.hears(1, KEEPALIVE)
    long.waits(590)
    long.hears(1, KEEPALIVE)
    assert long.session.state == State.ESTABLISHED
    assert "send hold timer" in "".join(long.waits(20))


def test_a_clogged_peer_does_not_collect_keepalives() -> None:
    t = Transcript().established()
    t.clogged.add(1)
    for _ in range(4):
        t.waits(60)
        t.hears(1, KEEPALIVE)
    t.clogged.clear()
    assert t.hears(1) == ["1 > KEEPALIVE"]


def test_the_deadline_is_never_late_and_a_timeout_too_early_does_nothing() -> None:
    t = Transcript().established(hold_time=9)
    assert t.session.next_deadline() == t.now + 3
    t.session.handle_timeout(t.now + 2.9)
    assert t._lines() == []
    assert t.session.next_deadline() == t.now + 3


def test_a_stopped_session_has_no_deadline() -> None:
    t = Transcript().established()
    t.stop()
    t.waits(600)
    assert t.session.next_deadline() == inf


def test_a_good_session_forgives_what_was_before() -> None:
    t = Transcript()
    t.start()
    for conn in (1, 2, 3):
        t.connected()
        t.hears(conn, their_open(my_as=65001))
        t.waits(60)
    t.connected()
    t.hears(4, their_open(), KEEPALIVE)
    t.waits(60)
    t.hears(4, bytes(19))
    assert t.waits(1) == ["1s CONNECT", "1s connect"]


def test_a_session_that_breaks_soon_each_time_is_not_forgiven() -> None:
    t = Transcript()
    t.start()
    pauses = []
    for conn in range(1, 5):
        t.connected()
        t.hears(conn, their_open(), KEEPALIVE)
        t.hears(conn, bytes(19))
        pauses.append(float(t.waits(60)[0].split("s ")[0]))
    assert pauses == [1, 2, 4, 8]
