"""Policy routing rules (struct fib_rule_hdr): which table is asked when."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, attributes, integer, string, text, u8, u32
from hornpipe.netlink.number import (
    AF_INET,
    FIB_RULE_INVERT,
    FR_ACT_GOTO,
    FR_ACT_NOP,
    FR_ACT_TO_TBL,
    FRA_DPORT_RANGE,
    FRA_DST,
    FRA_GOTO,
    FRA_IIFNAME,
    FRA_IP_PROTO,
    FRA_L3MDEV,
    FRA_PRIORITY,
    FRA_PROTOCOL,
    FRA_SPORT_RANGE,
    FRA_SRC,
    FRA_TABLE,
    PROTOCOL,
    RT_TABLE_LOCAL,
    RT_TABLE_UNSPEC,
)

_RULE = struct.Struct("=BBBBBBBBI")
"""family, destination length, source length, tos, table, reserved, reserved, action, flags"""
_RANGE = struct.Struct("=HH")
"""struct fib_rule_port_range, in the host's byte order."""
RULE_SIZE = 12
_RTPROT_KERNEL = 2


def vrf_rule(family: int, priority: int = 0) -> bytes:
    """A packet of a VRF's device is looked up in the VRF's table; by default before all else, and marked ours."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_UNSPEC, 0, 0, FR_ACT_TO_TBL, 0)
    return header + u32(FRA_PRIORITY, priority) + u8(FRA_L3MDEV, 1) + u8(FRA_PROTOCOL, PROTOCOL)


def vrf_jump(family: int, target: int) -> bytes:
    """A packet of a VRF's device goes on at the rule with the priority `target`; if there is none, at the next one."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_UNSPEC, 0, 0, FR_ACT_GOTO, 0)
    attached = u8(FRA_L3MDEV, 1) + u8(FRA_PROTOCOL, PROTOCOL)
    return header + u32(FRA_PRIORITY, 0) + u32(FRA_GOTO, target) + attached


def mark_rule(family: int, priority: int) -> bytes:
    """Does nothing, but can be jumped to."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_UNSPEC, 0, 0, FR_ACT_NOP, 0)
    return header + u32(FRA_PRIORITY, priority) + u8(FRA_PROTOCOL, PROTOCOL)


def local_rule(family: int) -> bytes:
    """The host's own addresses, as the kernel makes it."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_LOCAL, 0, 0, FR_ACT_TO_TBL, 0)
    return header + u32(FRA_PRIORITY, 0) + u32(FRA_TABLE, RT_TABLE_LOCAL) + u8(FRA_PROTOCOL, _RTPROT_KERNEL)


def remove_local_rule(family: int) -> bytes:
    """The first of those at priority 0."""
    header = _RULE.pack(family, 0, 0, 0, RT_TABLE_LOCAL, 0, 0, FR_ACT_TO_TBL, 0)
    return header + u32(FRA_PRIORITY, 0) + u32(FRA_TABLE, RT_TABLE_LOCAL)


def traffic_rule(
    family: int,
    priority: int,
    iif: str,
    table: int,
    *,
    source: bytes = b"",
    destination: bytes = b"",
    protocol: int = 0,
    source_port: tuple[int, int] = (0, 0),
    destination_port: tuple[int, int] = (0, 0),
) -> bytes:
    """Prefixes are a length and a whole address, empty for any, as is 0 for numbers. For adding and for deleting."""
    lengths = (destination[0] if destination else 0, source[0] if source else 0)
    header = _RULE.pack(family, *lengths, 0, RT_TABLE_UNSPEC, 0, 0, FR_ACT_TO_TBL, 0)
    parts = [header, u32(FRA_PRIORITY, priority), text(FRA_IIFNAME, iif), u32(FRA_TABLE, table)]
    parts += [attribute(FRA_DST, destination[1:])] if destination else []
    parts += [attribute(FRA_SRC, source[1:])] if source else []
    parts += [u8(FRA_IP_PROTO, protocol)] if protocol else []
    parts += [attribute(FRA_SPORT_RANGE, _RANGE.pack(*source_port))] if source_port[1] else []
    parts += [attribute(FRA_DPORT_RANGE, _RANGE.pack(*destination_port))] if destination_port[1] else []
    return b"".join(parts) + u8(FRA_PROTOCOL, PROTOCOL)


def rule_dump(family: int) -> bytes:
    return _RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)


class Rule:
    __slots__ = (
        "destination",
        "destination_port",
        "family",
        "iif",
        "is_inverted",
        "is_jump",
        "is_mark",
        "is_ours",
        "is_traffic",
        "is_vrf",
        "priority",
        "protocol",
        "removal",
        "source",
        "source_port",
        "table",
    )

    def __init__(self, data: bytes, start: int, end: int) -> None:
        family, to_length, from_length, tos, table, _, _, action, flags = _RULE.unpack_from(data, start)
        found = attributes(data, start + RULE_SIZE, end)
        self.family: int = family
        self.priority = integer(found.get(FRA_PRIORITY, b""))
        self.table = integer(found.get(FRA_TABLE, b"")) or table
        of_vrf = integer(found.get(FRA_L3MDEV, b"")) == 1
        self.is_vrf = of_vrf and action == FR_ACT_TO_TBL
        """Looks packets of a VRF up in the VRF's table."""
        self.is_jump = of_vrf and action == FR_ACT_GOTO
        self.is_mark = action == FR_ACT_NOP
        self.is_ours = integer(found.get(FRA_PROTOCOL, b"")) == PROTOCOL
        self.iif = string(found.get(FRA_IIFNAME, b""))
        self.is_inverted = bool(flags & FIB_RULE_INVERT)
        self.is_traffic = action == FR_ACT_TO_TBL and not of_vrf and bool(self.iif)
        """Looks packets of an interface up in a table."""
        width = 4 if family == AF_INET else 16
        self.destination = _prefix(to_length, found.get(FRA_DST, b""), width)
        self.source = _prefix(from_length, found.get(FRA_SRC, b""), width)
        self.protocol = integer(found.get(FRA_IP_PROTO, b""))
        self.source_port = _ports(found.get(FRA_SPORT_RANGE, b""))
        self.destination_port = _ports(found.get(FRA_DPORT_RANGE, b""))
        head = _RULE.pack(family, to_length, from_length, tos, table, 0, 0, action, flags & FIB_RULE_INVERT)
        self.removal = head + data[start + RULE_SIZE : end]
        """Payload for deleting just this one."""


def _prefix(length: int, address: bytes, width: int) -> bytes:
    return bytes((length,)) + address if length and len(address) == width else b""


def _ports(value: bytes) -> tuple[int, int]:
    if len(value) != _RANGE.size:
        return 0, 0
    first, last = _RANGE.unpack(value)
    return first, last
