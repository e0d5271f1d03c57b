"""RT-Constraint as a transcript (RFC 4684): who asks for what, and who is sent what."""

from __future__ import annotations

import pytest

from hornpipe.bgp.family import IPV4_UNICAST
from hornpipe.bgp.nlri import rtc
from tests.rib.room import EVPN, LOCAL_AS, RTC, Room, Session, check_indexes, mac, target

T1, T2, T3 = target(1), target(2), target(3)


@pytest.fixture
def room() -> Room:
    return Room()


def routes(room: Room) -> Session:
    """A client that announces a route of each target, and one of two, and one of none."""
    one = room.session(1)
    one.announce(mac(1), targets=(T1,))
    one.announce(mac(2), targets=(T2,))
    one.announce(mac(12), targets=(T1, T2))
    one.announce(mac(0))
    return one


def test_nothing_is_sent_before_it_is_asked_for(room: Room) -> None:
    one, two = routes(room), room.session(2, rtc=True)
    assert two.holds() == set()
    one.announce(mac(3), targets=(T1,))
    assert two.holds() == set()
    assert two.ended == [RTC]
    two.end(RTC)
    assert two.holds() == set()
    assert two.ended == [RTC, EVPN]


def test_asking_and_leaving(room: Room) -> None:
    routes(room)
    two = room.session(2, rtc=True)
    two.ask(T1)
    assert two.holds() == {mac(1), mac(12)}
    two.ask(T2)
    assert two.holds() == {mac(1), mac(2), mac(12)}
    assert two.announced == 3 + 1  # the reflector's own membership
    two.leave(T1)
    assert two.holds() == {mac(2), mac(12)}
    two.leave(T2)
    assert two.holds() == set()
    assert two.withdrawn == 3


def test_leaving_before_it_was_sent_sends_nothing(room: Room) -> None:
    routes(room)
    two = room.session(2, rtc=True)
    two.hear()
    two.ask(T1)
    two.leave(T1)
    assert two.hear() == 0
    two.ask(T1)
    assert two.holds() == {mac(1), mac(12)}
    two.leave(T1)
    two.ask(T1)
    assert two.hear() == 0


def test_own_routes_are_not_withdrawn_from_who_said_them(room: Room) -> None:
    two = room.session(2, rtc=True)
    two.announce(mac(9), targets=(T1,))
    two.ask(T1)
    assert two.holds() == set()
    two.leave(T1)
    assert two.holds() == set()
    assert two.withdrawn == 0
    assert not room.rib.tables[EVPN].outlets_by_target


def test_the_same_target_from_two_ases(room: Room) -> None:
    routes(room)
    two = room.session(2, rtc=True)
    two.ask(T1)
    two.ask(T1, origin_as=65001)
    two.leave(T1)
    assert two.holds() == {mac(1), mac(12)}
    two.leave(T1, origin_as=65001)
    assert two.holds() == set()
    two.leave(T1, origin_as=65001)  # again: nothing


@pytest.mark.parametrize("key", [rtc.DEFAULT, b"\x20\0\0\xfc\0"])
def test_everything(room: Room, key: bytes) -> None:
    one, two = routes(room), room.session(2, rtc=True)
    two.ask_keys(key)
    assert two.holds() == {mac(0), mac(1), mac(2), mac(12)}
    one.announce(mac(3), targets=(T3,))
    assert two.holds() == {mac(0), mac(1), mac(2), mac(3), mac(12)}
    two.ask(T1)
    two.leave_keys(key)
    assert two.holds() == {mac(1), mac(12)}


def test_a_prefix_of_targets(room: Room) -> None:
    one, two = routes(room), room.session(2, rtc=True)
    prefix = bytes((32 + 62,)) + LOCAL_AS.to_bytes(4, "big") + T1[:7] + b"\0"  # targets 0 to 3
    two.ask_keys(prefix)
    assert two.holds() == {mac(1), mac(2), mac(12)}
    one.announce(mac(3), targets=(T3,))
    one.announce(mac(4), targets=(target(4),))
    assert two.holds() == {mac(1), mac(2), mac(3), mac(12)}
    two.ask(target(4))
    two.leave_keys(prefix)
    assert two.holds() == {mac(4)}


