"""A peer that says more than its limit is read more slowly, and that is all that happens to it."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.frame import KEEPALIVE_MESSAGE
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.update import pack_unreach
from hornpipe.engine.pace import LONGEST, QUIET
from hornpipe.engine.rows import PeerRow
from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.engine.throttle import FIRST_TABLE
from hornpipe.sim.fleet import Fleet, settings_of
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector
from tests.rib.room import mac, vni

LIMIT = 1000


def reflector(fleet: Fleet, limit: int = LIMIT) -> Host:
    clients = ClientRange(prefix="10.0.0.0/24", update_limit=limit)
    return fleet.add(Host(settings_of("10.0.0.9", reflector=Reflector(clients=(clients,)))))


def client(fleet: Fleet, **more: object) -> Injector:
    made = fleet.inject("10.0.0.2", "10.0.0.9", **more)
    fleet.run(2.0)
    assert made.established
    return made


def withdraw(peer: Injector, routes: int) -> None:
    """Of nothing: what costs is to read it."""
    keys = [FAMILIES[EVPN].join_withdraw(mac(number)) for number in range(routes)]
    peer.say(pack_unreach(EVPN, keys, 4096))


def row_of(host: Host) -> PeerRow:
    (row,) = host.running.peers()
    return row


def said(host: Host) -> list[tuple[str, str]]:
    return [(event.kind, event.text) for event in host.running.events() if "throttled" in event.kind]


def test_it_is_seen_once_when_it_begins_and_once_when_it_ends(fleet: Fleet) -> None:
    host = reflector(fleet)
    peer = client(fleet)
    for _ in range(30):
        withdraw(peer, 1000)
    fleet.run(1.0)
    row = row_of(host)
    assert row.throttled_since is not None
    assert row.throttled > 0
    fleet.run(30.0)
    assert [kind for kind, _ in said(host)] == ["peer.throttled"]
    assert row_of(host).throttled == pytest.approx(25.0, abs=2.0)  # 30 000 routes, 5 000 of them a burst
    fleet.run(QUIET + 1)
    row = row_of(host)
    assert (row.state, row.throttled_since) == ("ESTABLISHED", None)
    assert said(host)[1:] == [("peer.unthrottled", f"it was made to wait {row.throttled:.1f} s in all")]


def test_without_a_limit_nobody_waits(fleet: Fleet) -> None:
    host = reflector(fleet, limit=0)
    peer = client(fleet)
    for _ in range(50):
        withdraw(peer, 1000)
    fleet.run(1.0)
    assert host.running.rib.peers
    assert [source.heard for source in host.running.rib.peers] == [50_000]
    assert row_of(host).throttled_since is None


def test_messages_without_routes_cost_too(fleet: Fleet) -> None:
    host = reflector(fleet)
    peer = client(fleet)
    peer.say([KEEPALIVE_MESSAGE] * 20_000)
    fleet.run(1.0)
    assert row_of(host).throttled_since is not None


def test_the_first_table_costs_nothing(fleet: Fleet) -> None:
    host = reflector(fleet)
    peer = client(fleet)
    keys = [mac(number) for number in range(20_000)]
    peer.sends_end = False
    for key in keys:
        peer.routes[(EVPN, key)] = (key, vni(100), build(local_pref=100), bytes((10, 0, 0, 2)))
    fleet.network.reset("10.0.0.2", "10.0.0.9")
    fleet.run(10.0)
    assert (row_of(host).received, said(host)) == (20_000, [])
    withdraw(peer, 10_000)
    fleet.run(1.0)
    assert said(host) == []
    fleet.run(FIRST_TABLE)  # it never says that this was all
    withdraw(peer, 10_000)
    fleet.run(1.0)
    assert [kind for kind, _ in said(host)] == ["peer.throttled"]


def test_a_new_session_does_not_wait_for_the_former_ones_words(fleet: Fleet) -> None:
    host = reflector(fleet, limit=100)
    peer = client(fleet)
    peer.announce(mac(5000), vni(100), build(local_pref=100), bytes((10, 0, 0, 2)))  # so that it is remembered
    withdraw(peer, 1500)
    fleet.run(0.1)
    engine = host.running
    (conn,) = [neighbour.conn for neighbour in engine._peers]
    assert conn is not None
    assert engine.rests_until(conn) == pytest.approx(fleet.now + LONGEST, abs=0.2)
    fleet.network.reset("10.0.0.2", "10.0.0.9")
    assert engine.rests_until(conn) < fleet.now
    assert fleet.run_until(lambda: "ESTABLISHED" in [row.state for row in host.running.peers()], 3.0)
    (conn,) = [neighbour.conn for neighbour in engine._peers]
    assert conn is not None
    assert engine.rests_until(conn) <= fleet.now


def test_silence_counts_from_the_end_of_a_pause(fleet: Fleet) -> None:
    """A hold time of 3 s and a pause of 5 s, in which the peer's KEEPALIVEs lie unread behind its UPDATEs."""
    host = reflector(fleet, limit=100)
    peer = client(fleet, hold_time=3)
    for _ in range(5):
        withdraw(peer, 1500)  # each is a segment of its own, and the longest pause
        fleet.run(0.01)
    fleet.run(5 * LONGEST)
    assert peer.downs == []
    fleet.network.freeze("10.0.0.2")
    fleet.run(2.5)
    assert row_of(host).state == "ESTABLISHED"
    fleet.run(1.0)
    assert host.running.peers() == []  # a dynamic neighbour that is gone
