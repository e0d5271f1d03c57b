"""What one peer may cost: routes, attribute bytes, requests for everything, timers."""

from __future__ import annotations

import gc
import tracemalloc
from math import inf
from typing import Any

import pytest

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.frame import frame
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload
from hornpipe.bgp.session.config import MemoryLimit, PrefixLimit
from hornpipe.engine.deadlines import Deadlines
from hornpipe.engine.limits import REFRESH_PAUSE, Limits, Refreshes
from hornpipe.engine.neighbour import make
from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.rib.intake import BLOCK, IDLE, PATH, ROUTE
from hornpipe.sim.fleet import Fleet, peer_of, settings_of
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector
from tests.rib.room import Room, mac, target, vni

RD = RouteDistinguisher.parse("10.0.0.2:1")
RT = bytes.fromhex("0002fc0000000001")


def check(limit: PrefixLimit, number: int) -> list[tuple[str, str, str]]:
    room = Room()
    one = room.session(1)
    one.announce(*[mac(each) for each in range(number)])
    said: list[tuple[str, str, str]] = []
    limits = Limits((limit,))
    limits.check(room.rib, one.source, EVPN, lambda *words: said.append(words))
    limits.check(room.rib, one.source, EVPN, lambda *words: said.append(words))
    return said


def test_a_limit_warns_once_and_then_ends_the_session() -> None:
    limit = PrefixLimit(maximum=10, warning=80)
    assert check(limit, 7) == []
    assert check(limit, 8) == [("peer.limit", "10.0.0.1", "8 routes of l2vpn-evpn, the limit is 10")]
    assert len(check(limit, 10)) == 1
    with pytest.raises(SessionReset, match="11 routes of l2vpn-evpn, the limit is 10") as caught:
        check(limit, 11)
    assert (caught.value.code, caught.value.subcode) == (6, 1)
    assert caught.value.data == bytes.fromhex("0019460000000a")  # RFC 4486 section 4
    assert len(check(PrefixLimit(maximum=10, warn_only=True), 11)) == 1


def test_a_family_of_its_own() -> None:
    assert check(PrefixLimit(maximum=1, family=EVPN + 1), 5) == []
    with pytest.raises(SessionReset):
        check(PrefixLimit(maximum=1, family=EVPN), 5)


def test_memory_warns_and_then_ends_the_session() -> None:
    one = Room().session(1)
    limit = MemoryLimit(megabytes=1, warning=50)
    limits, said = Limits((), limit), []

    def announce_up_to(routes: int) -> None:
        for number in range(routes):
            one.announce(mac(number), communities=tuple(range(number, number + 50)))
        limits.check(one.room.rib, one.source, EVPN, lambda *words: said.append(words))

    assert limits
    announce_up_to(100)
    assert said == []
    announce_up_to(200)
    announce_up_to(250)
    assert said == [("peer.limit", "10.0.0.1", "routes and attributes hold about 0.8 MB, the limit is 1 MB")]
    with pytest.raises(SessionReset, match=r"hold about 1\.5 MB, the limit is 1 MB") as caught:
        announce_up_to(400)
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (6, 8, b"")
    assert limits.exceeded is limit
    Limits((), MemoryLimit(megabytes=1, warn_only=True)).check(one.room.rib, one.source, EVPN, lambda *words: None)


def test_what_a_former_session_left_is_not_held_against_the_present_one() -> None:
    one = Room().session(1)
    limits, routes = Limits((), MemoryLimit(megabytes=1)), 5000
    one.announce(*[mac(number) for number in range(routes)])
    one.down(keep=60)
    one.up()
    one.announce(*[mac(number) for number in range(routes, 2 * routes)])
    (intake,) = one.source.intakes.values()
    assert intake.held > 1_000_000
    limits.check(one.room.rib, one.source, EVPN, lambda *words: None)
    one.announce(*[mac(number) for number in range(2 * routes, 3 * routes)])
    with pytest.raises(SessionReset):
        limits.check(one.room.rib, one.source, EVPN, lambda *words: None)


