"""Who is sent what: RFC 4456 section 6, eBGP, communities, and the attributes on the way out."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.attr.community import NO_ADVERTISE, NO_EXPORT
from hornpipe.bgp.attr.extended import encapsulation
from tests.rib.room import EVPN, PAYLOAD, US, Room, mac, target

KEY = mac(1)
CLIENT, OTHER_CLIENT, PEER, OTHER_PEER, OUTSIDE, OTHER_OUTSIDE = 1, 2, 3, 4, 5, 6


def neighbours(room: Room) -> dict[int, object]:
    return {
        CLIENT: room.session(CLIENT),
        OTHER_CLIENT: room.session(OTHER_CLIENT),
        PEER: room.session(PEER, client=False),
        OTHER_PEER: room.session(OTHER_PEER, client=False),
        OUTSIDE: room.session(OUTSIDE, client=False, remote_as=65001),
        OTHER_OUTSIDE: room.session(OTHER_OUTSIDE, client=False, remote_as=65002),
    }


EVERYBODY = {CLIENT, OTHER_CLIENT, PEER, OTHER_PEER, OUTSIDE, OTHER_OUTSIDE}


@pytest.mark.parametrize(
    ("speaker", "heard_by"),
    [
        (CLIENT, EVERYBODY - {CLIENT}),
        (PEER, EVERYBODY - {PEER, OTHER_PEER}),
        (OUTSIDE, EVERYBODY - {OUTSIDE}),
    ],
)
def test_a_reflector_passes_on(speaker: int, heard_by: set[int]) -> None:
    room = Room()
    sessions = neighbours(room)
    sessions[speaker].announce(KEY)  # type: ignore[attr-defined]
    assert {number for number, one in sessions.items() if one.holds()} == heard_by  # type: ignore[attr-defined]
    sessions[speaker].withdraw(KEY)  # type: ignore[attr-defined]
    assert not any(one.holds() for one in sessions.values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("speaker", sorted(EVERYBODY))
def test_a_stub_passes_nothing_on(speaker: int) -> None:
    room = Room(reflector=False)
    sessions = neighbours(room)
    sessions[speaker].announce(KEY)  # type: ignore[attr-defined]
    assert not any(one.holds() for one in sessions.values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("reflector", [True, False])
def test_own_routes_go_to_everybody(reflector: bool) -> None:
    room = Room(reflector)
    sessions = neighbours(room)
    room.announce(KEY, target(1))
    for one in sessions.values():
        assert one.held(KEY).next_hop == US  # type: ignore[attr-defined]


def test_reflection_changes_two_attributes() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    said = {
        "origin": 2,
        "med": 7,
        "local_pref": 150,
        "as_path": ((2, (65001, 65002)),),
        "communities": (64512 << 16 | 1,),
        "ext_communities": (encapsulation(8),),
        "unknown": ((0xC0, 250, b"kept"), (0x80, 251, b"not kept")),
    }
    one.announce(KEY, targets=(target(1),), next_hop=b"\x0a\x63\0\x01", **said)
    heard = two.held(KEY)
    assert heard.next_hop == b"\x0a\x63\0\x01"
    attributes = heard.attributes
    assert attributes.originator_id == one.source.router_id
    assert attributes.cluster_list == (US,)
    assert (attributes.origin, attributes.med, attributes.local_pref) == (2, 7, 150)
    assert attributes.as_path == said["as_path"]
    assert attributes.communities == said["communities"]
    assert attributes.ext_communities == (target(1), encapsulation(8))
    assert attributes.unknown == ((0xE0, 250, b"kept"),)  # RFC 4271 section 5: relayed with the partial bit


def test_a_second_reflection_keeps_the_originator() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    one.announce(KEY, originator_id=b"\1\1\1\1", cluster_list=(b"\2\2\2\2",))
    attributes = two.held(KEY).attributes
    assert attributes.originator_id == b"\1\1\1\1"
    assert attributes.cluster_list == (US, b"\2\2\2\2")


def test_towards_and_from_external_peers() -> None:
    room = Room()
    inside, outside = room.session(1), room.session(9, remote_as=65001)
    inside.announce(mac(1), local_pref=150)
    attributes = outside.held(mac(1)).attributes
    assert attributes.as_path == ((2, (64512,)),)
    assert attributes.originator_id is None
    assert attributes.cluster_list == ()
    assert not attributes.discarded
    outside.announce(mac(2))
    attributes = inside.held(mac(2)).attributes
    assert attributes.as_path == ((2, (65001,)),)
    assert attributes.local_pref == 100
    assert attributes.originator_id is None
    assert inside.held(mac(2)).next_hop == outside.address


def test_an_own_route_without_local_pref_gets_one_towards_internal_peers() -> None:
    room = Room()
    inside, outside = room.session(1), room.session(9, remote_as=65001)
    room.rib.announce(EVPN, KEY, PAYLOAD, build(), US)
    assert inside.held(KEY).attributes.local_pref == 100
    assert outside.held(KEY).attributes.local_pref is None


def test_well_known_communities() -> None:
    room = Room()
    one, inside, outside = room.session(1), room.session(2), room.session(9, remote_as=65001)
    one.announce(mac(1), communities=(NO_EXPORT,))
    one.announce(mac(2), communities=(NO_ADVERTISE,))
    assert inside.holds() == {mac(1)}
    assert outside.holds() == set()
    one.announce(mac(1), mac(2))
    assert inside.holds() == outside.holds() == {mac(1), mac(2)}
    one.announce(mac(1), communities=(NO_EXPORT,))
    assert outside.holds() == {mac(2)}
    assert inside.holds() == {mac(1), mac(2)}


def test_a_two_octet_speaker() -> None:
    """RFC 6793: AS_PATH in two octets, the real one in AS4_PATH."""
    room = Room()
    one, old = room.session(1), room.session(2)
    old.peer.as4 = False
    one.announce(KEY, as_path=((2, (4200000000,)),))
    (message,) = room.rib.take_updates(old.peer, 1)[:1]
    assert (23456).to_bytes(2, "big") in message
    assert (4200000000).to_bytes(4, "big") in message
