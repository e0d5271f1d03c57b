"""Long-lived stale paths (RFC 9494), and that what concerns all routes of a peer is done slice by slice."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr.community import GRACEFUL_SHUTDOWN, LLGR_STALE, NO_EXPORT, NO_LLGR
from hornpipe.rib.rib import AT_ONCE
from tests.rib.room import EVPN, Room, Session, check_indexes, mac, target

T1 = target(1)
MANY = 3 * AT_ONCE


@pytest.fixture
def room() -> Room:
    room = Room()
    room.rib.set_imports(1, EVPN, frozenset((T1,)))
    return room


def lose(session: Session, keep: float | None, long_lived: float) -> None:
    """The session is lost; its paths are kept for `keep` seconds, then long-lived for `long_lived`."""
    room = session.room
    until = None if keep is None else room.now + keep
    room.rib.peer_down(session.peer)
    session.established = False
    long_until = room.now + (keep or 0.0) + long_lived
    room.rib.source_down(session.source, until, room.now, long_lived={EVPN: long_until}, reason="it fell silent")


def knowing(room: Room, number: int) -> Session:
    """A client with the long-lived graceful restart capability."""
    return room.session(number, long_lived=True)


def test_stale_then_long_lived_then_gone(room: Room) -> None:
    one, two, three = room.session(1), knowing(room, 2), room.session(3)
    one.announce(mac(1), targets=(T1,))
    assert two.holds() == three.holds() == {mac(1)}
    lose(one, keep=60, long_lived=3600)
    room.dirty()
    assert two.hear() == three.hear() == 0
    room.pass_time(61)
    assert two.held(mac(1)).attributes.communities == (LLGR_STALE,)
    assert three.holds() == set()  # RFC 9494 section 4.3: not to who does not know what it means
    best = room.best(mac(1))
    assert best
    assert best.stale
    assert room.rib.stale(one.source) == room.rib.received(one.source) == 1
    check_indexes(room.rib)
    room.pass_time(3598)
    assert two.holds() == {mac(1)}
    room.pass_time(2)
    assert two.holds() == set()
    assert one.source.intakes == {}
    assert room.rib.next_deadline() == float("inf")


def test_told_to_an_internal_peer_that_does_not_know_what_it_means(room: Room) -> None:
    """RFC 9494 section 4.6: its last choice by LOCAL_PREF, and it tells nobody outside."""
    one, knows, told = room.session(1), knowing(room, 2), room.session(3, long_lived_anyway=True)
    outside = room.session(4, remote_as=65001)
    one.announce(mac(1), local_pref=150, communities=(7,))
    assert told.held(mac(1)).attributes.local_pref == 150
    assert knows.holds() == outside.holds() == {mac(1)}
    lose(one, keep=60, long_lived=3600)
    room.pass_time(61)
    for session, local_pref, communities in [
        (knows, 150, (7, LLGR_STALE)),
        (told, 0, (7, LLGR_STALE, NO_EXPORT)),
    ]:
        attributes = session.held(mac(1)).attributes
        assert (attributes.local_pref, attributes.communities) == (local_pref, communities)
    assert outside.holds() == set()
    assert told.announced == 2
    one.up()
    one.announce(mac(1), local_pref=150, communities=(7,))
    attributes = told.held(mac(1)).attributes
    assert (attributes.local_pref, attributes.communities) == (150, (7,))


def test_at_once_without_a_restart_time(room: Room) -> None:
    one, two = room.session(1), knowing(room, 2)
    one.announce(mac(1))
    assert two.holds() == {mac(1)}
    lose(one, keep=None, long_lived=60)
    assert LLGR_STALE in two.held(mac(1)).attributes.communities


def test_what_must_not_be_kept_for_long_goes(room: Room) -> None:
    one, two = room.session(1), knowing(room, 2)
    one.announce(mac(1), communities=(NO_LLGR, 7))
    one.announce(mac(2), communities=(7,))
    lose(one, keep=60, long_lived=3600)
    assert two.holds() == {mac(1), mac(2)}
    room.pass_time(61)
    assert two.holds() == {mac(2)}
    assert two.held(mac(2)).attributes.communities == (7, LLGR_STALE)


def test_it_is_the_last_choice_whoever_marked_it(room: Room) -> None:
    one, two, three = room.session(1), room.session(2), room.session(3)
    one.announce(mac(1), communities=(LLGR_STALE,), local_pref=500)
    two.announce(mac(1), local_pref=1)
    best = room.best(mac(1))
    assert best
    assert best.source is two.source
    two.down(keep=60)  # stale is better than long-lived stale
    best = room.best(mac(1))
    assert best
    assert best.source is two.source
    assert three.holds() == {mac(1)}


def test_said_again_it_is_as_before(room: Room) -> None:
    one, two, three = room.session(1), knowing(room, 2), room.session(3)
    one.announce(mac(1), mac(2), targets=(T1,))
    lose(one, keep=60, long_lived=3600)
    room.pass_time(61)
    assert two.holds() == {mac(1), mac(2)}
    one.up()
    one.announce(mac(1), targets=(T1,))
    assert two.held(mac(1)).attributes.communities == ()
    assert LLGR_STALE in two.held(mac(2)).attributes.communities
    assert three.holds() == {mac(1)}
    one.end()
    assert two.holds() == {mac(1)}
    check_indexes(room.rib)


def test_who_is_live_when_it_is_long_lived_is_no_echo(room: Room) -> None:
    """Another reflector that still has the client's session after the restart time is believed."""
    one, other = room.session(1), room.session(9, client=False)
    one.announce(mac(1))
    other.announce(mac(1), next_hop=one.address, originator_id=one.address, cluster_list=(b"rrrr",))
    lose(one, keep=60, long_lived=3600)
    assert room.rib.candidates(EVPN, mac(1))[0].source is one.source
    room.pass_time(61)
    assert room.rib.candidates(EVPN, mac(1))[0].source is other.source


