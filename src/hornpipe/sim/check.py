"""What must be true of the whole world when it is quiet: everything that should be there, and nothing else.

It is worked out from the inventory alone. A host's kernel has the FDB, flood list, neighbours and local addresses of
the broadcast domains it is in, and the routes of the routed instances (`routed_check`); its RIB has routes of those
instances and no others; a reflector has one route a MAC, a membership and a prefix; every station has one owner, on
which all agree; all sessions are up.

`Look` looks again only at machines at which something has happened, until all of those are right; then at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri.vpn import prefix4, prefix6
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.sim import routed_check
from hornpipe.sim.host import Host
from hornpipe.sim.inventory import Inventory, Station, is_routed
from hornpipe.sim.world import World

MAC_IP, IP_PREFIX = 2, 5
"""Types of E-VPN routes."""
SHOWN = 5
BYTES: dict[int, Callable[[bytes], object]] = {5: Prefix, 6: Mac, 17: Prefix}
"""What keys of that length are; others are addresses."""


class Census:
    """The inventory by instance, read once for a look at all hosts."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.stations: dict[int, list[tuple[Station, str]]] = {}
        """VNI -> station, where it is."""
        for (vni, _), station in inventory.stations.items():
            owner = inventory.owner(vni, station.mac)
            if owner is not None:
                self.stations.setdefault(vni, []).append((station, owner))

    def expected(self, host: str) -> dict[str, dict[Any, Any]]:
        """Kind -> key -> value, as `found` reads it from a kernel."""
        fdb: dict[Any, Any] = {}
        flood: dict[Any, Any] = {}
        neigh: dict[Any, Any] = {}
        local: dict[Any, Any] = {}
        links: dict[Any, Any] = {}
        rows = {"FDB": fdb, "flood": flood, "neighbour": neigh, "local": local, "device": links, **routed_check.empty()}
        for vni in self.inventory.instances_of(host):
            if is_routed(vni):
                routed_check.expect(rows, vni, host, self.stations.get(vni, ()))
                continue
            links[f"hp-br{vni}"] = links[f"hp-vx{vni}"] = True
            flood.update({(vni, other): True for other in self.inventory.members[vni] if other != host})
            for station, owner in self.stations.get(vni, ()):
                if owner == host:
                    local[(vni, station.mac)] = station.interface
                else:
                    fdb[(vni, station.mac)] = owner
                    neigh[(vni, station.ip)] = station.mac
        return rows

    def routes(self, host: str) -> set[tuple[bytes, bytes]]:
        """(the PE's router id; MAC, prefix or nothing for a membership) of the routes in the instances of a host."""
        return {pair for vni in self.inventory.instances_of(host) for pair in self._routes_in(vni)}

    def all_routes(self) -> set[tuple[bytes, bytes]]:
        return {pair for vni in self.inventory.members for pair in self._routes_in(vni)}

    def _routes_in(self, vni: int) -> Iterator[tuple[bytes, bytes]]:
        if is_routed(vni):
            for station, owner in self.stations.get(vni, ()):
                yield from ((bytes(Address.parse(owner)), prefix) for prefix in station.prefixes)
            return
        for member in self.inventory.members.get(vni, ()):
            yield bytes(Address.parse(member)), b""
        for station, owner in self.stations.get(vni, ()):
            yield bytes(Address.parse(owner)), station.mac


def found(host: Host, kernel_of: Callable[[str], DummyKernel | None]) -> dict[str, dict[Any, Any]]:
    """What a kernel has, with VNIs for devices."""
    kernel = host.kernel
    names = {link.index: link.name for link in kernel.links.values()}
    ours = {index: int(name[5:]) for index, name in names.items() if name.startswith(("hp-br", "hp-vx"))}
    vnis = {index: vni for index, vni in ours.items() if not is_routed(vni)}
    rows: routed_check.Rows = {
        "FDB": {
            (vnis[index], mac): str(Address(value[0])) for (index, mac), value in kernel.fdb.items() if index in vnis
        },
        "flood": {(ours[index], str(Address(key[:-4]))): True for index, key in kernel.flood},
        "neighbour": {(vnis[index], ip): value[0] for (index, ip), value in kernel.neigh.items() if index in vnis},
        "local": {
            (ours[bridge], mac): names[port]
            for (bridge, mac), (port, _) in kernel.bridge_fdb.items()
            if port not in ours
        },
        "device": {link.name: True for link in kernel.links.values() if link.name.startswith("hp-") and not link.table},
        **routed_check.empty(),
    }
    routed_check.find(rows, kernel, kernel_of)
    return rows


