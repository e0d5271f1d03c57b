"""Addresses of links (struct ifaddrmsg)."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, attributes, integer, u8, u32
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    IFA_ADDRESS,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_FLAGS,
    IFA_LOCAL,
    IFA_PROTO,
    PROTOCOL,
)

_IFADDRMSG = struct.Struct("=BBBBI")
"""family, prefix length, flags, scope, ifindex"""
IFADDRMSG_SIZE = 8


def new_address(index: int, address: bytes, length: int, prefix_route: bool = True) -> bytes:
    """IPv6 without duplicate address detection: usable at once, and the VPN knows who has it."""
    flags = 0 if prefix_route else IFA_F_NOPREFIXROUTE
    family = AF_INET if len(address) == 4 else AF_INET6
    payload = _IFADDRMSG.pack(family, length, 0, 0, index) + attribute(IFA_LOCAL, address)
    payload += attribute(IFA_ADDRESS, address)
    flags |= IFA_F_NODAD if family == AF_INET6 else 0
    payload += u8(IFA_PROTO, PROTOCOL)  # from Linux 5.18 on the kernel keeps it
    return payload + (u32(IFA_FLAGS, flags) if flags else b"")


def delete_address(index: int, address: bytes, length: int) -> bytes:
    family = AF_INET if len(address) == 4 else AF_INET6
    return _IFADDRMSG.pack(family, length, 0, 0, index) + attribute(IFA_LOCAL, address)


def address_dump(index: int = 0) -> bytes:
    """Of all links, or with strict checking of one."""
    return _IFADDRMSG.pack(0, 0, 0, 0, index)


def parse_address(data: bytes, start: int, end: int) -> tuple[int, bytes, int]:
    """(ifindex, address, prefix length); of a point-to-point link the local one."""
    _, length, _, _, index = _IFADDRMSG.unpack_from(data, start)
    found = attributes(data, start + IFADDRMSG_SIZE, end)
    return index, found.get(IFA_LOCAL) or found.get(IFA_ADDRESS, b""), length


def protocol_of(data: bytes, start: int, end: int) -> int:
    """Who made it: `PROTOCOL` for us; 0 if the kernel does not tell."""
    return integer(attributes(data, start + IFADDRMSG_SIZE, end).get(IFA_PROTO, b""))