def test_the_estimate_comes_and_goes_with_what_is_held() -> None:
    room = Room()
    one = room.session(1)
    one.announce(mac(0))
    (intake,) = one.source.intakes.values()
    before = intake.held
    keys = [mac(number) for number in range(1, 2 * IDLE)]
    for number, key in enumerate(keys):
        one.announce(key, payload=vni(number + 1000), communities=(number,), targets=(target(number),))
    assert intake.held > before + len(keys) * (ROUTE + PATH + BLOCK)
    one.announce(*keys)  # all with the first block
    one.withdraw(*keys)
    assert intake.paths == intake.count == 1
    assert intake.held < before + (IDLE + 1) * 3000  # blocks without routes
    one.down(keep=60)
    assert (intake.held, intake.held_stale()) == (PATH + ROUTE, PATH + ROUTE)
    one.up()
    one.end()
    assert (intake.held, intake.paths, intake.count) == (0, 0, 0)


@pytest.mark.parametrize(
    ("each", "what"),
    [
        (100, {}),
        (20, {"communities": tuple(range(800))}),
        (20, {"targets": tuple(target(number) for number in range(400))}),
        (20, {"ext_communities": tuple(b"\3\x0b" + number.to_bytes(6, "big") for number in range(400))}),
        (20, {"as_path": ((2, tuple(range(70000, 70250))),)}),
        (50, {"payload": None}),
    ],
)
def test_the_estimate_is_not_far_off(each: int, what: dict[str, Any]) -> None:
    """Of blocks that nobody shares; what is shared takes less."""
    room = Room()
    one = room.session(1)
    gc.collect()
    tracemalloc.start()
    for number in range(each):
        more = {name: unlike(value, number) for name, value in what.items()}
        one.announce(mac(number), med=number, **more)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (intake,) = one.source.intakes.values()
    assert 0.7 < intake.held / taken < 2


def unlike(value: Any, number: int) -> Any:
    """Nothing in it is the same object, or has the same bytes, as in another one's."""
    if value is None:
        return vni(number + 1000)
    if isinstance(value[0], bytes):
        return tuple(each[:2] + (number << 16 | at).to_bytes(6, "big") for at, each in enumerate(value))
    if isinstance(value[0], tuple):
        return tuple((kind, tuple(each + 1000 * number for each in members)) for kind, members in value)
    return tuple(each + 1000 * number + 1000 for each in value)


def test_what_a_former_session_left_does_not_count() -> None:
    room = Room()
    one = room.session(1)
    one.announce(*[mac(each) for each in range(10)])
    one.down(keep=60)
    one.up()
    one.announce(*[mac(each) for each in range(10, 20)])
    Limits((PrefixLimit(maximum=10),)).check(room.rib, one.source, EVPN, lambda *words: None)


def test_idle_until_an_operator_says_otherwise(fleet: Fleet) -> None:
    limits = (PrefixLimit(maximum=2, restart=0.0),)
    clients = ClientRange(prefix="10.0.0.0/24", prefix_limits=limits)
    host = fleet.add(Host(settings_of("10.0.0.9", reflector=Reflector(clients=(clients,)))))
    peer = fleet.inject("10.0.0.2", "10.0.0.9")
    fleet.run(2.0)
    for number in range(3):
        announce(peer, number)
    fleet.run(500.0)
    (row,) = host.running.peers()
    assert (row.state, row.received) == ("IDLE", 0)
    assert row.reason.endswith("3 routes of l2vpn-evpn, the limit is 2; idle until it is reset")
    assert "Maximum Number of Prefixes" in peer.downs[0]
    peer.routes.clear()
    assert host.running.reset_peer("10.0.0.2", fleet.now)
    fleet.run(90.0)
    (row,) = host.running.peers()
    assert row.state == "ESTABLISHED"