def host_problems(census: Census, host: Host, kernel_of: Callable[[str], DummyKernel | None]) -> Iterator[str]:
    if host.engine is None:
        yield "does not run"
        return
    expected, have = census.expected(host.address), found(host, kernel_of)
    for kind, wanted in expected.items():
        yield from differences(kind, wanted, have[kind])
    yield from session_problems(host)
    yield from route_problems(host, census.routes(host.address))


def reflector_problems(census: Census, host: Host) -> Iterator[str]:
    if host.engine is None:
        yield "does not run"
        return
    yield from session_problems(host)
    yield from route_problems(host, census.all_routes())


def evpn_pair(key: bytes) -> tuple[bytes, bytes]:
    if key[0] == IP_PREFIX:
        return key[3:7], key[13:]
    return key[3:7], key[14:20] if key[0] == MAC_IP else b""


def session_problems(host: Host) -> Iterator[str]:
    for peer in host.running.peers():
        if peer.state != "ESTABLISHED" or peer.stale:
            yield f"peer {peer.peer} {peer.state}, {peer.stale} stale"


PAIRS: dict[int, Callable[[bytes], tuple[bytes, bytes]]] = {
    EVPN: evpn_pair,
    VPNV4: lambda key: (key[3:7], prefix4(key)),
    VPNV6: lambda key: (key[3:7], prefix6(key)),
}
"""Family -> (the PE's router id, what it has there) of a key."""


def routes_of(host: Host) -> set[tuple[bytes, bytes]]:
    tables = host.running.rib.tables
    return {pair(key) for family, pair in PAIRS.items() if family in tables for key in tables[family].entries}


def route_problems(host: Host, expected: set[tuple[bytes, bytes]]) -> Iterator[str]:
    have = routes_of(host)
    for which, pairs in (("lacks", expected - have), ("has a", have - expected)):
        for pe, what in sorted(pairs)[:SHOWN]:
            yield f"{which} route of {Address(pe)} for {text(what) if what else 'an instance'}"


def differences(kind: str, expected: dict[Any, Any], have: dict[Any, Any]) -> Iterator[str]:
    if expected == have:
        return
    for key in sorted(expected.keys() | have.keys())[: 1 << 20]:
        if expected.get(key) != have.get(key):
            yield f"{kind} {text(key)} is {text(have.get(key))}, not {text(expected.get(key))}"


def text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(text, value))
    if isinstance(value, bytes):
        return str(BYTES.get(len(value), Address)(value))
    return str(value)


def problems_at(world: World, census: Census, address: str) -> Iterator[str]:
    host = world.host(address)
    if address in world.reflectors:
        yield from reflector_problems(census, host)
    else:
        yield from host_problems(census, host, world.kernel_of)


def problems(world: World) -> Iterator[str]:
    """All of them, one a line; nothing: the world is as it should be."""
    census = Census(world.inventory)
    for address in world.machines:
        for problem in problems_at(world, census, address):
            yield f"{address}: {problem}"


def is_right(world: World) -> bool:
    return next(problems(world), None) is None


class Look:
    """Looks that follow each other: machines that were right, and at which nothing has happened since, can wait until
    all the others are. What this finds right, `is_right` finds right."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._right: set[str] = set()

    def is_right(self) -> bool:
        world, census = self.world, Census(self.world.inventory)
        self._right -= world.take_stirred()
        for address in world.machines:
            if address not in self._right:
                if any(problems_at(world, census, address)):
                    return False
                self._right.add(address)
        for address in world.machines:
            if any(problems_at(world, census, address)):
                self._right.discard(address)
                return False
        return True
