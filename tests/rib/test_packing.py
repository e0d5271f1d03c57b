"""Adj-RIB-Out: what is sent, how it is packed, and above all what is not sent."""

from __future__ import annotations

import pytest

from hornpipe.bgp.family import VPNV4
from hornpipe.bgp.update import end_of_rib, parse
from hornpipe.rib.packing import CHUNK
from hornpipe.rib.table import SPARE_AUDIENCES
from tests.rib.room import EVPN, IPV4_UNICAST, Room, mac, target, vni


@pytest.fixture
def room() -> Room:
    return Room()


def test_routes_of_a_block_share_a_message(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    two.hear()
    for number in range(50):
        one.announce(mac(number))
    assert two.hear() == 1
    assert len(two.view) == 50
    one.withdraw(*[mac(number) for number in range(50)])
    assert two.hear() == 1


@pytest.mark.parametrize(("limit", "messages"), [(4096, 9), (65535, 1)])
def test_messages_are_full(room: Room, limit: int, messages: int) -> None:
    one, two = room.session(1), room.session(2, limit=limit)
    two.hear()
    one.announce(*[mac(number) for number in range(1000)])
    assert two.hear() == messages
    assert len(two.holds()) == 1000


def test_blocks_and_payloads(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    two.hear()
    for number in range(30):
        one.announce(mac(number), med=number % 3, payload=vni(number % 5))
    assert two.hear() == 3
    for number in range(30):
        held = two.view[EVPN, mac(number)]
        assert (held.attributes.med, held.payload) == (number % 3, vni(number % 5))


def test_what_changes_and_changes_back_is_not_sent(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    one.announce(mac(1))
    assert two.holds()
    one.withdraw(mac(1))
    one.announce(mac(1))
    one.announce(mac(2))
    one.withdraw(mac(2))
    assert room.rib.has_updates(two.peer)
    assert two.hear() == 0
    assert not room.rib.has_updates(two.peer)
    assert two.holds() == {mac(1)}


def test_a_withdraw_is_sent_once_and_only_after_an_announcement(room: Room) -> None:
    one, two, three = room.session(1), room.session(2), room.session(3)
    one.announce(mac(1))
    assert two.holds()
    one.withdraw(mac(1))
    assert two.holds() == set()
    one.withdraw(mac(1))
    assert two.hear() == 0
    assert three.holds() == set()
    assert three.withdrawn == 0  # the view would have raised


def test_the_best_path_moves_to_the_receiver_itself(room: Room) -> None:
    one, two, three = room.session(1), room.session(2), room.session(3)
    one.announce(mac(1))
    assert two.holds() == three.holds() == {mac(1)}
    two.announce(mac(1), local_pref=200)
    assert two.holds() == set()
    assert one.holds() == {mac(1)}
    assert three.held(mac(1)).attributes.originator_id == two.address
    two.withdraw(mac(1))
    assert two.holds() == {mac(1)}
    assert one.holds() == set()


def test_the_same_bytes_from_another_source_are_not_sent_again(room: Room) -> None:
    """Two reflectors relay one route; which of them is the better one is of no interest to a peer that sees no
    difference."""
    one, two, out = room.session(1, client=False), room.session(2, client=False), room.session(3, remote_as=65001)
    for session in (one, two):
        session.announce(mac(1), originator_id=b"oooo", cluster_list=(b"cccc",), next_hop=b"\x0a\x63\0\1")
    assert out.holds()
    best = room.best(mac(1))
    assert best
    assert best.source is one.source
    one.down()
    assert room.rib.has_updates(out.peer)
    assert out.hear() == 0


def test_a_late_joiner(room: Room) -> None:
    one, five = room.session(1), room.session(5)
    one.announce(mac(1), mac(2), targets=(target(1),))
    five.announce(mac(2), mac(3))
    room.announce(mac(4))
    two = room.session(2)
    assert two.ended == []
    assert two.holds() == {mac(1), mac(2), mac(3), mac(4)}
    assert two.ended == [EVPN]
    assert two.announced == 4


def test_end_of_rib_comes_last_and_once(room: Room) -> None:
    one = room.session(1)
    one.announce(*[mac(number) for number in range(500)])
    two = room.session(2, families=(EVPN, IPV4_UNICAST))
    while EVPN not in two.ended:
        assert len(two.view) <= 500
        two.hear(1)
    assert len(two.view) == 500
    two.hear()
    assert sorted(two.ended) == [IPV4_UNICAST, EVPN]
    one.announce(mac(1000))
    two.hear()
    assert len(two.ended) == 2


def test_end_of_rib_can_be_held(room: Room) -> None:
    """After a restart of ours: whoever hears it drops what the others have not sent us yet."""
    room.rib.hold_end_of_rib(room.now + 5)
    one, two = room.session(1), room.session(2, rtc=True)
    one.announce(mac(1))
    two.ask_keys(b"\0")
    two.hear()
    assert EVPN not in two.ended
    room.pass_time(6)
    assert two.holds() == {mac(1)}
    assert EVPN not in two.ended  # its memberships are not complete yet
    two.end(388)
    two.hear()
    one.hear()
    assert two.ended[-1] == one.ended[-1] == EVPN


def test_end_of_rib_released(room: Room) -> None:
    room.rib.hold_end_of_rib(room.now + 1000)
    one = room.session(1)
    assert one.hear() == 0
    assert room.rib.next_deadline() == room.now + 1000
    room.rib.release_end_of_rib()
    assert one.hear() == 1
    assert one.ended == [EVPN]


def test_a_large_backlog_leaves_in_pieces_and_packed(room: Room) -> None:
    """Routes of 50 blocks arrive shuffled; a chunk at a time leaves, each block in messages of its own but full."""
    one, two = room.session(1), room.session(2)
    two.hear()
    count = 2 * CHUNK + 100
    blocks: dict[int, list[bytes]] = {}
    for number in range(count):
        blocks.setdefault(number % 50, []).append(mac(number))
    for at in range(0, count // 50, 20):
        for med, keys in blocks.items():
            one.announce(*keys[at : at + 20], med=med)
    total = two.hear(1)
    assert two.peer.pending <= count - CHUNK
    one.withdraw(mac(5))  # sent or not, it must not stay
    one.announce(mac(6), med=99)
    while two.hear(7):
        pass
    total += two.messages - 1
    assert len(two.holds()) == len(list(room.rib.routes(EVPN)))
    assert (EVPN, mac(5)) not in two.view
    assert two.view[EVPN, mac(6)].attributes.med == 99
    assert two.messages < count / 60


def test_announcements_leave_before_withdrawals(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    one.announce(mac(1))
    two.holds()
    one.withdraw(mac(1))
    one.announce(mac(2))
    first, second = room.rib.take_updates(two.peer, 9)
    assert parse(first[19:]).reach
    assert parse(second[19:]).unreach


def test_refresh(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    one.announce(mac(1), mac(2), mac(3))
    assert two.holds()
    one.withdraw(mac(3))
    one.announce(mac(4))
    two.refresh()
    one.withdraw(mac(2))
    one.announce(mac(5))
    before = two.announced
    assert two.holds() == {mac(1), mac(4), mac(5)}
    assert two.announced - before == 3
    assert two.withdrawn == 2
    two.refresh()
    assert two.holds() == {mac(1), mac(4), mac(5)}
    assert two.announced - before == 6
    two.refresh(IPV4_UNICAST)
    assert two.hear() == 0


def test_refresh_of_what_changed_and_changed_back(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    one.announce(mac(1))
    assert two.holds()
    one.announce(mac(1), med=1)
    one.announce(mac(1))
    two.refresh()
    assert two.hear() == 1
    assert two.announced == 2


def test_refresh_is_over_for_what_was_withdrawn_meanwhile(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    one.announce(mac(1))
    assert two.holds()
    two.refresh()
    one.withdraw(mac(1))
    assert two.holds() == set()
    one.announce(mac(1))
    assert two.holds() == {mac(1)}
    one.withdraw(mac(1))
    one.announce(mac(1))
    assert two.hear() == 0


def test_only_the_next_hop_changes(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    one.announce(mac(1))
    assert two.holds()
    one.announce(mac(1), next_hop=b"\x0a\x63\0\1")
    assert two.held(mac(1)).next_hop == b"\x0a\x63\0\1"


def test_only_the_payload_changes(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    one.announce(mac(1))
    assert two.holds()
    one.announce(mac(1), payload=vni(7))
    assert two.held(mac(1)).payload == vni(7)


def test_peers_that_hear_the_same_get_the_same_bytes(room: Room) -> None:
    one = room.session(1)
    others = [room.session(number) for number in (2, 3, 4)]
    for session in others:
        session.hear()
    one.announce(mac(1), mac(2))
    sent = [room.rib.take_updates(session.peer, 9) for session in others]
    assert sent[0] == sent[1] == sent[2]
    assert sent[0][0] is sent[1][0]


def test_a_route_that_does_not_fit(room: Room) -> None:
    """RFC 8654 section 4: it is not sent to a peer without extended messages, and what it had before is withdrawn."""
    one = room.session(1, limit=65535)
    small, large = room.session(2), room.session(3, limit=65535)
    one.announce(mac(1), mac(2))
    assert small.holds() == {mac(1), mac(2)}
    communities = tuple(range(2000))
    one.announce(mac(1), communities=communities)
    small.hear()
    assert {key for _, key in small.view} == {mac(2)}
    assert small.peer.too_long == 1
    assert large.held(mac(1)).attributes.communities == communities
    one.announce(mac(1))
    assert small.holds() == {mac(1), mac(2)}


def test_families_nobody_here_uses_are_reflected(room: Room) -> None:
    """VPNv4: the label is payload, a route with another label is the same route."""
    one, two = room.session(1, families=(VPNV4,)), room.session(2, families=(VPNV4,))
    key = bytes((24,)) + bytes.fromhex("0000fc0000000001") + bytes((10, 0, 1))
    hop = bytes(8) + b"\x0a\0\0\1"
    one.announce(key, family=VPNV4, payload=b"\x00\x01\x01", next_hop=hop, targets=(target(1),))
    assert two.held(key, VPNV4)[:2] == (b"\x00\x01\x01", hop)
    one.announce(key, family=VPNV4, payload=b"\x00\x02\x01", next_hop=hop, targets=(target(1),))
    assert two.held(key, VPNV4).payload == b"\x00\x02\x01"
    assert two.ended == [VPNV4]
    one.withdraw(key, family=VPNV4)
    assert two.holds(VPNV4) == set()


def test_plain_ipv4_routes_are_reflected(room: Room) -> None:
    """RFC 4271's own NLRI fields in, MP_REACH_NLRI out."""
    one, two = room.session(1, families=(IPV4_UNICAST,)), room.session(2, families=(IPV4_UNICAST,))
    attributes = bytes.fromhex("40010100 400200 4003040a000001 40050400000064")
    body = bytes(2) + len(attributes).to_bytes(2, "big") + attributes + bytes((16, 10, 1, 8, 11))
    room.rib.update(one.source, parse(body), 0.0)
    assert two.held(bytes((16, 10, 1)), IPV4_UNICAST).next_hop == b"\x0a\0\0\1"
    assert two.holds(IPV4_UNICAST) == {bytes((16, 10, 1)), bytes((8, 11))}
    room.rib.update(one.source, parse(bytes((0, 2, 8, 11, 0, 0))), 0.0)
    assert two.holds(IPV4_UNICAST) == {bytes((16, 10, 1))}
    room.rib.update(one.source, parse(end_of_rib(IPV4_UNICAST)[19:]), 0.0)
    assert two.holds(IPV4_UNICAST) == {bytes((16, 10, 1))}


def test_an_unknown_route_type_is_relayed_as_it_is(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    nlri = bytes((99, 5)) + b"hello"
    one.announce(b"\0" + nlri, payload=b"")
    assert two.holds() == {b"\0" + nlri}


def test_peer_down_leaves_nothing_behind(room: Room) -> None:
    one, two = room.session(1), room.session(2, rtc=True)
    two.ask(target(1))
    two.ask_keys(b"\0")
    one.announce(mac(1), targets=(target(1),))
    two.down()
    table = room.rib.tables[EVPN]
    assert [outlet.peer for outlet in table.outlets] == [one.peer]
    assert not table.outlets_by_target
    assert [outlet.peer for outlet in table.outlets_wide] == [one.peer]
    one.announce(mac(2), targets=(target(1),))
    assert two.peer not in room.rib.ready_peers
    assert room.rib.take_updates(two.peer, 9) == []


def test_audiences_nobody_uses_do_not_pile_up(room: Room) -> None:
    one, two = room.session(1), room.session(2)
    for number in range(SPARE_AUDIENCES + 50):
        one.announce(mac(1), targets=(target(number),))
    assert len(room.rib.tables[EVPN].audiences) <= SPARE_AUDIENCES + 3
    assert two.held(mac(1)).attributes.route_targets == (target(SPARE_AUDIENCES + 49),)
