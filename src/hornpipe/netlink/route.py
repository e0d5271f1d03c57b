"""Default routes inside a namespace (struct rtmsg)."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, attributes, integer, u32
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    PROTOCOL,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_OIF,
    RTN_UNICAST,
    RTNH_F_ONLINK,
)

_RTMSG = struct.Struct("=BBBBBBBBI")
"""family, destination length, source length, tos, table, protocol, scope, type, flags"""
RTMSG_SIZE = 12


def new_default_route(gateway: bytes, index: int) -> bytes:
    """Onlink: the gateway need not be in a prefix of the interface (a /32 is usual for containers)."""
    family = AF_INET if len(gateway) == 4 else AF_INET6
    header = _RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, PROTOCOL, RT_SCOPE_UNIVERSE, RTN_UNICAST, RTNH_F_ONLINK)
    return header + attribute(RTA_GATEWAY, gateway) + u32(RTA_OIF, index)


def route_dump(family: int) -> bytes:
    return _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)


def parse_default_route(data: bytes, start: int, end: int) -> tuple[bytes, int] | None:
    """(gateway, ifindex) of a default route of the main table, else None."""
    _, length, _, _, table, _, _, kind, _ = _RTMSG.unpack_from(data, start)
    if length or table != RT_TABLE_MAIN or kind != RTN_UNICAST:
        return None
    found = attributes(data, start + RTMSG_SIZE, end)
    if RTA_DST in found:
        return None
    return found.get(RTA_GATEWAY, b""), integer(found.get(RTA_OIF, b""))
