"""A peer that is whoever is at the other end of a link: found, lost with the link, found again."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN, IPV4_UNICAST, IPV6_UNICAST
from hornpipe.bgp.nlri.next_hop import link_local_of
from hornpipe.bgp.session.config import EXTERNAL, PeerConfig
from hornpipe.engine.settings import Settings
from hornpipe.net.ip import Address
from hornpipe.rib.export import SELF
from hornpipe.sim.fleet import Fleet
from hornpipe.sim.host import Host

HOST, LEAF = "fe80::a%eth1", "fe80::b%eth1"
FAMILIES = (IPV4_UNICAST, IPV6_UNICAST, EVPN)
V4 = bytes.fromhex("200a000001")
V6 = bytes.fromhex("80") + bytes(Address.parse("2001:db8::1"))


def side(router_id: str, address: str, local_as: int, peer: str, **more: object) -> Host:
    fields: dict[str, object] = {"peer_as": EXTERNAL, "families": FAMILIES, "extended_next_hop": True, **more}
    config = PeerConfig(
        address=peer,
        local_as=local_as,
        router_id=bytes(Address.parse(router_id)),
        **fields,  # type: ignore[arg-type]
    )
    settings = Settings(
        local_as=local_as, router_id=router_id, local_address=address, vtep=router_id, peers=(config,), listen=True
    )
    return Host(settings)


@pytest.fixture
def link(fleet: Fleet) -> tuple[Host, Host]:
    """A host that knows its peer by interface, and a leaf that waits for it by address."""
    host = fleet.add(side("10.0.0.1", HOST, 64512, "eth1", interface="eth1"))
    leaf = fleet.add(side("10.0.0.2", LEAF, 65001, HOST, passive=True))
    return host, leaf


def found(fleet: Fleet, host: Host, leaf: Host) -> None:
    """What the speaker does: it hears a router advertisement, and connects to where it came from."""
    fleet.network.links["eth1"] = leaf.address
    host.running.located("eth1", LEAF, fleet.now)


def state(host: Host) -> str:
    return host.running.peers()[0].state


def announce(host: Host, family: int, key: bytes) -> None:
    host.running.rib.announce(family, key, b"", build(), SELF)


def test_it_is_found_by_its_advertisement(fleet: Fleet, link: tuple[Host, Host]) -> None:
    host, leaf = link
    fleet.run(20.0)
    assert state(host) in ("ACTIVE", "CONNECT")
    found(fleet, host, leaf)
    fleet.run(0.1)
    assert (state(host), state(leaf)) == ("ESTABLISHED", "ESTABLISHED")
    (row,) = host.running.peers()
    assert (row.peer, row.remote_as, row.address, row.type) == ("eth1", 65001, LEAF, "external")


def test_each_side_is_its_own_next_hop(fleet: Fleet, link: tuple[Host, Host]) -> None:
    host, leaf = link
    found(fleet, host, leaf)
    announce(leaf, IPV4_UNICAST, V4)
    announce(leaf, IPV6_UNICAST, V6)
    fleet.run(1.0)
    for family, key in ((IPV4_UNICAST, V4), (IPV6_UNICAST, V6)):
        path = host.running.rib.best(family, key)
        assert path is not None
        assert link_local_of(path.next_hop) == bytes(Address.parse("fe80::b"))
        assert (path.source.interface, path.source.address) == ("eth1", bytes(Address.parse("fe80::b")))


def test_ipv4_routes_need_the_capability(fleet: Fleet) -> None:
    """Without RFC 8950 there is no next hop for them; IPv6 ones go out."""
    host = fleet.add(side("10.0.0.1", HOST, 64512, "eth1", interface="eth1"))
    leaf = fleet.add(side("10.0.0.2", LEAF, 65001, HOST, passive=True, extended_next_hop=False))
    found(fleet, host, leaf)
    announce(host, IPV4_UNICAST, V4)
    announce(host, IPV6_UNICAST, V6)
    fleet.run(1.0)
    assert leaf.running.rib.best(IPV4_UNICAST, V4) is None
    assert leaf.running.rib.best(IPV6_UNICAST, V6) is not None


def test_what_was_reached_by_a_lost_link_is_gone_at_once(fleet: Fleet, link: tuple[Host, Host]) -> None:
    """Also with graceful restart; what others forward (E-VPN) stays. And the way back needs no timer."""
    host, leaf = link
    found(fleet, host, leaf)
    announce(leaf, IPV4_UNICAST, V4)
    key = bytes.fromhex("03 00010a0000020001 00000000 20 0a000002")
    leaf.running.rib.announce(EVPN, key, b"", build(), bytes((10, 0, 0, 2)))
    fleet.run(1.0)
    host.running.link_lost("eth1", "link eth1 is down", fleet.now)
    (row,) = host.running.peers()
    assert (row.state != "ESTABLISHED", row.reason) == (True, "link eth1 is down")
    host.turn(fleet.now)
    assert host.running.rib.best(IPV4_UNICAST, V4) is None
    kept = host.running.rib.best(EVPN, key)
    assert kept is not None
    assert kept.stale
    fleet.network.reset(HOST, LEAF)
    fleet.run(30.0)
    found(fleet, host, leaf)
    fleet.run(0.1)
    assert state(host) == "ESTABLISHED"
    assert host.running.rib.best(IPV4_UNICAST, V4) is not None


def test_a_lost_session_alone_is_a_graceful_restart(fleet: Fleet, link: tuple[Host, Host]) -> None:
    host, leaf = link
    found(fleet, host, leaf)
    announce(leaf, IPV4_UNICAST, V4)
    fleet.run(1.0)
    del fleet.network.links["eth1"]
    fleet.network.reset(HOST, LEAF)
    fleet.run(0.1)
    path = host.running.rib.best(IPV4_UNICAST, V4)
    assert path is not None
    assert path.stale


def test_it_may_come_to_us(fleet: Fleet, link: tuple[Host, Host]) -> None:
    host, _ = link
    fleet.run(1.0)
    assert host.running.accept("fe80::b%eth2", HOST, fleet.now) is None
    assert host.running.accept("fe80::b%eth1", HOST, fleet.now) is not None
    assert host.running.peers()[0].address == LEAF


def test_others_on_the_link_do_not_disturb(fleet: Fleet, link: tuple[Host, Host]) -> None:
    host, leaf = link
    found(fleet, host, leaf)
    fleet.run(1.0)
    assert host.running.accept("fe80::c%eth1", HOST, fleet.now) is None
    host.running.located("eth1", "fe80::c%eth1", fleet.now)
    assert (state(host), host.running.peers()[0].address) == ("ESTABLISHED", LEAF)


def test_only_links_of_peers_count(fleet: Fleet, link: tuple[Host, Host]) -> None:
    host, _ = link
    host.running.located("eth7", LEAF, fleet.now)
    host.running.link_lost("eth7", "down", fleet.now)
    assert [row.peer for row in host.running.peers()] == ["eth1"]
