"""Routes (struct rtmsg): by the thousand into a table, each naming a nexthop object; single ones; lookups.

Packing is the hot path as for neighbours (`hornpipe.netlink.neigh`): one `struct.Struct` a route. A route is found
again by table, prefix and metric; ours need a metric of their own: NLM_F_REPLACE replaces whosever route that is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from hornpipe.netlink.message import attribute, attributes, integer, u32
from hornpipe.netlink.mpls import unstack
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    LWTUNNEL_ENCAP_MPLS,
    MPLS_IPTUNNEL_DST,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    PROTOCOL,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RT_TABLE_UNSPEC,
    RTA_DST,
    RTA_ENCAP,
    RTA_ENCAP_TYPE,
    RTA_GATEWAY,
    RTA_METRICS,
    RTA_MULTIPATH,
    RTA_NH_ID,
    RTA_OIF,
    RTA_PRIORITY,
    RTA_TABLE,
    RTA_VIA,
    RTAX_MTU,
    RTM_DELROUTE,
    RTM_F_FIB_MATCH,
    RTM_F_LOOKUP_TABLE,
    RTM_NEWROUTE,
    RTN_UNICAST,
    RTN_UNREACHABLE,
    RTNH_F_ONLINK,
    UNREACHABLE_METRIC,
)

_HEAD = struct.Struct("=IHH")
_RTMSG = struct.Struct("=BBBBBBBBI")
"""family, destination length, source length, tos, table, protocol, scope, type, flags"""
RTMSG_SIZE = 12
_REST = struct.Struct("=BBBBBBI")
"""The same without family and destination length."""

Pack = Callable[..., bytes]


# ---- by the thousand


def route_adds(table: int, metric: int, adds: Mapping[bytes, int], sequence: int) -> list[bytes]:
    """Prefix (`hornpipe.forwarding.table.route_key`: length, then the whole address) -> number of a nexthop object, or
    0 for unreachable. What is there of ours for the prefix is replaced in one step."""
    forms: dict[tuple[int, int], tuple[Pack, bytes, bytes, bytes, bytes]] = {}
    packed: list[bytes] = []
    for key, nexthop in adds.items():
        form = forms.get((len(key), nexthop))
        if form is None:
            form = forms[(len(key), nexthop)] = _add_form(table, metric, len(key), nexthop)
        pack, head, family, rest, tail = form
        packed.append(pack(head, sequence, family, key[0], rest, key[1:], tail))
        sequence += 1
    return packed


def _add_form(table: int, metric: int, size: int, nexthop: int) -> tuple[Pack, bytes, bytes, bytes, bytes]:
    tail = u32(RTA_TABLE, table) + u32(RTA_PRIORITY, metric) + (u32(RTA_NH_ID, nexthop) if nexthop else b"")
    flags, kind = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE, RTN_UNICAST if nexthop else RTN_UNREACHABLE
    return _form(RTM_NEWROUTE, flags, size, RT_SCOPE_UNIVERSE, kind, tail)


def _form(
    message: int, flags: int, size: int, scope: int, kind: int, tail: bytes
) -> tuple[Pack, bytes, bytes, bytes, bytes]:
    """(pack, head, port number and family, rest of rtmsg and the head of RTA_DST, tail) for keys of `size` bytes."""
    layout = struct.Struct(f"=8sI5sB14s{size - 1}s{len(tail)}s")
    family = bytes((0, 0, 0, 0, AF_INET if size == 5 else AF_INET6))
    rest = _REST.pack(0, 0, RT_TABLE_UNSPEC, PROTOCOL, scope, kind, 0) + struct.pack("=HH", 4 + size - 1, RTA_DST)
    return layout.pack, _HEAD.pack(layout.size, message, flags), family, rest, tail


def route_deletes(table: int, metric: int, keys: Mapping[bytes, object], sequence: int) -> list[bytes]:
    """Only what has our protocol and this metric."""
    tail = u32(RTA_TABLE, table) + u32(RTA_PRIORITY, metric)
    forms = {size: _form(RTM_DELROUTE, NLM_F_REQUEST, size, RT_SCOPE_NOWHERE, 0, tail) for size in (5, 17)}
    packed: list[bytes] = []
    for key in keys:
        pack, head, family, rest, _ = forms[len(key)]
        packed.append(pack(head, sequence, family, key[0], rest, key[1:], tail))
        sequence += 1
    return packed


# ---- single routes


def new_default_route(gateway: bytes, index: int) -> bytes:
    """Onlink: the gateway need not be in a prefix of the interface (a /32 is usual for containers)."""
    family = AF_INET if len(gateway) == 4 else AF_INET6
    header = _RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, PROTOCOL, RT_SCOPE_UNIVERSE, RTN_UNICAST, RTNH_F_ONLINK)
    return header + attribute(RTA_GATEWAY, gateway) + u32(RTA_OIF, index)


def unreachable_default(family: int, table: int) -> bytes:
    """What a VRF's table ends in: without it a lookup would go on in the host's own tables."""
    header = _RTMSG.pack(family, 0, 0, 0, RT_TABLE_UNSPEC, PROTOCOL, RT_SCOPE_UNIVERSE, RTN_UNREACHABLE, 0)
    return header + u32(RTA_TABLE, table) + u32(RTA_PRIORITY, UNREACHABLE_METRIC)


# ---- questions


def route_dump(family: int, protocol: int = 0, table: int = 0, kind: int = 0) -> bytes:
    """All routes, or with strict checking those of one protocol, table or type."""
    header = _RTMSG.pack(family, 0, 0, 0, RT_TABLE_UNSPEC, protocol, 0, kind, 0)
    return header + (u32(RTA_TABLE, table) if table else b"")


def route_lookup(address: bytes, vrf: int = 0, entry: bool = False) -> bytes:
    """Payload of RTM_GETROUTE: where a packet to `address` goes, by the tables of the host or of a VRF (ifindex).
    `entry`: the route that matches instead of the way that follows from it."""
    family = AF_INET if len(address) == 4 else AF_INET6
    # IPv6 always says which table, and refuses to be asked for it under strict checking.
    flags = (RTM_F_LOOKUP_TABLE if family == AF_INET else 0) | (RTM_F_FIB_MATCH if entry else 0)
    header = _RTMSG.pack(family, 8 * len(address), 0, 0, 0, 0, 0, 0, flags)
    return header + attribute(RTA_DST, address) + (u32(RTA_OIF, vrf) if vrf else b"")


# ---- what the kernel says


class Route:
    """A route as in a dump, an event or the answer to a lookup."""

    __slots__ = (
        "dst",
        "family",
        "gateway",
        "index",
        "kind",
        "labels",
        "length",
        "metric",
        "mtu",
        "multipath",
        "nexthop",
        "protocol",
        "table",
    )

    def __init__(self, data: bytes, start: int, end: int) -> None:
        family, length, _, _, table, protocol, _, kind, _ = _RTMSG.unpack_from(data, start)
        found = attributes(data, start + RTMSG_SIZE, end)
        self.family: int = family
        self.length: int = length
        self.protocol: int = protocol
        self.kind: int = kind
        """RTN_UNICAST, RTN_LOCAL, RTN_UNREACHABLE, ..."""
        self.table: int = integer(found.get(RTA_TABLE, b"")) or table
        self.dst = found.get(RTA_DST) or bytes(4 if family == AF_INET else 16)
        self.index = integer(found.get(RTA_OIF, b""))
        self.gateway = found.get(RTA_GATEWAY) or found.get(RTA_VIA, b"")[2:]
        self.metric = integer(found.get(RTA_PRIORITY, b""))
        self.nexthop = integer(found.get(RTA_NH_ID, b""))
        self.mtu = integer(attributes(found.get(RTA_METRICS, b"")).get(RTAX_MTU, b""))
        """0: that of the device."""
        self.multipath = RTA_MULTIPATH in found
        self.labels: tuple[int, ...] = ()
        if integer(found.get(RTA_ENCAP_TYPE, b"")) == LWTUNNEL_ENCAP_MPLS:
            self.labels = unstack(attributes(found.get(RTA_ENCAP, b"")).get(MPLS_IPTUNNEL_DST, b""))

    @property
    def key(self) -> bytes:
        """As `hornpipe.forwarding.table.route_key`."""
        return bytes((self.length,)) + self.dst


def parse_default_route(data: bytes, start: int, end: int) -> tuple[bytes, int] | None:
    """(gateway, ifindex) of a default route of the main table, else None."""
    _, length, _, _, table, _, _, kind, _ = _RTMSG.unpack_from(data, start)
    if length or table != RT_TABLE_MAIN or kind != RTN_UNICAST:
        return None
    found = attributes(data, start + RTMSG_SIZE, end)
    if RTA_DST in found:
        return None
    return found.get(RTA_GATEWAY, b""), integer(found.get(RTA_OIF, b""))
