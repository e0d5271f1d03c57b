"""Reads what a namespace has: links, addresses, and the routes of its main table."""

from __future__ import annotations

from hornpipe.dataplane.linux.namespace import Lent, opened, socket_inside
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.inside import Inside, InsideLink
from hornpipe.netlink import address, link, route
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    RT_TABLE_MAIN,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTN_UNICAST,
)


def look_inside(netns: str, lent: Lent) -> Inside:
    """In the kernel thread; OSError if there is no such namespace."""
    try:
        with opened(netns, lent) as descriptor, socket_inside(netns, descriptor) as inside:
            return _read(inside)
    except Failure as failure:
        raise OSError(str(failure)) from failure


def _read(inside: RouteSocket) -> Inside:
    addresses: dict[int, set[tuple[bytes, int]]] = {}
    for data, start, end in inside.dump(RTM_GETADDR, address.address_dump()):
        index, packed, length = address.parse_address(data, start, end)
        addresses.setdefault(index, set()).add((packed, length))
    routes: dict[int, set[tuple[bytes, int, bytes]]] = {}
    for family in (AF_INET, AF_INET6):
        for data, start, end in inside.dump(RTM_GETROUTE, route.route_dump(family)):
            found = route.Route(data, start, end)
            if found.table == RT_TABLE_MAIN and found.kind == RTN_UNICAST:
                routes.setdefault(found.index, set()).add((found.dst, found.length, found.gateway))
    links: Inside = {}
    for data, start, end in inside.dump(RTM_GETLINK, link.dump()):
        message = link.LinkMessage(data, start, end)
        links[message.name] = InsideLink(
            mac=message.mac,
            mtu=message.mtu,
            up=message.up,
            addresses=frozenset(addresses.get(message.index, ())),
            routes=frozenset(routes.get(message.index, ())),
        )
    return links
