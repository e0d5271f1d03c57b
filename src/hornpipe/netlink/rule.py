"""Policy routing rules (struct fib_rule_hdr): which table is asked when."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attributes, integer, u8, u32
from hornpipe.netlink.number import (
    FR_ACT_TO_TBL,
    FRA_L3MDEV,
    FRA_PRIORITY,
    FRA_PROTOCOL,
    FRA_TABLE,
    PROTOCOL,
    RT_TABLE_LOCAL,
    RT_TABLE_UNSPEC,
)

_RULE = struct.Struct("=BBBBBBBBI")
"""family, destination length, source length, tos, table, reserved, reserved, action, flags"""
RULE_SIZE = 12
_RTPROT_KERNEL = 2


def vrf_rule(family: int) -> bytes:
    """A packet of a VRF's device is looked up in the VRF's table; before all else, and marked ours."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_UNSPEC, 0, 0, FR_ACT_TO_TBL, 0)
    return header + u32(FRA_PRIORITY, 0) + u8(FRA_L3MDEV, 1) + u8(FRA_PROTOCOL, PROTOCOL)


def local_rule(family: int) -> bytes:
    """The host's own addresses, as the kernel makes it."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_LOCAL, 0, 0, FR_ACT_TO_TBL, 0)
    return header + u32(FRA_PRIORITY, 0) + u32(FRA_TABLE, RT_TABLE_LOCAL) + u8(FRA_PROTOCOL, _RTPROT_KERNEL)


def remove_local_rule(family: int) -> bytes:
    """The first of those at priority 0."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_LOCAL, 0, 0, FR_ACT_TO_TBL, 0)
    return header + u32(FRA_PRIORITY, 0) + u32(FRA_TABLE, RT_TABLE_LOCAL)


def rule_dump(family: int) -> bytes:
    return _RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)


class Rule:
    __slots__ = ("is_ours", "is_vrf", "priority", "table")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        found = attributes(data, start + RULE_SIZE, end)
        self.priority = integer(found.get(FRA_PRIORITY, b""))
        self.table = integer(found.get(FRA_TABLE, b"")) or data[start + 4]
        self.is_vrf = integer(found.get(FRA_L3MDEV, b"")) == 1
        self.is_ours = integer(found.get(FRA_PROTOCOL, b"")) == PROTOCOL
