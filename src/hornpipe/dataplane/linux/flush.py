"""Taking everything that is marked ours out of the kernel."""

from __future__ import annotations

from hornpipe.dataplane.linux.entries import Entries
from hornpipe.dataplane.linux.namespace import Lent
from hornpipe.dataplane.linux.rule import remove_rules
from hornpipe.dataplane.linux.scan import scan_all
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results, Scan
from hornpipe.forwarding.entry import ALIAS, PORT_ALIAS
from hornpipe.forwarding.table import ROUTE_METRIC
from hornpipe.netlink import mpls, neigh, nexthop, route

_LAST = ("bridge", "vrf")
"""Devices that others are on."""


def flush_ours(sock: RouteSocket) -> int:
    """Routes, labels and nexthops are deleted, ports released, entries on devices that stay deleted, then our devices;
    returns how many devices."""
    entries = Entries(sock, Lent())
    try:
        return _flush(sock, entries)
    finally:
        entries.close()


def _flush(sock: RouteSocket, entries: Entries) -> int:
    scan, results = scan_all(sock), Results()
    _flush_routes(sock, scan)
    by_name = {found.name: found for found in scan.links}
    for port in scan.links:
        if port.alias.startswith(PORT_ALIAS):
            entries.remove_stray(port, results)
    for (kind, device), found in scan.tables.items():
        holder = by_name.get(device)
        if holder is None or holder.alias.startswith(ALIAS):
            continue
        if kind == "neigh":
            sock.bulk(neigh.neigh_deletes(holder.index, dict.fromkeys(found, 0), 1), 1)
        elif kind == "local":
            ports = {mac: by_name[port].index for mac, port in found.items()}
            sock.bulk(neigh.local_deletes(ports, 1), 1)
    ours = [found for found in scan.links if found.alias.startswith(ALIAS)]
    for mine in sorted(ours, key=lambda mine: _LAST.index(mine.kind) if mine.kind in _LAST else -1):
        entries.remove_stray(mine, results)
    remove_rules(sock)
    return len(ours)


def _flush_routes(sock: RouteSocket, scan: Scan) -> None:
    for table, routes in scan.routes.items():
        sock.bulk(route.route_deletes(table, ROUTE_METRIC, routes, 1), 1)
    sock.bulk(mpls.label_deletes(scan.tables.get(("mpls", ""), {}), 1), 1)
    sock.bulk(
        nexthop.nexthop_deletes([number for number, content in scan.nexthops.items() if content is not None], 1), 1
    )