def test_a_route_changes_its_targets(room: Room) -> None:
    one, two, three = routes(room), room.session(2, rtc=True), room.session(3, rtc=True)
    two.ask(T1)
    three.ask(T2)
    assert two.holds() == {mac(1), mac(12)}
    one.announce(mac(1), targets=(T2,))
    assert two.holds() == {mac(12)}
    assert three.holds() == {mac(1), mac(2), mac(12)}
    check_indexes(room.rib)


def test_local_routes_are_constrained_too(room: Room) -> None:
    two = room.session(2, rtc=True)
    two.ask(T1)
    room.announce(mac(1), T1)
    room.announce(mac(2), T2)
    assert two.holds() == {mac(1)}


def test_other_families_are_not(room: Room) -> None:
    one = room.session(1, families=(IPV4_UNICAST,))
    two = room.session(2, families=(EVPN, IPV4_UNICAST), rtc=True)
    one.announce(bytes((8, 10)), family=IPV4_UNICAST, payload=b"")
    assert two.holds(IPV4_UNICAST) == {bytes((8, 10))}
    assert two.ended == [RTC, IPV4_UNICAST]


def test_end_of_rib_does_not_wait_for_ever(room: Room) -> None:
    two = room.session(2, rtc=True)
    two.hear()
    assert two.ended == [RTC]
    room.pass_time(9.9)
    assert not room.rib.has_updates(two.peer)
    room.pass_time(0.2)
    assert room.rib.has_updates(two.peer)
    two.hear()
    assert two.ended == [RTC, EVPN]


def test_a_new_session_begins_with_nothing_asked(room: Room) -> None:
    one, two = routes(room), room.session(2, rtc=True)
    two.ask(T1)
    assert two.holds()
    two.down(keep=60)
    assert room.rib.received(two.source, RTC) == 0
    one.announce(mac(5), targets=(T1,))
    two.up()
    assert two.holds() == set()
    two.ask(T2)
    two.end(RTC)
    assert two.holds() == {mac(2), mac(12)}


def test_memberships_are_not_passed_on(room: Room) -> None:
    two, three = room.session(2, rtc=True), room.session(3, rtc=True)
    two.ask(T1)
    assert three.holds(RTC) == {rtc.DEFAULT}
    assert {key for key, _ in room.rib.routes(RTC)} == {rtc.DEFAULT, rtc.key(LOCAL_AS, T1)}
    assert room.rib.received(two.source, RTC) == 1


def test_what_we_import_is_what_we_ask_for() -> None:
    room = Room(reflector=False)
    two = room.session(2, rtc=True)
    room.rib.set_imports(1, EVPN, frozenset((T1, T2)))
    room.rib.set_imports(2, EVPN, frozenset((T2, T3)))
    assert two.holds(RTC) == {rtc.key(LOCAL_AS, one) for one in (T1, T2, T3)}
    room.rib.set_imports(1, EVPN, frozenset((T1,)))
    assert two.holds(RTC) == {rtc.key(LOCAL_AS, one) for one in (T1, T2, T3)}
    room.rib.drop_importer(2, EVPN)
    assert two.holds(RTC) == {rtc.key(LOCAL_AS, T1)}
    late = room.session(3, rtc=True)
    assert late.holds(RTC) == {rtc.key(LOCAL_AS, T1)}
    attributes = late.held(rtc.key(LOCAL_AS, T1), RTC).attributes
    assert (attributes.origin, attributes.as_path, attributes.local_pref) == (0, (), 100)


def test_a_reflector_asks_for_everything() -> None:
    room = Room()
    two = room.session(2, rtc=True)
    room.rib.set_imports(1, EVPN, frozenset((T1,)))
    assert two.holds(RTC) == {rtc.DEFAULT}


def test_imports_of_families_that_are_not_constrained_are_not_asked_for() -> None:
    room = Room(reflector=False)
    two = room.session(2, rtc=True)
    room.rib.set_imports(1, IPV4_UNICAST, frozenset((T1,)))
    assert two.holds(RTC) == set()


def test_a_withdrawn_membership_by_rfc_7606(room: Room) -> None:
    """A membership that comes again with a loop in it is not a membership."""
    routes(room)
    two = room.session(2, rtc=True)
    two.ask(T1)
    assert two.holds() == {mac(1), mac(12)}
    two.announce(rtc.key(LOCAL_AS, T1), family=RTC, payload=b"", as_path=((2, (LOCAL_AS,)),))
    assert two.holds() == set()