def announce(peer: Injector, number: int, **more: object) -> None:
    key = mac_ip_key(RD, bytes((2, 0)) + number.to_bytes(4, "big"))
    block = build(local_pref=100, ext_communities=(RT,), **more)  # type: ignore[arg-type]
    peer.announce(key, mac_ip_payload(100), block, bytes((10, 0, 0, 2)))


def test_attributes_that_are_too_long_are_not_kept(fleet: Fleet) -> None:
    clients = ClientRange(prefix="10.0.0.0/24", attribute_limit=200)
    host = fleet.add(Host(settings_of("10.0.0.9", reflector=Reflector(clients=(clients,)))))
    peer = fleet.inject("10.0.0.2", "10.0.0.9")
    fleet.run(2.0)
    announce(peer, 1)
    announce(peer, 2)
    for number in range(3 * IDLE):
        announce(peer, 1, communities=tuple(range(number, number + 100)))
    fleet.run(1.0)
    (row,) = host.running.peers()
    assert (row.state, row.received) == ("ESTABLISHED", 1)  # RFC 7606: as a withdrawal, the session stays
    (source,) = list(host.running.rib.peers)
    assert len(source.intakes[EVPN].blocks) == 1
    assert source.rejected == {"attributes longer than 200 bytes": 3 * IDLE}


def test_attributes_that_are_refused_do_not_pile_up() -> None:
    room = Room()
    one = room.session(1)
    for number in range(3 * IDLE):
        one.announce(mac(1), originator_id=bytes((10, 0, 0, 254)), med=number)  # a loop
    assert len(one.source.intakes[EVPN].blocks) <= IDLE + 2
    assert room.best(mac(1)) is None


def test_reasons_do_not_pile_up() -> None:
    source = Room().session(1).source
    for number in range(1000):
        source.reject(f"reason {number}", 1)
    assert len(source.rejected) <= 65
    assert sum(source.rejected.values()) == 1000


def test_refreshes_are_one_for_a_while() -> None:
    asked = Refreshes()
    for _ in range(1000):
        asked.ask(EVPN, 100.0)
    assert asked.take(100.0) == [EVPN]
    assert asked.deadline == inf
    for tenth in range(1, 40):
        asked.ask(EVPN, 100.0 + tenth / 10)
    assert asked.take(104.0) == []
    assert asked.deadline == 100.0 + REFRESH_PAUSE
    assert asked.take(105.0) == [EVPN]
    asked.ask(1, 105.0)
    assert asked.take(105.0) == [1]


def test_deadlines() -> None:
    """Those that are due, each once; a deadline that was put off is met early and noted again."""
    one, two = (make(peer_of(f"10.0.0.{number}", "10.0.0.1"), number, lambda: 0.5, False) for number in (1, 2))
    deadlines = Deadlines()
    assert deadlines.next == inf
    deadlines.note(one, 10.0)
    deadlines.note(two, 20.0)
    deadlines.note(one, 15.0)
    deadlines.note(two, 5.0)
    assert deadlines.next == 5.0
    assert deadlines.take(4.0) == []
    assert deadlines.take(10.0) == [two, one]
    assert deadlines.next == inf
    deadlines.note(one, 30.0)
    deadlines.forget(one)
    assert deadlines.next == inf


def test_a_truncated_update_ends_one_session_only(fleet: Fleet) -> None:
    clients = ClientRange(prefix="10.0.0.0/24")
    host = fleet.add(Host(settings_of("10.0.0.9", reflector=Reflector(clients=(clients,)))))
    bad, good = fleet.inject("10.0.0.2", "10.0.0.9"), fleet.inject("10.0.0.3", "10.0.0.9")
    fleet.run(2.0)
    bad.say([frame(2, b"\xff\xff\x00\x00")])
    fleet.run(0.5)
    assert {row.peer: row.state for row in host.running.peers()}["10.0.0.3"] == "ESTABLISHED"
    assert bad.downs
    assert not good.downs
