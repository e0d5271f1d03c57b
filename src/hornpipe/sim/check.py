"""What must be true of the whole world when it is quiet: everything that should be there, and nothing else.

It is worked out from the inventory alone. A host's kernel has the FDB, flood list, neighbours and local addresses of
the instances it is in; its RIB has routes of those and no others; a reflector has one route a station and one a
membership; every station has one owner, on which all agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hornpipe.bgp.family import EVPN
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.sim.host import Host
from hornpipe.sim.inventory import Inventory, Station
from hornpipe.sim.world import World

MAC_IP = 2
SHOWN = 5


class Census:
    """The inventory by instance, read once for a look at all hosts."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.stations: dict[int, list[tuple[Station, str]]] = {}
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
        for vni in self.inventory.instances_of(host):
            links[f"hp-br{vni}"] = links[f"hp-vx{vni}"] = True
            flood.update({(vni, other): True for other in self.inventory.members[vni] if other != host})
            for station, owner in self.stations.get(vni, ()):
                if owner == host:
                    local[(vni, station.mac)] = station.interface
                else:
                    fdb[(vni, station.mac)] = owner
                    neigh[(vni, station.ip)] = station.mac
        return {"FDB": fdb, "flood": flood, "neighbour": neigh, "local": local, "device": links}

    def routes(self, host: str) -> set[tuple[bytes, bytes]]:
        """(the PE's router id, MAC or nothing for a membership) of the routes in the instances of a host."""
        return {pair for vni in self.inventory.instances_of(host) for pair in self._routes_in(vni)}

    def all_routes(self) -> set[tuple[bytes, bytes]]:
        return {pair for vni in self.inventory.members for pair in self._routes_in(vni)}

    def _routes_in(self, vni: int) -> Iterator[tuple[bytes, bytes]]:
        for member in self.inventory.members.get(vni, ()):
            yield bytes(Address.parse(member)), b""
        for station, owner in self.stations.get(vni, ()):
            yield bytes(Address.parse(owner)), station.mac


def found(host: Host) -> dict[str, dict[Any, Any]]:
    """What a kernel has, with VNIs for devices."""
    kernel = host.kernel
    vnis = {link.index: int(link.name[5:]) for link in kernel.links.values() if link.name.startswith("hp-")}
    names = {link.index: link.name for link in kernel.links.values()}
    return {
        "FDB": {(vnis[index], mac): str(Address(value[0])) for (index, mac), value in kernel.fdb.items()},
        "flood": {(vnis[index], str(Address(key[:-4]))): True for index, key in kernel.flood},
        "neighbour": {(vnis[index], ip): value[0] for (index, ip), value in kernel.neigh.items()},
        "local": {
            (vnis[bridge], mac): names[port]
            for (bridge, mac), (port, _) in kernel.bridge_fdb.items()
            if port not in vnis
        },
        "device": {name: True for name in kernel.links if name.startswith("hp-")},
    }


def host_problems(census: Census, host: Host) -> Iterator[str]:
    if host.engine is None:
        yield "does not run"
        return
    expected, have = census.expected(host.address), found(host)
    for kind, wanted in expected.items():
        yield from differences(kind, wanted, have[kind])
    yield from session_problems(host)
    yield from route_problems(host, census.routes(host.address))


def reflector_problems(census: Census, host: Host) -> Iterator[str]:
    if host.engine is None:
        yield "does not run"
        return
    yield from route_problems(host, census.all_routes())


def session_problems(host: Host) -> Iterator[str]:
    for peer in host.running.peers():
        if peer.state != "ESTABLISHED" or peer.stale:
            yield f"peer {peer.peer} {peer.state}, {peer.stale} stale"


def route_problems(host: Host, expected: set[tuple[bytes, bytes]]) -> Iterator[str]:
    table = host.running.rib.tables.get(EVPN)
    have = {(key[3:7], key[14:20] if key[0] == MAC_IP else b"") for key in (table.entries if table is not None else ())}
    for which, pairs in (("lacks", expected - have), ("has a", have - expected)):
        for pe, mac in sorted(pairs)[:SHOWN]:
            yield f"{which} route of {Address(pe)} for {Mac(mac) if mac else 'an instance'}"


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
        return str(Mac(value)) if len(value) == 6 else str(Address(value))
    return str(value)


def problems(world: World) -> Iterator[str]:
    """All of them, one a line; nothing: the world is as it should be."""
    census = Census(world.inventory)
    for address in world.hosts:
        for problem in host_problems(census, world.host(address)):
            yield f"{address}: {problem}"
    for address in world.reflectors:
        for problem in reflector_problems(census, world.host(address)):
            yield f"{address}: {problem}"


def is_right(world: World) -> bool:
    return next(problems(world), None) is None
