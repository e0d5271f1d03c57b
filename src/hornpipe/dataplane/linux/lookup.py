"""Single questions to the kernel: what is under a key, and which way a packet would take."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from typing import Any

from hornpipe.dataplane.linux.device import find_link
from hornpipe.dataplane.linux.mirror import as_nexthop, route_nexthop
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.audit import Probe
from hornpipe.forwarding.nexthop import Nexthop
from hornpipe.forwarding.table import ROUTE_METRIC
from hornpipe.forwarding.underlay import Way
from hornpipe.netlink import link, neigh, nexthop, route
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import messages
from hornpipe.netlink.neigh import Neigh
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    PROTOCOL,
    RT_TABLE_MAIN,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETNEXTHOP,
    RTM_GETROUTE,
    RTM_NEWNEIGH,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
    RTN_UNICAST,
)
from hornpipe.netlink.route import Route

ABSENT = (errno.ENOENT, errno.ENODEV, errno.ESRCH)
NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES, errno.EAFNOSUPPORT, *ABSENT)
"""A lookup ends in an unreachable, prohibit or blackhole route, or in none."""


def neighbour(sock: RouteSocket, question: bytes) -> Neigh | None:
    for kind, data, start, end in answers(sock, RTM_GETNEIGH, question, ABSENT):
        if kind == RTM_NEWNEIGH:
            return Neigh(data, start, end)
    return None


def lookup(sock: RouteSocket, address: bytes, vrf: int = 0, entry: bool = False) -> Route | None:
    """Where packets to `address` go by the tables of the host or of a VRF (ifindex)."""
    for kind, data, start, end in answers(sock, RTM_GETROUTE, route.route_lookup(address, vrf, entry), NO_WAY):
        if kind == RTM_NEWROUTE:
            return Route(data, start, end)
    return None


def answers(
    sock: RouteSocket, kind: int, question: bytes, absent: Collection[int]
) -> list[tuple[int, bytes, int, int]]:
    """(type, data, start, end); empty if the kernel refuses with one of these errnos. OSError if with another."""
    try:
        data = sock.request(kind, 0, question)
    except Failure as failure:
        if failure.number in absent:
            return []
        raise OSError(failure.number, str(failure)) from failure
    return [(found, data, start, end) for found, _, _, start, end in messages(data)]


# ---- ways of the underlay


def resolve(sock: RouteSocket, addresses: Collection[bytes]) -> dict[bytes, Way | None]:
    links: dict[int, LinkMessage | None] = {}
    return {address: _way(sock, address, links) for address in addresses}


def _way(sock: RouteSocket, address: bytes, links: dict[int, LinkMessage | None]) -> Way | None:
    found = lookup(sock, address)
    if found is None or found.kind != RTN_UNICAST or not found.index:
        return None
    if found.index not in links:
        links[found.index] = find_link(sock, link.by_index(found.index))
    device = links[found.index]
    return Way(device.name, found.gateway, found.mtu or device.mtu) if device is not None else None


# ---- canaries


def probe(sock: RouteSocket, probes: Sequence[Probe]) -> list[Any]:
    vrfs: dict[int, int] = {}
    if any(one.kind == "route" for one in probes):
        found = (LinkMessage(data, start, end) for data, start, end in sock.dump(RTM_GETLINK, link.dump()))
        vrfs = {device.table: device.index for device in found if device.table}
    return [_probe(sock, one, vrfs) for one in probes]


def _probe(sock: RouteSocket, one: Probe, vrfs: dict[int, int]) -> Any:
    if one.kind == "route":
        return find_route(sock, one.index, vrfs.get(one.index, 0), one.key)
    if one.kind == "nexthop":
        return find_nexthop(sock, one.index)
    entry = neighbour(sock, neigh.fdb_get(one.index, one.key))
    return None if entry is None else (entry.dst, entry.vni)


def find_nexthop(sock: RouteSocket, number: int) -> Nexthop | None:
    for kind, data, start, end in answers(sock, RTM_GETNEXTHOP, nexthop.by_number(number), ABSENT):
        if kind == RTM_NEWNEXTHOP:
            return as_nexthop(nexthop.Nexthop(data, start, end))
    return None


def find_route(sock: RouteSocket, table: int, vrf: int, key: bytes) -> int | None:
    """The kernel has no question for one route: what a lookup of an address in the prefix finds is mostly it. If it is
    another one, more specific or more preferred, our part of the table is read."""
    if vrf or table == RT_TABLE_MAIN:
        for address in _inside(key):
            found = lookup(sock, address, vrf, entry=True)
            if found is not None and (found.key, found.table, found.metric) == (key, table, ROUTE_METRIC):
                return route_nexthop(found)
    family = AF_INET if len(key) == 5 else AF_INET6
    question = route.route_dump(family, PROTOCOL, table)
    try:
        entries = [Route(data, start, end) for data, start, end in sock.dump(RTM_GETROUTE, question)]
    except Failure as failure:
        if failure.number in ABSENT:  # there is no such table
            return None
        raise OSError(failure.number, str(failure)) from failure
    ours = (entry for entry in entries if entry.metric == ROUTE_METRIC and entry.key == key)
    return next((route_nexthop(entry) for entry in ours), None)


def _inside(key: bytes) -> list[bytes]:
    """The first and the last address of a prefix but one, where there are so many."""
    bits = 8 * (len(key) - 1)
    first, host = int.from_bytes(key[1:], "big"), bits - key[0]
    if host < 2:
        return [key[1:]]
    return [(first + offset).to_bytes(bits // 8, "big") for offset in (1, (1 << host) - 2)]