def test_a_session_that_comes_up_has_its_time_and_no_more(room: Room) -> None:
    """Up, but it never says End-of-RIB: stale paths do not become long-lived behind its back."""
    one, two = room.session(1), knowing(room, 2)
    one.announce(mac(1))
    lose(one, keep=60, long_lived=3600)
    one.up()
    room.pass_time(61)
    assert two.holds() == set()


@pytest.mark.parametrize("rival", [False, True])
def test_a_lost_peer_costs_a_slice_a_turn(room: Room, rival: bool) -> None:
    """No call handles all routes of a large peer, and in the end everything is as if it had."""
    one, two = room.session(1), knowing(room, 2)
    keys = [mac(number) for number in range(MANY)]
    one.announce(*keys, targets=(T1,))
    if rival:
        three = room.session(3)
        three.announce(*keys, targets=(T1,), local_pref=50)
    assert two.holds() == set(keys)
    lose(one, keep=60, long_lived=60)
    _finish(room)
    best = room.best(mac(0))
    assert best
    assert best.stale is not rival
    room.pass_time(61)
    _finish(room)
    assert two.holds() == set(keys)
    check_indexes(room.rib)
    room.pass_time(61)
    assert room.rib.received(one.source) > 0  # not all at once
    check_indexes(room.rib)
    assert _finish(room) >= 1
    assert room.rib.received(one.source) == 0
    assert two.holds() == (set(keys) if rival else set())
    check_indexes(room.rib)


def _finish(room: Room) -> int:
    turns = 0
    while room.rib.work(500):
        turns += 1
    return turns


def test_back_while_the_past_is_still_being_swept(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    keys = [mac(number) for number in range(MANY)]
    one.announce(*keys)
    assert len(two.holds()) == MANY
    one.down()
    assert 0 < room.rib.received(one.source) < MANY
    one.up()
    one.announce(*keys[-100:])
    _finish(room)
    assert two.holds() == set(keys[-100:])
    assert room.rib.received(one.source) == 100
    check_indexes(room.rib)


def test_swept_while_it_was_still_ageing(room: Room) -> None:
    one, two = room.session(1), knowing(room, 2)
    keys = [mac(number) for number in range(MANY)]
    one.announce(*keys)
    lose(one, keep=60, long_lived=60)
    _finish(room)
    room.pass_time(61)
    one.up()
    one.end()
    _finish(room)
    assert two.holds() == set()
    assert room.rib.received(one.source) == 0
    check_indexes(room.rib)


def test_an_external_peer_that_is_about_to_go(room: Room) -> None:
    """RFC 8326 section 4.2: its paths are the last choice of a live session, and internal peers are told so."""
    one, two, three = room.session(1, remote_as=65001), room.session(2, remote_as=65002), room.session(3)
    one.announce(mac(1), mac(2), communities=(GRACEFUL_SHUTDOWN,))
    two.announce(mac(1), as_path=((2, (65002, 65002, 65002)),))
    best = room.best(mac(1))
    assert best
    assert best.source is two.source
    assert three.held(mac(2)).attributes.local_pref == 0
    assert three.held(mac(1)).attributes.local_pref == 100


def test_draining(room: Room) -> None:
    """Our own routes and nobody else's, said once and taken back once; memberships are left alone."""
    inside, outside, other = room.session(1, rtc=True), room.session(2, remote_as=65001), room.session(3)
    inside.ask(T1)
    inside.end(family=1 << 8 | 132)
    room.announce(mac(1), T1)
    other.announce(mac(2), targets=(T1,))
    assert inside.holds() == outside.holds() == {mac(1), mac(2)}
    before = inside.announced
    room.rib.drain(True)
    room.rib.drain(True)
    held = inside.held(mac(1)).attributes
    assert (held.communities, held.local_pref) == ((GRACEFUL_SHUTDOWN,), 0)
    assert inside.announced == before + 1
    assert outside.held(mac(1)).attributes.communities == (GRACEFUL_SHUTDOWN,)
    assert outside.held(mac(1)).attributes.local_pref is None
    room.announce(mac(3), T1)
    assert inside.held(mac(3)).attributes.communities == (GRACEFUL_SHUTDOWN,)
    room.rib.drain(False)
    held = inside.held(mac(1)).attributes
    assert (held.communities, held.local_pref) == ((), 100)
    assert other.holds() == {mac(1), mac(3)}


def test_withdrawals_of_nothing_leave_nothing(room: Room) -> None:
    one = room.session(1)
    one.announce(mac(1))
    for first in range(0, 200_000, 1000):
        one.withdraw(*[mac(number) for number in range(first + 2, first + 1002)])
    assert room.rib.received(one.source) == 1
    assert len(room.rib.tables[EVPN].entries) == 1
    check_indexes(room.rib)
