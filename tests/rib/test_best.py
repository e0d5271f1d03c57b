"""Best path selection: every step decides alone, in order, and says so."""

from __future__ import annotations

from itertools import permutations

import pytest

from hornpipe.bgp.attr.community import GRACEFUL_SHUTDOWN
from hornpipe.bgp.attr.extended import mac_mobility
from hornpipe.bgp.family import VPNV4
from hornpipe.rib.best import equal, explain, rank
from tests.rib.room import EVPN, Room, Session, mac, vni

KEY = mac(1)


def seq(*numbers: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    return ((2, numbers),)


# what the better one says, what the other one says, why
PAIRS = [
    ({"ext_communities": (mac_mobility(0, sticky=True),)}, {"ext_communities": (mac_mobility(7),)}, "sticky MAC"),
    (
        {"ext_communities": (mac_mobility(2),), "local_pref": 50},
        {"ext_communities": (mac_mobility(1),)},
        "higher mobility sequence (2 over 1)",
    ),
    ({"ext_communities": (mac_mobility(1),)}, {}, "higher mobility sequence (1 over 0)"),
    ({"local_pref": 200, "as_path": seq(1, 2)}, {"local_pref": 100}, "higher local-pref (200 over 100)"),
    ({"local_pref": 101}, {"local_pref": None}, "higher local-pref (101 over 100)"),
    ({"as_path": seq(1), "origin": 2}, {"as_path": seq(1, 2)}, "shorter AS path (1 over 2)"),
    ({"as_path": ((1, (1, 2, 3)),)}, {"as_path": seq(1, 2)}, "shorter AS path (1 over 2)"),
    ({"origin": 0, "med": 9}, {"origin": 1}, "lower origin (igp over egp)"),
    ({"origin": 1}, {"origin": 2}, "lower origin (egp over incomplete)"),
    ({"as_path": seq(7), "med": 1}, {"as_path": seq(7), "med": 2}, "lower MED (1 over 2)"),
    ({}, {"med": 2}, "lower MED (0 over 2)"),
    (
        {"originator_id": bytes((1, 1, 1, 1)), "cluster_list": (b"aaaa", b"bbbb")},
        {"originator_id": bytes((1, 1, 1, 2))},
        "lower originator (1.1.1.1 over 1.1.1.2)",
    ),
    (
        {"originator_id": bytes((1, 1, 1, 1)), "cluster_list": (b"aaaa",)},
        {"originator_id": bytes((1, 1, 1, 1)), "cluster_list": (b"aaaa", b"bbbb")},
        "shorter cluster list (1 over 2)",
    ),
]


@pytest.mark.parametrize(("better", "other", "why"), PAIRS, ids=[pair[2] for pair in PAIRS])
@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_step_decides(better: dict[str, object], other: dict[str, object], why: str, order: tuple[int, int]) -> None:
    """Whichever peer says it, and whichever comes first."""
    room = Room()
    good, bad = room.session(order[0]), room.session(order[1])
    for session, said in [(bad, other), (good, better)]:
        session.announce(KEY, **said)
    first, second = room.rib.candidates(EVPN, KEY)
    assert first.source is good.source
    assert explain(first, second) == why


def test_a_live_path_beats_a_stale_one_that_is_better() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    one.announce(KEY, local_pref=500)
    two.announce(KEY)
    one.down(keep=60)
    first, second = room.rib.candidates(EVPN, KEY)
    assert first.source is two.source
    assert explain(first, second) == "not stale"


def two_reflectors(room: Room, **host: object) -> tuple[Session, Session, Session]:
    """A client of ours that is one of another reflector, too; that reflector; a client that has heard everything."""
    client, reflector, listener = room.session(1, **host), room.session(9, client=False), room.session(2)
    client.announce(KEY)
    echo(reflector, client)
    assert listener.holds() == reflector.holds() == {KEY}
    return client, reflector, listener


def echo(reflector: Session, client: Session, **more: object) -> None:
    if client.source.internal:
        more = {"originator_id": client.address, "cluster_list": (b"rrrr",), **more}
    else:
        more = {"as_path": seq(client.source.remote_as), **more}
    reflector.announce(KEY, **{"next_hop": client.address, **more})


@pytest.mark.parametrize(
    ("host", "why"), [({}, "shorter cluster list (0 over 1)"), ({"remote_as": 65001}, "eBGP over iBGP")]
)
def test_an_echo_is_no_better_than_what_it_repeats(host: dict[str, object], why: str) -> None:
    """A client of two reflectors restarts: nobody hears of it."""
    room = Room()
    client, reflector, listener = two_reflectors(room, **host)
    client.down(keep=60)
    first, second = room.rib.candidates(EVPN, KEY)
    assert (first.source, first.stale, second.source) == (client.source, True, reflector.source)
    assert explain(first, second, (first, second)) == why
    assert listener.hear() == reflector.hear() == 0
    client.up()
    client.announce(KEY)
    client.end()
    assert listener.hear() == reflector.hear() == 0
    assert not room.rib.candidates(EVPN, KEY)[0].stale


NEWS: list[dict[str, object]] = [
    {"payload": vni(7)},
    {"next_hop": bytes((10, 9, 9, 9))},
    {"ext_communities": (mac_mobility(0),)},
    {"local_pref": 0, "communities": (GRACEFUL_SHUTDOWN,)},
    {"local_pref": 101},
    {"communities": (7,)},
    {"large_communities": ((1, 2, 3),)},
    {"med": 5},
    {"as_path": seq(65001)},
    {"unknown": ((0xC0, 250, b"kept"),)},
    {"originator_id": bytes((10, 0, 0, 8))},
]


@pytest.mark.parametrize("news", NEWS, ids=[next(iter(news)) for news in NEWS])
def test_who_says_something_else_knows_better(news: dict[str, object]) -> None:
    room = Room()
    client, reflector, listener = two_reflectors(room)
    client.down(keep=60)
    echo(reflector, client, **news)
    first, second = room.rib.candidates(EVPN, KEY)
    assert first.source is reflector.source
    assert explain(first, second, (first, second)) == "not stale"
    assert listener.announced == 1
    assert listener.hear() == 1


def test_another_pe_beats_a_stale_path_and_its_echo() -> None:
    room = Room()
    client, reflector, listener = two_reflectors(room)
    other = room.session(3)
    other.announce(KEY)
    assert [path.source for path in room.rib.equal(EVPN, KEY)] == [client.source, other.source]
    client.down(keep=60)
    ranked = room.rib.candidates(EVPN, KEY)
    assert [path.source for path in ranked] == [other.source, client.source, reflector.source]
    assert [path.source for path in room.rib.equal(EVPN, KEY)] == [other.source]
    assert explain(ranked[0], ranked[1], ranked) == "not stale"
    assert explain(ranked[0], ranked[2], ranked) == "no echo of a stale path"
    assert listener.held(KEY).next_hop == other.address
    other.withdraw(KEY)
    assert listener.held(KEY).next_hop == client.address


def test_what_a_lost_reflector_said_has_no_echo() -> None:
    """A host that loses one of its reflectors believes the other one."""
    room = Room(reflector=False)
    one, two, pe = room.session(8), room.session(9), room.session(3)
    for session in (one, two):
        session.announce(KEY, next_hop=b"\x0a\0\0\x01", originator_id=b"\x0a\0\0\x01", cluster_list=(session.address,))
    pe.announce(KEY, local_pref=50)
    one.down(keep=60)
    assert [path.source for path in room.rib.candidates(EVPN, KEY)] == [two.source, pe.source, one.source]


def test_local_beats_learnt_but_not_a_higher_sequence() -> None:
    room = Room()
    one = room.session(1)
    one.announce(KEY, local_pref=500)
    room.announce(KEY)
    first, second = room.rib.candidates(EVPN, KEY)
    assert first.source.local
    assert explain(first, second) == "local"
    one.announce(KEY, ext_communities=(mac_mobility(1),))
    first, second = room.rib.candidates(EVPN, KEY)
    assert not first.source.local


def test_external_beats_internal_and_has_no_say_in_local_pref() -> None:
    room = Room()
    outside, inside = room.session(9, remote_as=65001), room.session(1)
    inside.announce(KEY, as_path=seq(65001))
    outside.announce(KEY, local_pref=5)
    first, second = room.rib.candidates(EVPN, KEY)
    assert first.source is outside.source
    assert explain(first, second) == "eBGP over iBGP"
    assert first.sort_key[4] == -100


def test_router_id_and_address_decide_last() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    one.source.router_id = bytes((99, 9, 9, 9))
    one.announce(KEY)
    two.announce(KEY)
    first, second = room.rib.candidates(EVPN, KEY)
    assert first.source is two.source
    assert explain(first, second) == "lower originator (10.0.0.2 over 99.9.9.9)"


def test_the_peer_address_is_the_last_word() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    for session in (two, one):
        session.announce(KEY, originator_id=b"oooo", cluster_list=(b"cccc",))
    first, second = room.rib.candidates(EVPN, KEY)
    assert explain(first, second) == "lower peer address (10.0.0.1 over 10.0.0.2)"
    assert explain(first, first) == "the same in every step"


def test_mobility_means_nothing_outside_evpn() -> None:
    room = Room()
    one, two = room.session(1, families=(VPNV4,)), room.session(2, families=(VPNV4,))
    key = bytes((24,)) + bytes(8) + bytes((10, 0, 1))
    options = {"family": VPNV4, "payload": b"\x00\x01\x01", "next_hop": bytes(8) + b"\x0a\0\0\1"}
    one.announce(key, **options)
    two.announce(key, ext_communities=(mac_mobility(5),), **options)
    assert room.rib.candidates(VPNV4, key)[0].source is one.source


# Neighbouring AS and MED of three paths; the first column of each is also the router id, the last tie-break.
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_med_is_compared_within_a_neighbouring_as_only(order: tuple[int, ...]) -> None:
    """RFC 4271 section 9.1.2.2 c. Pairwise comparison would depend on the order of arrival here: 1 beats 2 and 2
    beats 3 by router id, 3 beats 1 by MED. Elimination takes 1 out first, whatever the order."""
    room = Room()
    said = {1: (65001, 10), 2: (65002, 5), 3: (65001, 0)}
    sessions = {number: room.session(number) for number in said}
    for index in order:
        number = index + 1
        neighbour, med = said[number]
        sessions[number].announce(KEY, as_path=seq(neighbour), med=med)
    ranked = room.rib.candidates(EVPN, KEY)
    assert [path.source.id for path in ranked] == [2, 3, 1]
    assert explain(ranked[0], ranked[2]) == "the other one was eliminated by a lower MED of its neighbouring AS"
    assert rank([*ranked]) == ranked


def test_equal_stops_before_the_tie_breaks() -> None:
    room = Room()
    one, two, three, four = (room.session(number) for number in range(1, 5))
    one.announce(KEY, as_path=seq(65001), med=3)
    two.announce(KEY, as_path=seq(65002), originator_id=b"oooo")
    three.announce(KEY, as_path=seq(65001), med=4)  # loses to the first by MED
    four.announce(KEY, as_path=seq(65003), origin=1)
    best = equal(room.rib.candidates(EVPN, KEY))
    assert [path.source.id for path in best] == [1, 2]
    outside = room.session(9, remote_as=65004)
    outside.announce(KEY)
    assert [path.source.id for path in room.rib.equal(EVPN, KEY)] == [9]


def test_routes_of_several_keys_are_compared_alike() -> None:
    room = Room()
    one, two = room.session(1), room.session(2)
    one.announce(mac(1), local_pref=200)
    two.announce(mac(2), local_pref=200)
    two.announce(mac(3))
    paths = [room.rib.candidates(EVPN, mac(number))[0] for number in (3, 2, 1)]
    assert [path.source.id for path in equal(rank(paths))] == [1, 2]
