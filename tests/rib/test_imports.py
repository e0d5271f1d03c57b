"""The import index: an importer hears of a change once, and a change of its targets replays what matches."""

from __future__ import annotations

import pytest

from hornpipe.bgp.family import IPV4_UNICAST, VPNV4
from hornpipe.rib.importer import EVERYTHING
from tests.rib.room import EVPN, Room, Session, check_indexes, mac, target, vni

T1, T2, T3 = target(1), target(2), target(3)


def imports(room: Room, importer: int, *targets: bytes) -> None:
    room.rib.set_imports(importer, EVPN, frozenset(targets))


def test_only_the_interested_hear() -> None:
    room = Room()
    one = room.session(1)
    imports(room, 1, T1)
    imports(room, 2, T2)
    imports(room, 3, T1, T2)
    one.announce(mac(1), targets=(T1,))
    one.announce(mac(2), targets=(T2, T3))
    one.announce(mac(3), targets=(T3,))
    one.announce(mac(4))
    assert room.dirty() == {(1, mac(1)), (3, mac(1)), (2, mac(2)), (3, mac(2))}
    assert room.dirty() == set()
    one.withdraw(mac(1), mac(3))
    assert room.dirty() == {(1, mac(1)), (3, mac(1))}


def test_many_changes_are_heard_once() -> None:
    room = Room()
    one = room.session(1)
    imports(room, 1, T1)
    for number in range(5):
        one.announce(mac(1), targets=(T1,), payload=vni(number))
    assert room.rib.pending_imports == 1
    assert room.dirty() == {(1, mac(1))}


def test_the_same_again_is_no_change() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    imports(room, 1, T1)
    one.announce(mac(1), targets=(T1,))
    room.dirty()
    two.hear()
    one.announce(mac(1), targets=(T1,))
    two.announce(mac(2))
    two.withdraw(mac(7))
    assert room.dirty() == set()
    assert two.hear() == 0


def test_a_new_importer_is_shown_what_is_there() -> None:
    room = Room()
    one = room.session(1)
    one.announce(mac(1), mac(2), targets=(T1,))
    one.announce(mac(3), targets=(T1, T2))
    one.announce(mac(4), targets=(T3,))
    imports(room, 1, T1, T2)
    assert room.dirty() == {(1, mac(1)), (1, mac(2)), (1, mac(3))}
    assert sorted(room.rib.matching(1, EVPN)) == [mac(1), mac(2), mac(3)]
    imports(room, 1, T1, T3)
    assert room.dirty() == {(1, mac(3)), (1, mac(4))}
    assert room.rib.imported(1, EVPN, mac(3))
    imports(room, 1, T3)
    assert room.dirty() == {(1, mac(1)), (1, mac(2)), (1, mac(3))}
    assert room.rib.imported(1, EVPN, mac(3)) is None
    assert room.rib.imported(1, EVPN, mac(4))
    assert list(room.rib.matching(1, EVPN)) == [mac(4)]


def test_an_importer_that_is_gone_hears_nothing() -> None:
    room = Room()
    one = room.session(1)
    imports(room, 1, T1)
    one.announce(mac(1), targets=(T1,))
    known = room.rib.tables[EVPN].importers[1]
    room.rib.drop_importer(1, EVPN)
    assert not known.dirty, "an audience that is worked out anew later keeps it until then"
    room.rib.drop_importer(1, EVPN)
    one.announce(mac(2), targets=(T1,))
    assert room.dirty() == set()
    assert room.rib.imported(1, EVPN, mac(1)) is None
    assert list(room.rib.matching(1, EVPN)) == []


def test_a_route_moves_from_one_importer_to_another() -> None:
    room = Room()
    one = room.session(1)
    imports(room, 1, T1)
    imports(room, 2, T2)
    one.announce(mac(1), targets=(T1,))
    room.dirty()
    one.announce(mac(1), targets=(T2,))
    assert room.dirty() == {(1, mac(1)), (2, mac(1))}
    assert room.rib.imported(1, EVPN, mac(1)) is None
    assert room.rib.imported(2, EVPN, mac(1)) is room.best(mac(1))


def test_local_routes_are_imported_too() -> None:
    room = Room()
    imports(room, 1, T1)
    room.announce(mac(1), T1)
    assert room.dirty() == {(1, mac(1))}
    room.withdraw(mac(1))
    room.withdraw(mac(1))
    assert room.dirty() == {(1, mac(1))}


def test_only_the_best_path_counts() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    imports(room, 1, T1)
    imports(room, 2, T2)
    one.announce(mac(1), targets=(T1,))
    room.dirty()
    two.announce(mac(1), targets=(T2,))
    assert room.dirty() == set()
    imports(room, 3, T2)
    assert room.dirty() == set()
    one.withdraw(mac(1))
    assert room.dirty() == {(1, mac(1)), (2, mac(1)), (3, mac(1))}
    check_indexes(room.rib)


def test_the_budget() -> None:
    room = Room()
    one = room.session(1)
    imports(room, 1, T1)
    imports(room, 2, T1)
    one.announce(*[mac(number) for number in range(10)], targets=(T1,))
    seen = []
    while taken := room.rib.take_imports(3):
        assert len(taken) <= 3
        seen += taken
    assert len(seen) == len(set(seen)) == 20


