"""What is not accepted: loops and malformed blocks. Such a route takes the one before with it."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.attr.extended import es_import
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import VPNV4
from hornpipe.bgp.nlri.evpn_wire import join
from hornpipe.bgp.update import pack_reach, parse
from tests.rib.room import EVPN, LOCAL_AS, PAYLOAD, US, Room, mac, target

KEY = mac(1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"originator_id": US}, "own ORIGINATOR_ID"),
        ({"cluster_list": (b"\1\1\1\1", US)}, "own cluster in CLUSTER_LIST"),
        ({"as_path": ((2, (65001, LOCAL_AS)),)}, "own AS in AS_PATH"),
        ({"as_path": ((2, (65001,)), (1, (65002, LOCAL_AS)))}, "own AS in AS_PATH"),
    ],
)
def test_loops(said: dict[str, object], reason: str) -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    one.announce(KEY, mac(2))
    assert two.holds() == {KEY, mac(2)}
    one.announce(KEY, **said)
    one.announce(KEY, **said)
    assert two.holds() == {mac(2)}
    assert one.source.rejected == {reason: 2}
    assert one.source.errors == 0
    one.announce(KEY)
    assert two.holds() == {KEY, mac(2)}


def test_a_stub_has_no_cluster_of_its_own() -> None:
    room = Room(reflector=False)
    one = room.session(1)
    one.announce(KEY, cluster_list=(US,))
    assert room.best(KEY)


def update(block: bytes) -> bytes:
    (message,) = pack_reach(EVPN, b"\x0a\0\0\1", block, [join(KEY, PAYLOAD)])
    return message


def test_treat_as_withdraw() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    bad = update(build(local_pref=100).replace(b"\x40\x01\x01\x00", b"\x40\x01\x01\x09"))  # ORIGIN 9
    for count in (1, 2):
        one.announce(KEY)
        assert two.holds() == {KEY}
        one.say(bad)
        assert two.holds() == set()
        assert one.source.errors == count
    assert "ORIGIN" in one.source.last_error
    assert room.rib.received(one.source) == 0


def test_an_attribute_list_that_does_not_add_up() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    one.announce(KEY)
    assert two.holds() == {KEY}
    one.say(update(build(local_pref=100) + b"\x40"))
    assert two.holds() == set()
    assert one.source.errors == 1


def test_attribute_discard_is_counted_and_the_route_stays() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    one.say(update(build(local_pref=100, unknown=((0x40, 6, b"!"),))))  # ATOMIC_AGGREGATE with a value
    assert two.holds() == {KEY}
    assert one.source.errors == 1


def test_an_nlri_that_contradicts_itself_is_dropped_alone() -> None:
    room = Room()
    one = room.session(1)
    good, bad = join(KEY, PAYLOAD), bytearray(join(mac(2), PAYLOAD))
    bad[24] = 47  # MAC length
    for message in pack_reach(EVPN, b"\x0a\0\0\1", build(local_pref=100), [bytes(bad), good]):
        one.say(message)
    assert [key for key, _ in room.rib.routes(EVPN)] == [KEY]
    assert one.source.errors == 1


def test_an_error_that_may_hide_routes_ends_the_session() -> None:
    room = Room()
    one = room.session(1)
    block = build(local_pref=100).replace(b"\x40\x01\x01\x00", b"\x40\x01\x01\x09")
    body = bytes(2) + len(block).to_bytes(2, "big") + block
    with pytest.raises(SessionReset) as reset:
        room.rib.update(one.source, parse(body), 0.0)
    assert reset.value.code == 3


def test_a_family_that_was_not_negotiated() -> None:
    room = Room()
    one = room.session(1)
    key = bytes((24,)) + bytes(8) + bytes((10, 0, 1))
    one.announce(key, family=VPNV4, payload=b"\0\1\1", next_hop=bytes(8) + b"\x0a\0\0\1")
    one.withdraw(key, family=VPNV4)
    assert one.source.rejected == {"l3vpn-ipv4-unicast was not negotiated": 2}
    assert list(room.rib.routes(VPNV4)) == []


def test_the_es_import_rt_counts_as_a_route_target() -> None:
    """An Ethernet segment route has no other (RFC 7432 section 8.1.1)."""
    room = Room()
    one = room.session(1)
    community = es_import(b"\2\0\0\0\0\1")
    one.announce(b"\x04" + bytes(18) + b"\x20\x0a\0\0\1", payload=b"", ext_communities=(community,))
    one.announce(KEY, targets=(target(1),))
    room.rib.set_imports(1, EVPN, frozenset((community,)))
    assert [key[0] for _, key in room.dirty()] == [4]
