"""Whatever happened, in whatever order: the kernel ends as after a fresh start with the same final input.

Hypothesis makes histories of attach, detach, announce, withdraw, sessions lost, daemons killed and kernels damaged. At
the end the host settles, and its kernel is compared with that of a host that starts with the stored intent, an empty
kernel (but for the interfaces that are there) and the same peers. A second, independent check works out from the final
routes where every MAC that is not attached here must be sent to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.attr.pmsi import ingress_replication
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload, multicast_key
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.sim.fleet import Fleet, settings_of
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector
from hornpipe.vpn.spec import InstanceSpec, PortSpec, Refused, SourceSpec

OURS = "10.0.0.1"
PEERS = ("10.0.0.7", "10.0.0.8")
SETTLE = 400.0
"""Longer than stale time, duplicate recovery and every retry."""

MACS = tuple(b"\x02\0\0\0\0" + bytes((n,)) for n in range(1, 6))
IPS = (b"", b"\x0a\x01\0\x01", b"\x0a\x01\0\x02", bytes.fromhex("20010db8000000000000000000000001"))
VTEPS = (b"\x0a\0\0\x07", b"\x0a\0\0\x08", b"\x0a\0\0\0", b"\x0a\0\0\x01")
TARGETS = ("64512:1", "64512:2")
TAPS = ("tap0", "tap1", "tap2")

mac = st.sampled_from(MACS)
ip = st.sampled_from(IPS)
peer = st.sampled_from(PEERS)
rd = st.sampled_from(("10.0.0.7:1", "10.0.0.8:1", "10.0.0.8:2"))
target = st.sampled_from(TARGETS)

step = st.one_of(
    st.tuples(st.just("attach"), st.sampled_from(TAPS), st.sampled_from(("red", "blue")), mac, ip, st.booleans()),
    st.tuples(st.just("detach"), st.sampled_from(TAPS)),
    st.tuples(st.just("define"), st.sampled_from(("red", "blue")), target, st.sampled_from((100, 200, None))),
    st.tuples(
        st.just("announce"),
        peer,
        rd,
        mac,
        ip,
        target,
        st.sampled_from((100, 555)),
        st.sampled_from(VTEPS),
        st.integers(0, 3),
        st.booleans(),
    ),
    st.tuples(st.just("withdraw"), peer, rd, mac, ip),
    st.tuples(st.just("flood"), peer, rd, target, st.sampled_from(VTEPS[:3])),
    st.tuples(st.just("unflood"), peer, rd, st.sampled_from(VTEPS[:3])),
    st.tuples(st.just("reset"), peer),
    st.tuples(st.just("leave"), peer),
    st.tuples(st.just("join"), peer),
    st.tuples(st.just("kill")),
    st.tuples(st.just("damage"), st.integers(0, 1000)),
    st.tuples(st.just("unlink"), st.sampled_from(TAPS)),
    st.tuples(st.just("link"), st.sampled_from(TAPS)),
    st.tuples(st.just("run"), st.sampled_from((0.0, 0.001, 0.1, 3.0, 40.0))),
)


class World:
    def __init__(self) -> None:
        self.fleet = Fleet()
        self.host = Host(
            settings_of(
                OURS,
                PEERS,
                stale_time=60.0,
                sync_time=60.0,
                duplicate_moves=3,
                duplicate_recovery=100.0,
                listen=True,
            )
        )
        for tap in TAPS[:2]:
            self.host.kernel.add_link(tap)
        self.peers: dict[str, Injector] = {}
        self.routes: dict[str, dict[tuple[int, bytes], Any]] = {address: {} for address in PEERS}

    def start(self) -> None:
        for address in PEERS:
            self.join(address)
        self.fleet.add(self.host)

    # ---- steps

    def attach(self, tap: str, instance: str, mac: bytes, ip: bytes, sticky: bool) -> None:
        from hornpipe.net.ip import Address
        from hornpipe.net.mac import Mac

        addresses = (str(Address(ip)),) if ip else ()
        port = PortSpec(
            name=tap, instance=instance, interface=tap, mac=str(Mac(mac)), addresses=addresses, sticky=sticky
        )
        self.host.running.attach("ports", None, port, self.fleet.now)

    def detach(self, tap: str) -> None:
        self.host.running.detach("ports", tap, self.fleet.now)

    def define(self, name: str, target: str, vni: int | None) -> None:
        engine = self.host.running
        old = engine.sources.get("instances", SourceSpec())
        spec = InstanceSpec(name=name, import_rts=(target,), export_rts=(target,), vni=vni)
        others = tuple(one for one in old.instances if one.name != name)
        engine.put_source("instances", SourceSpec(instances=(*others, spec)), self.fleet.now)

    def announce(
        self, peer: str, rd: str, mac: bytes, ip: bytes, target: str, vni: int, vtep: bytes, seq: int, sticky: bool
    ) -> None:
        communities = [bytes(RouteTarget.parse(target)), extended.encapsulation(extended.VXLAN)]
        if seq or sticky:
            communities.append(extended.mac_mobility(seq, sticky))
        key = mac_ip_key(bytes(RouteDistinguisher.parse(rd)), mac, ip)
        self._announce(peer, key, mac_ip_payload(vni), build(local_pref=100, ext_communities=communities), vtep)

    def flood(self, peer: str, rd: str, target: str, vtep: bytes) -> None:
        communities = [bytes(RouteTarget.parse(target)), extended.encapsulation(extended.VXLAN)]
        attributes = build(local_pref=100, ext_communities=communities, pmsi=ingress_replication(100, vtep))
        self._announce(peer, multicast_key(bytes(RouteDistinguisher.parse(rd)), vtep), b"", attributes, vtep)

    def _announce(self, peer: str, key: bytes, payload: bytes, attributes: bytes, vtep: bytes) -> None:
        if peer in self.peers:
            self.peers[peer].announce(key, payload, attributes, vtep)

    def withdraw(self, peer: str, rd: str, mac: bytes, ip: bytes) -> None:
        self._withdraw(peer, mac_ip_key(bytes(RouteDistinguisher.parse(rd)), mac, ip))

    def unflood(self, peer: str, rd: str, vtep: bytes) -> None:
        self._withdraw(peer, multicast_key(bytes(RouteDistinguisher.parse(rd)), vtep))

    def _withdraw(self, peer: str, key: bytes) -> None:
        if peer in self.peers:
            self.peers[peer].withdraw(key)

    def reset(self, peer: str) -> None:
        self.fleet.network.reset(OURS, peer)

    def leave(self, peer: str) -> None:
        if peer in self.peers:
            self.fleet.remove(self.peers.pop(peer))

    def join(self, peer: str) -> None:
        """Back, with what it announced before it left."""
        if peer not in self.peers:
            self.peers[peer] = self.fleet.inject(peer, OURS)
            self.peers[peer].routes = self.routes[peer]

    def kill(self) -> None:
        self.fleet.kill(self.host)
        self.fleet.run(0.5)
        self.fleet.start(self.host)

    def damage(self, choice: int) -> None:
        kernel = self.host.kernel
        names = {link.index: name for name, link in kernel.links.items()}
        ways: list[Callable[[], object]] = []
        ways += [lambda d=d, m=m: kernel.delete_fdb(names[d], m) for d, m in kernel.fdb]
        ways += [lambda d=d, m=m: kernel.replace_fdb(names[d], m, b"\x0a\0\0\x63") for d, m in kernel.fdb]
        ways += [lambda d=d, a=a: kernel.delete_neigh(names[d], a) for d, a in kernel.neigh]
        ways += [lambda d=d, m=m: kernel.delete_master(names[d], m) for d, m in kernel.bridge_fdb]
        ways += [
            lambda d=d, k=k: kernel.delete_flood(names[d], k[:-4], int.from_bytes(k[-4:], "big"))
            for d, k in sorted(kernel.flood)
        ]
        for name in [name for name in kernel.links if name.startswith("hp-")]:
            ways += [lambda n=name: kernel.delete_link(n), lambda n=name: kernel.set_up(n, False)]
        for name in [link.name for link in kernel.links.values() if link.master]:
            ways += [lambda n=name: kernel.set_master(n, None)]
        if ways:
            ways[choice % len(ways)]()

    def unlink(self, tap: str) -> None:
        if tap in self.host.kernel.links:
            self.host.kernel.delete_link(tap)

    def link(self, tap: str) -> None:
        if tap not in self.host.kernel.links:
            self.host.kernel.add_link(tap)

    def run(self, seconds: float) -> None:
        self.fleet.run(seconds)

    # ---- the end

    def fresh(self) -> World:
        """A start with the final input."""
        world = World()
        world.host.kernel = type(self.host.kernel)()
        for tap in TAPS:
            if tap in self.host.kernel.links:
                world.host.kernel.add_link(tap)
        world.host.stored = self.host.stored
        world.fleet.add(world.host)
        for address, injector in self.peers.items():
            world.routes[address] = dict(injector.routes)
            world.join(address)
        return world


def forwarding(world: World) -> dict[str, Any]:
    return world.host.kernel.snapshot()


def expected_fdb(world: World) -> dict[tuple[str, bytes], bytes]:
    """By hand: where each MAC without a station here goes, from the peers' routes as they are now."""
    engine = world.host.running
    expected: dict[tuple[str, bytes], bytes] = {}
    for instance in engine.edge.instances.values():
        claims: dict[bytes, list[tuple[bool, int, bytes]]] = {}
        for key, _ in engine.rib.routes(EVPN):
            path = engine.rib.candidates(EVPN, key)[0]
            ours = path.next_hop == b"\x0a\0\0\x01"  # of another instance here if local, else of nobody
            if key[0] != 2 or key[1:9] == instance.rd or (ours and not path.source.local):
                continue
            if instance.domain.import_rts & set(path.attributes.route_targets):
                claim = (not path.attributes.sticky, -path.attributes.mobility, path.next_hop)
                claims.setdefault(key[14:20], []).append(claim)
        for station, found in claims.items():
            if station not in instance.stations:
                expected[(instance.devices.vxlan, station)] = min(found)[2]
    return expected


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, max_size=40))
def test_any_history_ends_as_a_fresh_start(history: list[tuple[Any, ...]]) -> None:
    world = World()
    world.start()
    world.define("red", "64512:1", 100)
    world.define("blue", "64512:2", 200)
    world.run(5.0)
    for name, *arguments in history:
        try:
            getattr(world, name)(*arguments)
        except Refused:
            continue  # a conflict: nothing has changed, and the history goes on
    world.run(SETTLE)
    fresh = world.fresh()
    fresh.run(SETTLE)
    assert forwarding(world) == forwarding(fresh)
    found = {key: value[0] for key, value in forwarding_fdb(world).items()}
    for key, vtep in expected_fdb(world).items():
        assert found[key] == vtep
    assert not list(world.host.running.entries(status="error"))


def forwarding_fdb(world: World) -> dict[tuple[str, bytes], tuple[bytes, int, bool]]:
    return forwarding(world)["fdb"]


@pytest.mark.parametrize("order", [("tap0", "tap1"), ("tap1", "tap0")])
def test_order_of_attach_does_not_matter(order: tuple[str, str]) -> None:
    world = World()
    world.start()
    world.define("red", "64512:1", 100)
    for tap in order:
        world.attach(tap, "red", MACS[TAPS.index(tap)], IPS[1 + TAPS.index(tap)], False)
    world.run(5.0)
    assert world.host.kernel.snapshot()["master"] == {("hp-br100", MACS[0]): "tap0", ("hp-br100", MACS[1]): "tap1"}
