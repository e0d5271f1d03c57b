"""As `test_convergence`, for routed instances: whatever happened, the kernel ends as after a fresh start.

Hypothesis makes histories of ports, instances, VPN and type 5 routes, ways through the underlay, sessions lost, daemons
killed and kernels damaged. An independent check works out by hand where remote prefixes must lead to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri.evpn import IpPrefix, mac_ip_key, mac_ip_payload
from hornpipe.bgp.nlri.labelled import label_payload
from hornpipe.bgp.nlri.next_hop import next_hop_field
from hornpipe.bgp.nlri.vpn import vpn_key
from hornpipe.forwarding.underlay import Way
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.sim.fleet import FAMILIES, Fleet, settings_of
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector
from hornpipe.vpn.spec import InstanceSpec, PortSpec, ReadvertiseSpec, Refused, SourceSpec

OURS = "10.0.0.1"
PEERS = ("10.0.0.7", "10.0.0.8")
SETTLE = 400.0
TARGETS = ("64512:1", "64512:2")
TAPS = ("tap0", "tap1", "tap2")
ROUTERS = ("red", "blue")
VTEPS = (b"\x0a\0\0\x07", b"\x0a\0\0\x08", b"\x0a\0\0\x01")
PREFIXES = ("10.1.0.1/32", "10.2.0.0/16", "0.0.0.0/0", "2001:db8::/64", "10.5.0.5/32", "10.5.0.0/24")
ENCAPSULATIONS = (("mpls-gre",), ("vxlan",), ("mpls", "vxlan"), ("vxlan", "mpls-gre", "mpls-udp"))
OFFERS = ((), (2,), (13,), (10, 11))

tap = st.sampled_from(TAPS)
router = st.sampled_from(ROUTERS)
peer = st.sampled_from(PEERS)
rd = st.sampled_from(("10.0.0.7:1", "10.0.0.8:1", "10.0.0.8:2"))
target = st.sampled_from(TARGETS)
prefix = st.sampled_from(PREFIXES)
vtep = st.sampled_from(VTEPS)
number = st.sampled_from((100, 200))
vni = st.sampled_from((5000, 6000))

step = st.one_of(
    st.tuples(
        st.just("attach"),
        tap,
        router,
        st.sampled_from((("10.1.0.1/24",), ("10.1.0.2/24", "2001:db8::2/64"), ())),
        st.sampled_from((None, 50, 200)),
        st.booleans(),
        st.sampled_from(("both", "from-port", "to-port")),
    ),
    st.tuples(st.just("attach_lan"), tap, st.sampled_from(("10.5.0.5", "10.5.0.6"))),
    st.tuples(st.just("attach_door"), router),
    st.tuples(st.just("detach"), st.sampled_from((*TAPS, "door"))),
    st.tuples(
        st.just("define"),
        router,
        target,
        target,
        st.sampled_from(ENCAPSULATIONS),
        st.sampled_from(("per-instance", "per-port")),
        st.booleans(),
        st.sampled_from((None, 5000, 7000)),
    ),
    st.tuples(
        st.just("define_lan"), st.sampled_from((None, "red", "blue")), st.sampled_from(("symmetric", "asymmetric"))
    ),
    st.tuples(st.just("undefine"), st.sampled_from((*ROUTERS, "lan"))),
    st.tuples(
        st.just("vpn"), peer, rd, prefix, target, number, vtep, st.sampled_from(OFFERS), st.sampled_from((100, 200))
    ),
    st.tuples(st.just("type5"), peer, rd, prefix, target, vni, vtep, st.sampled_from((None, "10.5.0.6"))),
    st.tuples(st.just("station"), peer, rd, st.sampled_from(("10.5.0.5", "10.5.0.6")), target, vtep, st.integers(0, 2)),
    st.tuples(st.just("withdraw"), peer, st.integers(0, 20)),
    st.tuples(st.just("way"), vtep, st.sampled_from(("tap0", "eth0", None))),
    st.tuples(st.just("reset"), peer),
    st.tuples(st.just("leave"), peer),
    st.tuples(st.just("join"), peer),
    st.tuples(st.just("kill")),
    st.tuples(st.just("damage"), st.integers(0, 1000)),
    st.tuples(st.just("unlink"), tap),
    st.tuples(st.just("link"), tap),
    st.tuples(st.just("run"), st.sampled_from((0.0, 0.001, 0.1, 3.0, 40.0))),
)


def packed(text: str) -> bytes:
    return bytes(Address.parse(text))


class World:
    def __init__(self) -> None:
        self.fleet = Fleet()
        self.host = Host(settings_of(OURS, PEERS, stale_time=60.0, sync_time=60.0, listen=True))
        for name in (*TAPS[:2], "eth0", "lo"):
            self.host.kernel.add_link(name)
        self.peers: dict[str, Injector] = {}
        self.routes: dict[str, dict[tuple[int, bytes], Any]] = {address: {} for address in PEERS}

    def start(self) -> None:
        for address in PEERS:
            self.join(address)
        self.fleet.add(self.host)

    # ---- what clients ask for

    def attach(
        self, tap: str, router: str, addresses: tuple[str, ...], pref: int | None, subnet: bool, direction: str
    ) -> None:
        port = PortSpec(
            name=tap,
            instance=router,
            interface=tap,
            mac="02:00:00:00:00:01",
            addresses=addresses,
            gateway=("10.1.0.254",),
            local_pref=pref,
            advertise_subnet=subnet,
            routes=("10.2.0.0/16",) if addresses and not subnet else (),
            direction=direction,  # type: ignore[arg-type]
        )
        self.host.running.attach("ports", None, port, self.fleet.now)

    def attach_lan(self, tap: str, address: str) -> None:
        mac = f"02:00:00:00:05:0{address[-1]}"
        port = PortSpec(name=tap, instance="lan", interface=tap, mac=mac, addresses=(address,))
        self.host.running.attach("ports", None, port, self.fleet.now)

    def attach_door(self, router: str) -> None:
        port = PortSpec(
            name="door",
            instance=router,
            evpn="lan",
            mac="02:00:00:00:05:05",
            addresses=("10.5.0.5",),
            gateway=("10.5.0.254",),
        )
        self.host.running.attach("ports", None, port, self.fleet.now)

    def detach(self, port: str) -> None:
        self.host.running.detach("ports", port, self.fleet.now)

    def define(
        self,
        name: str,
        imports: str,
        exports: str,
        encapsulations: Any,
        labels: Any,
        readvertise: bool,
        vni: int | None = None,
    ) -> None:
        chain = ReadvertiseSpec(from_rts=("64512:1",), to_rts=("64512:3",)) if readvertise else None
        spec = InstanceSpec(
            name=name,
            type="ipvpn",
            import_rts=(imports,),
            export_rts=(exports,),
            encapsulations=encapsulations,
            label_mode=labels,
            vni=vni,
            readvertise=chain,
        )
        self._define(spec)

    def define_lan(self, vrf: str | None, irb: Any) -> None:
        gateways = ("10.5.0.254/24",) if vrf is not None else ()
        spec = InstanceSpec(
            name="lan", vni=100, import_rts=("64512:9",), export_rts=("64512:9",), vrf=vrf, irb=irb, gateways=gateways
        )
        self._define(spec)

    def _define(self, spec: InstanceSpec) -> None:
        old = self.host.running.sources.get("instances", SourceSpec())
        others = tuple(one for one in old.instances if one.name != spec.name)
        self.host.running.put_source("instances", SourceSpec(instances=(*others, spec)), self.fleet.now)

    def undefine(self, name: str) -> None:
        old = self.host.running.sources.get("instances", SourceSpec())
        others = tuple(one for one in old.instances if one.name != name)
        self.host.running.put_source("instances", SourceSpec(instances=others), self.fleet.now)

    # ---- what peers say

    def _announce(
        self, peer: str, family: int, key: bytes, payload: bytes, communities: list[bytes], vtep: bytes, pref: int = 100
    ) -> None:
        if peer in self.peers:
            attributes = build(local_pref=pref, ext_communities=communities)
            self.peers[peer].announce(key, payload, attributes, next_hop_field(family, vtep), family)

    def vpn(
        self, peer: str, rd: str, prefix: str, target: str, label: int, vtep: bytes, offers: tuple[int, ...], pref: int
    ) -> None:
        where = Prefix.parse(prefix)
        family = VPNV4 if where.version == 4 else VPNV6
        communities = [bytes(RouteTarget.parse(target)), *[extended.encapsulation(kind) for kind in offers]]
        key = vpn_key(RouteDistinguisher.parse(rd), where.length, where.address)
        self._announce(peer, family, key, label_payload(label), communities, vtep, pref)

    def type5(self, peer: str, rd: str, prefix: str, target: str, vni: int, vtep: bytes, gateway: str | None) -> None:
        where = Prefix.parse(prefix)
        via = Address.parse(gateway) if gateway is not None and where.version == 4 else None
        key, payload = IpPrefix(RouteDistinguisher.parse(rd), where, via, vni).encode()
        self._announce(peer, EVPN, key, payload, self._of_router(target, vtep), vtep)

    def station(self, peer: str, rd: str, ip: str, target: str, vtep: bytes, sequence: int) -> None:
        """A type 2 route with two labels."""
        key = mac_ip_key(RouteDistinguisher.parse(rd), b"\x02\0\0\0\x05" + packed(ip)[-1:], packed(ip))
        communities = [*self._of_router(target, vtep), bytes(RouteTarget.parse("64512:9"))]
        communities += [extended.mac_mobility(sequence)] if sequence else []
        self._announce(peer, EVPN, key, mac_ip_payload(100, 5000), communities, vtep)

    def _of_router(self, target: str, vtep: bytes) -> list[bytes]:
        mac = b"\x02\0" + vtep
        return [bytes(RouteTarget.parse(target)), extended.encapsulation(8), extended.router_mac(mac)]

    def withdraw(self, peer: str, choice: int) -> None:
        if peer in self.peers and self.peers[peer].routes:
            keys = sorted(self.peers[peer].routes)
            family, key = keys[choice % len(keys)]
            self.peers[peer].withdraw(key, family)

    # ---- faults

    def way(self, vtep: bytes, device: str | None) -> None:
        if device is None:
            self.host.kernel.underlay.pop(vtep, None)
        else:
            self.host.kernel.underlay[vtep] = Way(device, b"", 1500)

    def reset(self, peer: str) -> None:
        self.fleet.network.reset(OURS, peer)

    def leave(self, peer: str) -> None:
        if peer in self.peers:
            self.fleet.remove(self.peers.pop(peer))

    def join(self, peer: str) -> None:
        if peer not in self.peers:
            self.peers[peer] = self.fleet.inject(peer, OURS, FAMILIES)
            self.peers[peer].routes = self.routes[peer]

    def kill(self) -> None:
        self.fleet.kill(self.host)
        self.fleet.run(0.5)
        self.fleet.start(self.host)

    def damage(self, choice: int) -> None:
        kernel = self.host.kernel
        routing = kernel.routing
        names = {link.index: name for name, link in kernel.links.items()}
        ways: list[Callable[[], object]] = [routing.flush_nexthops]
        ways += [lambda t=t, k=k: routing.delete_route(t, k) for t, k in sorted(routing.routes)]
        ways += [lambda t=t: routing.flush_routes(t) for t in sorted(routing.defaults)]
        ways += [lambda k=k: routing.delete_label(k) for k in sorted(routing.labels)]
        ways += [lambda d=d, m=m: kernel.delete_fdb(names[d], m) for d, m in sorted(kernel.fdb)]
        ways += [lambda d=d, a=a: kernel.delete_neigh(names[d], a) for d, a in sorted(kernel.neigh)]
        for name in sorted(name for name in kernel.links if name.startswith("hp-")):
            ways += [lambda n=name: kernel.delete_link(n), lambda n=name: kernel.set_up(n, False)]
        for name in sorted(link.name for link in kernel.links.values() if link.master):
            ways += [lambda n=name: kernel.set_master(n, None)]
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
        world = World()
        world.host.kernel = type(self.host.kernel)()
        for name in (*TAPS, "eth0", "lo"):
            if name in self.host.kernel.links:
                world.host.kernel.add_link(name)
        world.host.kernel.underlay.update(self.host.kernel.underlay)
        world.host.stored = self.host.stored
        world.fleet.add(world.host)
        for address, injector in self.peers.items():
            world.routes[address] = dict(injector.routes)
            world.join(address)
        return world


def check_vpn_routes(world: World) -> None:
    """By hand: a prefix that only one usable VPN route has, and nothing here, leads to that route's next hop."""
    engine = world.host.running
    routes = world.host.kernel.snapshot()["routes"]
    for edge in engine.edge.routers.values():
        found: dict[bytes, list[tuple[bytes, int]]] = {}
        for row in engine.routes():
            if row.best and edge.key in row.imported_by:
                prefix = bytes(Prefix.parse(row.prefix or f"{row.ip}/32"))
                found.setdefault(prefix, []).append((packed(row.next_hop), row.label[-1]))
        for prefix, ways in found.items():
            if len(ways) > 1 or prefix in edge.local.ways or ways[0][0] == packed(OURS):
                continue
            way = world.host.kernel.underlay.get(ways[0][0][-4:])
            if way is not None and way.device not in world.host.kernel.links:
                continue  # the route waits for the interface
            words = routes[(edge.devices.table, prefix)]
            assert len(words) == 1, words


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, max_size=40))
def test_any_history_ends_as_a_fresh_start(history: list[tuple[Any, ...]]) -> None:
    world = World()
    world.start()
    world.define("red", "64512:1", "64512:1", ("vxlan", "mpls-gre"), "per-instance", False)
    world.define("blue", "64512:2", "64512:2", ("mpls-gre",), "per-instance", False)
    world.define_lan("red", "symmetric")
    world.run(5.0)
    for name, *arguments in history:
        try:
            getattr(world, name)(*arguments)
        except Refused:
            continue
    world.run(SETTLE)
    fresh = world.fresh()
    fresh.run(SETTLE)
    assert world.host.kernel.snapshot() == fresh.host.kernel.snapshot()
    check_vpn_routes(world)
    assert not list(world.host.running.entries(status="error"))
