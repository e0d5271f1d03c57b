"""Addresses of links (struct ifaddrmsg)."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, attributes, u32
from hornpipe.netlink.number import AF_INET, AF_INET6, IFA_ADDRESS, IFA_F_NODAD, IFA_FLAGS, IFA_LOCAL

_IFADDRMSG = struct.Struct("=BBBBI")
"""family, prefix length, flags, scope, ifindex"""
IFADDRMSG_SIZE = 8


def new_address(index: int, address: bytes, length: int) -> bytes:
    """IPv6 without duplicate address detection: usable at once, and the VPN knows who has it."""
    family = AF_INET if len(address) == 4 else AF_INET6
    payload = _IFADDRMSG.pack(family, length, 0, 0, index) + attribute(IFA_LOCAL, address)
    payload += attribute(IFA_ADDRESS, address)
    return payload + (u32(IFA_FLAGS, IFA_F_NODAD) if family == AF_INET6 else b"")


def delete_address(index: int, address: bytes, length: int) -> bytes:
    family = AF_INET if len(address) == 4 else AF_INET6
    return _IFADDRMSG.pack(family, length, 0, 0, index) + attribute(IFA_LOCAL, address)


def address_dump() -> bytes:
    return _IFADDRMSG.pack(0, 0, 0, 0, 0)


def parse_address(data: bytes, start: int, end: int) -> tuple[int, bytes, int]:
    """(ifindex, address, prefix length); of a point-to-point link the local one."""
    _, length, _, _, index = _IFADDRMSG.unpack_from(data, start)
    found = attributes(data, start + IFADDRMSG_SIZE, end)
    return index, found.get(IFA_LOCAL) or found.get(IFA_ADDRESS, b""), length
