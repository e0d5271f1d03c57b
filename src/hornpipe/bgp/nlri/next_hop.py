"""The next hop field of MP_REACH_NLRI, by family: what is written for an address, and which addresses are in it.

A VPN family has a route distinguisher of zero in front of each address (RFC 4364 section 4.3.2). IPv6 routes over an
IPv4 core carry the IPv4 address mapped (RFC 4659 section 3.2.1.1, RFC 4798 section 2); IPv4 routes may have an IPv6
next hop (RFC 8950). An IPv6 address may be followed by a link-local one (RFC 2545 section 3).
"""

from __future__ import annotations

from typing import Final

from hornpipe.bgp.family import AFI_IPV6

SAFI_VPN: Final = 128
MAPPED: Final = bytes(10) + b"\xff\xff"
"""``::ffff:0:0/96``."""
_NO_RD: Final = bytes(8)


def next_hop_field(family: int, address: bytes, link_local: bytes = b"") -> bytes:
    """The field for `address` (4 or 16 bytes; empty: no next hop, as flow specifications have none)."""
    if not address:
        return b""
    if family >> 8 == AFI_IPV6 and len(address) == 4:
        address = MAPPED + address
    if family & 0xFF != SAFI_VPN:
        return address + link_local
    return _NO_RD + address + (_NO_RD + link_local if link_local else b"")


def next_hop_address(field: bytes) -> bytes:
    """The first (global) address of a field of any family as it is written: 4 or 16 bytes, or empty."""
    size = len(field)
    if size in (4, 16):
        return field
    if size == 32:
        return field[:16]
    if size == 12:
        return field[8:]
    if size in (24, 48):
        return field[8:24]
    return b""


def vtep_of(field: bytes) -> bytes:
    """The address packets are sent to: as `next_hop_address`, but an IPv4-mapped one is its four bytes."""
    address = next_hop_address(field)
    return address[12:] if address[:12] == MAPPED else address


def link_local_of(field: bytes) -> bytes:
    """The link-local address in a field, the second one or the only one; empty if there is none."""
    size = len(field)
    if size in (32, 48):
        return field[-16:]
    address = next_hop_address(field)
    return address if len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80 else b""
