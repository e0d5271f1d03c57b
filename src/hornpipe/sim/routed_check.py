"""What routed instances have in a quiet world: each route leads to where its prefix is, and what is sent arrives there.

A route is followed to its end, through the far kernel: the label or the router's MAC that it is sent with must come out
in the same instance there. What it is sent over (tunnels, neighbours, labels, L3 VNIs) is there, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.nexthop import UNREACHABLE
from hornpipe.net.ip import Address
from hornpipe.sim.inventory import Station, is_routed, transport
from hornpipe.sim.ways import GRE, NOWHERE, UDP, arrives, by_index, end, instance_of, is_port, ones, tables

Rows = dict[str, dict[Any, Any]]
"""Kind -> key -> value."""
KINDS = ("route", "port", "VRF", "label", "router", "tunnel")
FORMS = 2
"""A gateway is a neighbour for IPv4 routes and, mapped, for IPv6 ones."""


def empty() -> Rows:
    return {kind: {} for kind in KINDS}


def expect(rows: Rows, vni: int, host: str, stations: Iterable[tuple[Station, str]]) -> None:
    """One instance of a host into `rows`; `stations` are those in it, each with where it is."""
    carried, links = transport(vni), rows["device"]
    rows["VRF"][vni] = True
    if carried == "vxlan":
        links[f"hp-br{vni}"] = links[f"hp-vx{vni}"] = True
    else:
        rows["label"][vni] = 1
    if carried == "mpls-gre":
        links[GRE] = True
    for station, owner in stations:
        here = owner == host
        rows["route"].update(
            dict.fromkeys([(vni, key) for key in station.prefixes], station.interface if here else owner)
        )
        if here:
            rows["port"][station.interface] = vni, ((station.ip, station.mac), (station.ip6, station.mac))
        elif carried == "vxlan":
            rows["router"][(vni, owner)] = FORMS
        elif carried == "mpls-gre":
            rows["tunnel"][owner] = True
        else:
            links[UDP + bytes(Address.parse(owner)).hex()] = True


def find(rows: Rows, kernel: DummyKernel, kernel_of: Callable[[str], DummyKernel | None]) -> None:
    """The same of a kernel as it is; `kernel_of` is that of another host."""
    links, numbers = by_index(kernel), tables(kernel)
    routing = kernel.routing
    rows["VRF"].update({numbers[table]: True for table in routing.defaults if table in numbers})
    for (table, key), number in routing.routes.items():
        vni = numbers.get(table, 0)
        if (table, key) in routing.foreign:
            continue  # not ours to delete, even when the VRF goes: wrong only where ours, which it replaced, is missed
        if number == UNREACHABLE:
            rows["route"][(vni, key)] = "unreachable"
        else:
            found = [_destination(one, vni, kernel, links, kernel_of) for one in ones(number, routing.nexthops)]
            rows["route"][(vni, key)] = " ".join(sorted(found))
    for link in kernel.links.values():
        vni = instance_of(links.get(link.master))
        if is_port(link.name) and is_routed(vni):
            neighbours = kernel.devices.neighbours.get(link.name, {})
            rows["port"][link.name] = vni, tuple(sorted(neighbours.items(), key=lambda one: (len(one[0]), one)))
    for index, _ in routing.labels.values():
        vni = instance_of(links.get(index))
        rows["label"][vni] = rows["label"].get(vni, 0) + 1
    _routers(rows, kernel)


def _destination(one: Any, vni: int, kernel: DummyKernel, links: Any, kernel_of: Any) -> str:
    where = end(one, links)
    far = kernel_of(where)
    if is_port(where):
        return where
    if far is None or arrives(one, kernel, links, far) != vni:
        return f"{where}, where it does not arrive"
    return where


def _routers(rows: Rows, kernel: DummyKernel) -> None:
    """Neighbours that routes lead over, by what is behind them."""
    names = {link.index: link.name for link in kernel.links.values()}
    vteps: dict[tuple[int, bytes], str] = {}
    for (index, mac), value in kernel.fdb.items():
        vni = int(names[index][5:])
        if is_routed(vni):
            vteps[(vni, mac)] = str(Address(value[0]))
            rows["router"].setdefault((vni, vteps[(vni, mac)]), 0)
    for (index, key), (mac, _) in kernel.neigh.items():
        if names[index] == GRE:
            rows["tunnel"][str(Address(mac))] = mac == key
        elif is_routed(vni := int(names[index][5:])):
            at = vni, vteps.get((vni, mac), NOWHERE)
            rows["router"][at] = rows["router"].get(at, 0) + 1
