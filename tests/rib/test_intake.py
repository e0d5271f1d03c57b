"""Stale paths (RFC 4724) as transcripts: what stays, what is replaced, what goes and when."""

from __future__ import annotations

import pytest

from hornpipe.bgp.family import VPNV4
from hornpipe.rib.intake import IDLE
from tests.rib.room import EVPN, PAYLOAD, RTC, Room, Session, check_indexes, mac, target, vni

T1 = target(1)


@pytest.fixture
def room() -> Room:
    room = Room()
    room.rib.set_imports(1, EVPN, frozenset((T1,)))
    return room


def pair(room: Room) -> tuple[Session, Session]:
    """A client with two routes, and one that has heard them."""
    one, two = room.session(1), room.session(2)
    one.announce(mac(1), mac(2), targets=(T1,))
    one.end()
    assert two.holds() == {mac(1), mac(2)}
    room.dirty()
    return one, two


def test_a_lost_session_that_is_not_kept(room: Room) -> None:
    one, two = pair(room)
    one.down()
    assert two.holds() == set()
    assert room.dirty() == {(1, mac(1)), (1, mac(2))}
    assert room.rib.received(one.source) == 0
    check_indexes(room.rib)


def test_kept_paths_change_nothing(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    assert two.hear() == 0
    assert room.dirty() == set()
    assert (room.rib.received(one.source), room.rib.stale(one.source)) == (2, 2)
    best = room.best(mac(1))
    assert best
    assert best.stale


def test_the_deadline(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    assert room.rib.next_deadline() == room.now + 60
    room.pass_time(59)
    assert two.hear() == 0
    room.pass_time(2)
    assert two.holds() == set()
    assert room.dirty() == {(1, mac(1)), (1, mac(2))}
    assert room.rib.next_deadline() == float("inf")
    check_indexes(room.rib)


def test_the_same_again_changes_nothing(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    one.up()
    assert room.rib.stale(one.source) == 2
    one.announce(mac(1), mac(2), targets=(T1,))
    assert room.rib.stale(one.source) == 0
    one.end()
    assert two.hear() == 0
    assert room.dirty() == set()
    assert room.rib.next_deadline() == float("inf")
    best = room.best(mac(1))
    assert best
    assert not best.stale
    assert best.twin is None
    check_indexes(room.rib)


def test_end_of_rib_takes_what_was_not_said_again(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    one.up()
    one.announce(mac(2), targets=(T1,))
    assert two.hear() == 0
    one.end()
    assert two.holds() == {mac(2)}
    assert room.dirty() == {(1, mac(1))}
    room.pass_time(100)
    assert two.holds() == {mac(2)}


def test_something_else_is_said(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    one.up()
    one.announce(mac(1), targets=(T1,), payload=vni(200))
    assert two.held(mac(1)).payload == vni(200)
    one.announce(mac(2), targets=(T1,), med=5)
    assert two.held(mac(2)).attributes.med == 5
    assert room.dirty() == {(1, mac(1))}  # what a MED says is nothing to forwarding
    one.end()
    assert two.holds() == {mac(1), mac(2)}


def test_two_routes_swap_what_they_say(room: Room) -> None:
    """The bytes are known from the former session, but of another route."""
    one, two = room.session(1), room.session(2)
    one.announce(mac(1), targets=(T1,))
    one.announce(mac(2), targets=(T1,), med=5)
    assert two.holds() == {mac(1), mac(2)}
    room.dirty()
    one.down(keep=60)
    one.up()
    one.announce(mac(2), targets=(T1,))
    one.announce(mac(1), targets=(T1,), med=5)
    assert room.dirty() == set()  # peers hear of it, forwarding is not concerned
    assert two.held(mac(1)).attributes.med == 5
    assert two.held(mac(2)).attributes.med is None


def test_two_reflectors_are_lost_and_come_back(room: Room) -> None:
    """While all paths are stale the best one stays, and taking its place is no change for it either."""
    first, second, two = room.session(1), room.session(3), room.session(2)
    for session in (first, second):
        session.announce(mac(1), targets=(T1,))
    assert two.holds()
    room.dirty()
    second.down(keep=60)
    first.down(keep=60)
    first.up()
    first.announce(mac(1), targets=(T1,))
    second.up()
    second.announce(mac(1), targets=(T1,))
    assert room.dirty() == set()
    assert two.hear() == 0


def test_a_withdraw_reaches_a_stale_path(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    one.up()
    one.withdraw(mac(1))
    assert two.holds() == {mac(2)}
    check_indexes(room.rib)


def test_end_of_rib_never_comes(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    room.pass_time(10)
    one.up()
    one.announce(mac(1), targets=(T1,))
    room.pass_time(51)
    assert two.holds() == {mac(1)}


def test_a_new_session_may_move_the_deadline(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    room.pass_time(59)
    room.rib.source_up(one.source, (EVPN,), room.now, stale_until=room.now + 60)
    room.pass_time(30)
    assert two.holds() == {mac(1), mac(2)}
    room.pass_time(31)
    assert two.holds() == set()


def test_a_flapping_peer_does_not_move_it_for_ever(room: Room) -> None:
    one, two = pair(room)
    for _ in range(4):
        one.down(keep=60)
        room.rib.source_up(one.source, (EVPN,), room.now, stale_until=room.now + 60)
        room.pass_time(15)
    assert two.holds() == set()


def test_a_session_that_comes_and_falls_again(room: Room) -> None:
    """What it had not said again yet stays until its first deadline, what it had until the second."""
    one, two = pair(room)
    one.down(keep=60)
    room.pass_time(30)
    one.up()
    one.announce(mac(2), targets=(T1,))
    one.down(keep=60)
    assert room.rib.stale(one.source) == 2
    assert two.hear() == 0
    one.up()
    one.announce(mac(2), targets=(T1,))
    one.down(keep=60)
    room.pass_time(31)
    assert two.holds() == {mac(2)}
    room.pass_time(30)
    assert two.holds() == set()
    check_indexes(room.rib)


def test_families_that_do_not_come_back_go(room: Room) -> None:
    one = room.session(1, families=(EVPN, VPNV4))
    one.announce(mac(1))
    one.announce(bytes((0,)) + bytes(8), family=VPNV4, payload=b"\0\1\1", next_hop=bytes(8) + b"\x0a\0\0\1")
    one.down(keep=60)
    one.families = frozenset((EVPN,))
    one.up()
    assert room.rib.received(one.source) == 1
    assert list(room.rib.routes(VPNV4)) == []


def test_only_some_families_are_kept(room: Room) -> None:
    one = room.session(1, families=(EVPN, VPNV4), rtc=True)
    one.announce(mac(1))
    one.ask(T1)
    one.announce(bytes((0,)) + bytes(8), family=VPNV4, payload=b"\0\1\1", next_hop=bytes(8) + b"\x0a\0\0\1")
    room.rib.source_down(one.source, room.now + 60, room.now, families=(VPNV4, RTC))
    assert room.rib.received(one.source) == room.rib.received(one.source, VPNV4) == 1


def test_the_peer_lost_its_forwarding_state(room: Room) -> None:
    one, two = pair(room)
    one.down(keep=60)
    one.up()
    one.announce(mac(1), targets=(T1,))
    room.rib.drop_stale(one.source, EVPN)
    assert two.holds() == {mac(1)}
    room.rib.drop_stale(one.source, VPNV4)


def test_another_router_id_is_told(room: Room) -> None:
    """The originator that clients see changes with it, so the same bytes are not the same route."""
    one, two = pair(room)
    one.down(keep=60)
    one.source.router_id = bytes((9, 9, 9, 9))
    one.up()
    one.announce(mac(1), targets=(T1,))
    assert two.held(mac(1)).attributes.originator_id == bytes((9, 9, 9, 9))


def test_a_stale_path_gives_way_to_another_peer(room: Room) -> None:
    one, two = pair(room)
    three = room.session(3)
    three.announce(mac(1), targets=(T1,), next_hop=bytes((10, 0, 0, 33)))
    assert two.held(mac(1)).next_hop == one.address
    one.down(keep=60)
    assert two.held(mac(1)).next_hop == bytes((10, 0, 0, 33))
    one.up()
    one.announce(mac(1), targets=(T1,))
    assert two.held(mac(1)).next_hop == one.address


def test_end_of_rib_of_a_source_without_a_session_is_nothing(room: Room) -> None:
    one, two = pair(room)
    room.rib.end_of_rib(one.source, VPNV4)
    assert two.holds() == {mac(1), mac(2)}


def test_idle_blocks_do_not_pile_up(room: Room) -> None:
    one = room.session(1)
    for number in range(3 * IDLE):
        one.announce(mac(1), med=number)
    assert len(one.source.intakes[EVPN].blocks) <= IDLE + 2
    one.withdraw(mac(1))
    one.announce(mac(1), med=3 * IDLE - 1)
    assert room.best(mac(1))
    check_indexes(room.rib)


def test_a_route_costs_one_key_object(room: Room) -> None:
    """Replacing all routes must not double the table's memory: the first bytes object of a key serves all tables."""
    one, two = room.session(1), room.session(2)
    one.announce(mac(1))
    one.announce(mac(1), med=1)
    two.announce(bytes(bytearray(mac(1))))
    (key,) = room.rib.tables[EVPN].entries
    for path in room.rib.candidates(EVPN, key):
        assert next(iter(path.keys)) is key
    assert PAYLOAD


def test_another_way_to_the_same_is_no_news_for_forwarding(room: Room) -> None:
    """Two reflectors: which of them a route is from matters to peers, not to the kernel. Another VTEP does."""
    one, two, three = room.session(1), room.session(2), room.session(3)
    vtep = bytes((10, 0, 0, 50))
    one.announce(mac(1), targets=(T1,), next_hop=vtep, cluster_list=(b"aaaa",))
    two.announce(mac(1), targets=(T1,), next_hop=vtep, cluster_list=(b"bbbb", b"cccc"))
    assert three.holds() == {mac(1)}
    room.dirty()
    one.down()
    assert room.dirty() == set()
    assert three.held(mac(1)).attributes.cluster_list[1:] == (b"bbbb", b"cccc")
    two.announce(mac(1), targets=(T1,))
    assert room.dirty() == {(1, mac(1))}
    two.announce(mac(1), targets=(target(2),))
    assert room.dirty() == {(1, mac(1))}
