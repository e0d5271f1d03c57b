"""Taking everything that is marked ours out of the kernel."""

from __future__ import annotations

import errno

from hornpipe.dataplane.linux.scan import scan_all
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.entry import ALIAS, PORT_ALIAS
from hornpipe.netlink import link, neigh
from hornpipe.netlink.number import RTM_DELLINK, RTM_NEWLINK


def flush_ours(sock: RouteSocket) -> int:
    """Ports are released, entries on bridges that stay are deleted, then the devices; returns how many devices."""
    scan = scan_all(sock)
    by_name = {found.name: found for found in scan.links}
    for port in scan.links:
        if port.alias.startswith(PORT_ALIAS):
            sock.attempt(RTM_NEWLINK, 0, link.change(port.index, master=0, alias=""), errno.ENODEV)
    for (kind, device), found in scan.tables.items():
        holder = by_name[device]
        if holder.alias.startswith(ALIAS):
            continue
        if kind == "neigh":
            sock.bulk(neigh.neigh_deletes(holder.index, dict.fromkeys(found, 0), 1), 1)
        elif kind == "local":
            ports = {mac: by_name[port].index for mac, port in found.items()}
            sock.bulk(neigh.local_deletes(ports, 1), 1)
    ours = [found for found in scan.links if found.alias.startswith(ALIAS)]
    for mine in sorted(ours, key=lambda mine: mine.kind == "bridge"):
        sock.attempt(RTM_DELLINK, 0, link.header(mine.index), errno.ENODEV)
    return len(ours)