def test_two_reflectors_one_goes() -> None:
    """Both carry the same routes; what forwarding is made of does not change when either goes or comes back."""
    room = Room(reflector=False)
    imports(room, 1, T1)
    reflectors = [room.session(number, client=False) for number in (1, 2)]
    said = {"targets": (T1,), "originator_id": bytes((10, 0, 0, 9)), "next_hop": bytes((10, 0, 0, 9))}
    for session in reflectors:
        session.announce(mac(1), mac(2), cluster_list=(session.address,), **said)

    def forwarding() -> dict[bytes, tuple[bytes, bytes, tuple[bytes, ...]] | None]:
        found = {}
        for key in (mac(1), mac(2)):
            path = room.rib.imported(1, EVPN, key)
            found[key] = path and (path.next_hop, path.payload, path.attributes.route_targets)
        return found

    first = forwarding()
    assert None not in first.values()
    for session in (*reflectors, *reflectors):
        for keep in (None, 60.0):
            session.down(keep)
            assert forwarding() == first
            session.up()
            assert forwarding() == first
            session.announce(mac(1), mac(2), cluster_list=(session.address,), **said)
            session.end()
            assert forwarding() == first
    check_indexes(room.rib)
    for session in reflectors:
        session.down()
    assert set(forwarding().values()) == {None}


def test_forwarding_values_move_to_the_path_that_takes_the_place_of_a_stale_one() -> None:
    room = Room(reflector=False)
    imports(room, 1, T1)
    one = room.session(1)
    one.announce(mac(1), targets=(T1,))
    before = room.best(mac(1))
    assert before
    before.value = "computed"
    room.dirty()
    one.down(keep=60)
    one.up()
    one.announce(mac(1), targets=(T1,))
    after = room.best(mac(1))
    assert after is not before
    assert after
    assert after.value == "computed"
    assert room.dirty() == set()


PLAIN = bytes.fromhex("200a000001")
"""10.0.0.1/32."""


def leaves(room: Room) -> tuple[Session, Session]:
    """A host's two leaves, each in an AS of its own, and the importer of all they say."""
    one = room.session(1, remote_as=65001, families=(IPV4_UNICAST,))
    two = room.session(2, remote_as=65002, families=(IPV4_UNICAST,))
    room.rib.set_imports(7, IPV4_UNICAST, EVERYTHING, multipath=True)
    return one, two


def say(session: Session, **attributes: object) -> None:
    session.announce(PLAIN, family=IPV4_UNICAST, payload=b"", **attributes)


def next_hops(room: Room) -> list[bytes]:
    return [path.next_hop for path in room.rib.equal(IPV4_UNICAST, PLAIN)]


def test_everything_is_imported_without_route_targets() -> None:
    room = Room()
    one, two = leaves(room)
    say(one)
    assert room.dirty() == {(7, PLAIN)}
    assert room.rib.imported(7, IPV4_UNICAST, PLAIN) is not None
    assert list(room.rib.matching(7, IPV4_UNICAST)) == [PLAIN]
    room.rib.set_imports(8, IPV4_UNICAST, EVERYTHING)
    assert room.dirty() == {(8, PLAIN)}
    one.withdraw(PLAIN, family=IPV4_UNICAST)
    assert room.dirty() == {(7, PLAIN), (8, PLAIN)}
    room.rib.drop_importer(8, IPV4_UNICAST)
    say(two)
    assert room.dirty() == {(7, PLAIN)}
    check_indexes(room.rib)


def test_a_family_with_route_targets_is_not_imported_whole() -> None:
    with pytest.raises(ValueError, match="by route target"):
        Room().rib.set_imports(1, VPNV4, EVERYTHING)


def test_equal_paths_come_and_go() -> None:
    """The best one stays the same; only who asked for multipath hears of the others."""
    room = Room()
    one, two = leaves(room)
    room.rib.set_imports(8, IPV4_UNICAST, EVERYTHING)
    say(one)
    room.dirty()
    say(two)
    assert room.dirty() == {(7, PLAIN)}
    assert next_hops(room) == [one.address, two.address]
    say(two, as_path=((2, (65002, 65003)),))
    assert room.dirty() == {(7, PLAIN)}
    assert next_hops(room) == [one.address]
    say(two, as_path=((2, (65002, 65004)),))
    assert room.dirty() == set()
    say(two)
    room.dirty()
    two.withdraw(PLAIN, family=IPV4_UNICAST)
    assert room.dirty() == {(7, PLAIN)}
    assert next_hops(room) == [one.address]


def test_a_stale_path_is_no_equal_one() -> None:
    room = Room()
    one, two = leaves(room)
    say(one)
    say(two)
    room.dirty()
    two.down(keep=60)
    assert room.dirty() == {(7, PLAIN)}
    assert next_hops(room) == [one.address]
    two.up()
    say(two)
    assert room.dirty() == {(7, PLAIN)}
    assert next_hops(room) == [one.address, two.address]


def test_one_way_counts_once() -> None:
    """Two reflectors tell of the same next hop; two links may have the same link-local one."""
    room = Room()
    one, two = leaves(room)
    say(one, next_hop=b"\x0a\0\0\x09")
    say(two, next_hop=b"\x0a\0\0\x09")
    assert len(next_hops(room)) == 1
    one.source.interface, two.source.interface = "eth0", "eth1"
    assert len(next_hops(room)) == 2
