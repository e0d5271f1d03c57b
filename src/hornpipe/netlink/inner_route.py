"""A route inside a container's namespace (struct rtmsg): through a gateway on the link, or to the link itself."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, u32
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
_SCOPE_LINK = 253


def new_inner_route(prefix: bytes, length: int, gateway: bytes, index: int) -> bytes:
    family = AF_INET if len(prefix) == 4 else AF_INET6
    scope, flags = (RT_SCOPE_UNIVERSE, RTNH_F_ONLINK) if gateway or family == AF_INET6 else (_SCOPE_LINK, 0)
    header = _RTMSG.pack(family, length, 0, 0, RT_TABLE_MAIN, PROTOCOL, scope, RTN_UNICAST, flags if gateway else 0)
    payload = header + (attribute(RTA_DST, prefix) if length else b"") + u32(RTA_OIF, index)
    return payload + (attribute(RTA_GATEWAY, gateway) if gateway else b"")
