"""A bulk import into a VRF is complete, costs an entry a route, and changes nothing when the same comes another way."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN, VPNV4
from hornpipe.bgp.nlri.labelled import label_payload
from hornpipe.bgp.nlri.next_hop import next_hop_field
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.nlri.vpn import vpn_key
from hornpipe.bgp.update import pack_reach, pack_unreach, parse
from hornpipe.engine.engine import Engine
from hornpipe.forwarding.table import Hop
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.source import Source
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.spec import InstanceSpec, SourceSpec

RED = InstanceSpec(
    name="red",
    type="ipvpn",
    vni=5000,
    encapsulations=("mpls-gre",),
    import_rts=("64512:1",),
    export_rts=("64512:1",),
)
RT = bytes(RouteTarget.parse("64512:1"))
RD = b"\0\x01\x0a\0\0\x07\0\x01"
VTEP = b"\x0a\0\0\x07"
MAC = b"\x02\0\0\0\x70\x01"


def started() -> tuple[Engine, Source, Source]:
    """An engine with the instance `red`, and two reflectors."""
    engine = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
    engine.restore(None, 0.0)
    engine.kernel_scanned(0.0)
    engine.put_source("api", SourceSpec(instances=(RED,)), 0.0)
    peers = [Source(f"10.0.0.{n}", id=n, router_id=bytes((10, 0, 0, n)), address=bytes((10, 0, 0, n))) for n in (8, 9)]
    for peer in peers:
        engine.rib.source_up(peer, {EVPN, VPNV4}, 0.0)
    return engine, peers[0], peers[1]


def prefix(number: int) -> bytes:
    return b"\x18" + (0x0B000000 + (number << 8)).to_bytes(4, "big")


def vpn_routes(count: int) -> list[tuple[bytes, bytes]]:
    return [(vpn_key(RD, 24, prefix(n)[1:]), label_payload(100)) for n in range(count)]


def type5_routes(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"\x05" + RD + bytes(4) + prefix(n), bytes(14) + (5000).to_bytes(3, "big")) for n in range(count)]


def learn(engine: Engine, peer: Source, family: int, routes: list[tuple[bytes, bytes]], originator: bytes) -> None:
    communities = [RT, extended.encapsulation(8 if family == EVPN else 11)]
    communities += [extended.router_mac(MAC)] if family == EVPN else []
    attributes = build(local_pref=100, ext_communities=communities, originator_id=originator)
    nlris = [FAMILIES[family].join(*route) for route in routes]
    for message in pack_reach(family, next_hop_field(family, VTEP), attributes, nlris, 4096):
        engine.rib.update(peer, parse(message[19:]), 0.0)
    settle(engine)


def forget(engine: Engine, peer: Source, family: int, routes: list[tuple[bytes, bytes]]) -> None:
    for message in pack_unreach(family, [FAMILIES[family].join_withdraw(key) for key, _ in routes], 4096):
        engine.rib.update(peer, parse(message[19:]), 0.0)
    settle(engine)


def settle(engine: Engine) -> None:
    while engine.run(0.0):
        pass


def router_of(engine: Engine) -> Router:
    return engine.edge.routers["red"]


WAYS = {VPNV4: Hop("hp-gre", VTEP, (100,)), EVPN: Hop("hp-br5000", VTEP)}


@pytest.mark.parametrize(("family", "routes"), [(VPNV4, vpn_routes), (EVPN, type5_routes)])
def test_a_bulk_import_is_complete_and_goes_again(family: int, routes: object) -> None:
    engine, peer, _ = started()
    many = vpn_routes(5000) if family == VPNV4 else type5_routes(5000)
    learn(engine, peer, family, many, b"\x0a\0\0\x07")
    router = router_of(engine)
    assert len(router.prefixes()) == 5000
    assert {router.hops(prefix(n)) for n in range(5000)} == {(WAYS[family],)}
    # One way out for all, in one object, from one use.
    assert len({id(router.hops(prefix(n))) for n in range(5000)}) == 1
    assert len({id(use) for use in router.imported[family].uses.values()}) == 1
    forget(engine, peer, family, many)
    assert router.prefixes() == []
    assert not router.imported[family].uses
    assert not router._uses
    assert not router.devices.macs.by_mac


@pytest.mark.parametrize("family", [VPNV4, EVPN])
def test_a_closed_instance_holds_nothing(family: int) -> None:
    """It refers to itself in a circle, which is not looked for soon."""
    engine, peer, _ = started()
    learn(engine, peer, family, vpn_routes(10) if family == VPNV4 else type5_routes(10), b"\x0a\0\0\x07")
    router = router_of(engine)
    assert router.imported[family].uses
    engine.put_source("api", SourceSpec(), 0.0)
    assert (router.imported[family].uses, router.imported[family].index, router._uses, router.chosen) == (
        {},
        {},
        {},
        {},
    )


@pytest.mark.parametrize("family", [VPNV4, EVPN])
def test_the_same_routes_of_another_reflector_touch_nothing(family: int) -> None:
    engine, first, second = started()
    many = vpn_routes(100) if family == VPNV4 else type5_routes(100)
    learn(engine, first, family, many, b"\x0a\0\0\x07")
    learn(engine, second, family, many, b"\x0a\0\0\x07")
    router = router_of(engine)
    state = router.devices.routes
    assert state is not None
    state.dirty.clear()
    forget(engine, first, family, many)
    learn(engine, first, family, many, b"\x0a\0\0\x07")
    forget(engine, second, family, many)
    assert not state.dirty
    assert router.hops(prefix(7)) == (WAYS[family],)


def test_a_pe_that_does_both_is_reached_in_the_way_we_prefer() -> None:
    engine, peer, _ = started()
    learn(engine, peer, EVPN, type5_routes(1), b"\x0a\0\0\x07")
    router = router_of(engine)
    assert router.hops(prefix(0)) == (WAYS[EVPN],)
    learn(engine, peer, VPNV4, vpn_routes(1), b"\x0a\0\0\x07")
    assert router.hops(prefix(0)) == (WAYS[VPNV4],)  # mpls-gre is named first, VXLAN only by its VNI
    state = router.devices.routes
    assert state is not None
    state.dirty.clear()
    forget(engine, peer, EVPN, type5_routes(1))
    assert router.hops(prefix(0)) == (WAYS[VPNV4],)
    assert not state.dirty  # one that loses may go without a word


def test_use_counts_follow_relabelled_routes() -> None:
    engine, peer, _ = started()
    learn(engine, peer, VPNV4, vpn_routes(10), b"\x0a\0\0\x07")
    relabelled = [(key, label_payload(200)) for key, _ in vpn_routes(10)]
    learn(engine, peer, VPNV4, relabelled[:5], b"\x0a\0\0\x07")
    router = router_of(engine)
    assert sorted(use.count for use in router._uses.values()) == [5, 5]
    learn(engine, peer, VPNV4, relabelled[5:], b"\x0a\0\0\x07")
    assert [use.count for use in router._uses.values()] == [10]
    assert router.hops(prefix(9)) == (Hop("hp-gre", VTEP, (200,)),)
