"""Reading the kernel: all of it once at start, links and addresses again when events were lost."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.closing import scan_closed
from hornpipe.dataplane.linux.mirror import as_link, as_nexthop, route_nexthop
from hornpipe.dataplane.linux.rule import scan_rules
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Scan
from hornpipe.forwarding.entry import ALIAS
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import FIRST, LAST
from hornpipe.forwarding.table import ROUTE_METRIC, flood_key
from hornpipe.netlink import address, link, mpls, neigh, netconf, nexthop, route
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.neigh import Neigh
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    AF_MPLS,
    NTF_ROUTER,
    NUD_NOARP,
    PROTOCOL,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETNETCONF,
    RTM_GETNEXTHOP,
    RTM_GETROUTE,
)

_ATTEMPTS = 5


def scan_links(sock: RouteSocket) -> Scan:
    """Links and addresses, read again if the kernel changed them meanwhile; in the end events tell the rest."""
    for _ in range(_ATTEMPTS):
        scan, interrupted = _scan_links(sock)
        if not interrupted:
            break
    scan.rules = scan_rules(sock)
    scan.closed = scan_closed(sock)
    return scan


def _scan_links(sock: RouteSocket) -> tuple[Scan, bool]:
    scan = Scan()
    for data, start, end in sock.dump(RTM_GETLINK, link.dump()):
        scan.links.append(as_link(LinkMessage(data, start, end)))
    interrupted = sock.interrupted
    for data, start, end in sock.dump(RTM_GETADDR, address.address_dump()):
        index, packed, length = address.parse_address(data, start, end)
        if packed:
            scan.addresses.append((index, (packed, length)))
    return scan, interrupted or sock.interrupted


def scan_all(sock: RouteSocket) -> Scan:
    """The FDB is read only of bridges that have a VXLAN device of ours: a dump's cost grows with the square."""
    scan = scan_links(sock)
    names = {found.index: found for found in scan.links}
    ours = {found.index for found in scan.links if found.kind == "vxlan" and found.alias.startswith(ALIAS)}
    for bridge in {names[index].master for index in ours} & names.keys():
        _scan_bridge(sock, scan, names, ours, names[bridge])
    for family in (AF_INET, AF_INET6):
        for entry in _entries(sock, neigh.neigh_dump(family)):
            if entry.protocol == PROTOCOL and entry.is_marked and entry.index in names:
                value = (entry.lladdr, bool(entry.flags & NTF_ROUTER)) if entry.state == NUD_NOARP else None
                scan.tables.setdefault(("neigh", names[entry.index].name), {})[entry.dst] = value
    _scan_routes(sock, scan)
    if sysctl.read("mpls/platform_labels") is not None:
        _scan_labels(sock, scan, names)
    return scan


def _scan_routes(sock: RouteSocket, scan: Scan) -> None:
    """Our nexthops and routes."""
    try:
        for data, start, end in sock.dump(RTM_GETNEXTHOP, nexthop.nexthop_dump()):
            found = nexthop.Nexthop(data, start, end)
            if found.protocol == PROTOCOL or FIRST <= found.number <= LAST:
                scan.nexthops[found.number] = as_nexthop(found)
    except Failure as failure:
        if failure.number != errno.EOPNOTSUPP:  # older than Linux 5.3
            raise
    for family in (AF_INET, AF_INET6):
        for data, start, end in sock.dump(RTM_GETROUTE, route.route_dump(family, PROTOCOL)):
            entry = route.Route(data, start, end)
            if entry.metric == ROUTE_METRIC:
                scan.routes.setdefault(entry.table, {})[entry.key] = route_nexthop(entry)


def _scan_labels(sock: RouteSocket, scan: Scan, names: dict[int, Link]) -> None:
    for data, start, end in sock.dump(RTM_GETROUTE, mpls.label_dump(PROTOCOL)):
        entry = mpls.LabelRoute(data, start, end)
        if data[start] == AF_MPLS and entry.protocol == PROTOCOL:
            device = names.get(entry.index)
            value = (device.name, entry.gateway) if device is not None and not entry.out else None
            scan.tables.setdefault(("mpls", ""), {})[entry.label] = value
    for data, start, end in sock.dump(RTM_GETNETCONF, netconf.mpls_dump()):
        found = netconf.parse_mpls(data, start, end)
        if found is not None and found[1] and found[0] > 0:
            scan.mpls_input.append(found[0])


def _scan_bridge(sock: RouteSocket, scan: Scan, names: dict[int, Link], ours: set[int], bridge: Link) -> None:
    on_bridge: set[tuple[int, bytes]] = set()
    on_device: dict[tuple[int, bytes], tuple[bytes, int, bool]] = {}
    for entry in _entries(sock, neigh.fdb_dump(bridge.index)):
        if entry.index not in names:
            continue
        port = names[entry.index].name
        if entry.is_permanent and not entry.is_self:
            if entry.master == bridge.index:
                scan.permanent.append((bridge.name, entry.index, entry.lladdr))
            continue
        if entry.index in ours:
            # The device is marked and learns nothing, so what is on it is ours, also if somebody took the mark off.
            if not entry.is_self:
                if not entry.vlan:
                    on_bridge.add((entry.index, entry.lladdr))
            elif any(entry.lladdr):
                on_device[(entry.index, entry.lladdr)] = (entry.dst, entry.vni, entry.is_sticky)
            else:
                scan.tables.setdefault(("flood", port), {})[flood_key(entry.dst, entry.vni)] = True
        elif not entry.is_self and entry.is_marked and not entry.vlan and entry.master == bridge.index:
            scan.tables.setdefault(("local", bridge.name), {})[entry.lladdr] = port
        elif _is_learnt(entry, bridge.index):
            scan.learnt.append((bridge.name, port, entry.lladdr))
    for place in on_bridge | on_device.keys():
        table = scan.tables.setdefault(("fdb", names[place[0]].name), {})
        table[place[1]] = on_device.get(place) if place in on_bridge else None


def _entries(sock: RouteSocket, question: bytes) -> Iterator[Neigh]:
    for data, start, end in sock.dump(RTM_GETNEIGH, question):
        yield Neigh(data, start, end)


def _is_learnt(entry: Neigh, bridge: int) -> bool:
    return not entry.is_self and not entry.is_permanent and not entry.is_marked and entry.master == bridge


def scan_learnt(sock: RouteSocket, bridges: Sequence[str], links: Sequence[Link]) -> list[tuple[str, str, bytes]]:
    """MACs that the kernel learnt on these bridges."""
    names = {found.index: found.name for found in links}
    found: list[tuple[str, str, bytes]] = []
    for bridge in links:
        if bridge.name in bridges and bridge.kind == "bridge":
            found += [
                (bridge.name, names[entry.index], entry.lladdr)
                for entry in _entries(sock, neigh.fdb_dump(bridge.index))
                if _is_learnt(entry, bridge.index) and entry.index in names
            ]
    return found
