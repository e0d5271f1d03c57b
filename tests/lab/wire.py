"""BGP messages for scripted peers, written apart from `hornpipe.bgp` so that a peer and a benchmark stay the same when
our codec changes: what a test sends, and what it reads back, has one independent definition.

RFC 4271 (messages), 4760 (MP_REACH, MP_UNREACH), 7432 section 7 and 8365 (E-VPN), 4364 (VPNv4), 6793 (4-octet AS).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, ip_address

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16
EVPN, VPNV4, RTC = (25, 70), (1, 128), (1, 132)
Family = tuple[int, int]

TYPE2_V4 = 39
"""Length of a MAC/IP advertisement with an IPv4 address and one label, with its two bytes of header."""
VXLAN = b"\x03\x0c\x00\x00\x00\x00\x00\x08"
"""The encapsulation extended community (RFC 9012 section 4.1)."""


def message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(asn: int, router_id: str, families: Sequence[Family], hold: int = 90, restart: int = 0) -> bytes:
    """`restart` above 0: graceful restart (RFC 4724) with this time, forwarding preserved for every family."""
    capabilities = b"".join(struct.pack("!BBHBB", 1, 4, afi, 0, safi) for afi, safi in families)
    capabilities += struct.pack("!BB", 2, 0) + struct.pack("!BBI", 65, 4, asn)
    if restart:
        tuples = b"".join(struct.pack("!HBB", afi, safi, 0x80) for afi, safi in families)
        capabilities += struct.pack("!BBH", 64, 2 + len(tuples), restart) + tuples
    parameter = struct.pack("!BB", 2, len(capabilities)) + capabilities
    short_as = asn if asn < 65536 else 23456
    body = struct.pack("!BHH4sB", 4, short_as, hold, IPv4Address(router_id).packed, len(parameter)) + parameter
    return message(OPEN, body)


def attribute(flags: int, code: int, value: bytes) -> bytes:
    if len(value) > 255:
        return struct.pack("!BBH", flags | 0x10, code, len(value)) + value
    return struct.pack("!BBB", flags, code, len(value)) + value


def route_target(text: str) -> bytes:
    """``64512:80`` -> the extended community (RFC 4360 section 4)."""
    asn, number = map(int, text.split(":"))
    return struct.pack("!BBHI", 0, 2, asn, number)


def mobility(sequence: int, sticky: bool = False) -> bytes:
    """The MAC mobility extended community (RFC 7432 section 7.7)."""
    return struct.pack("!BBBBI", 6, 0, int(sticky), 0, sequence)


def common(communities: Sequence[bytes], med: int | None = None, local_pref: int = 100) -> bytes:
    """ORIGIN IGP, empty AS_PATH (internal), LOCAL_PREF and extended communities."""
    block = attribute(0x40, 1, b"\0") + attribute(0x40, 2, b"")
    if med is not None:
        block += attribute(0x80, 4, struct.pack("!I", med))
    return block + attribute(0x40, 5, struct.pack("!I", local_pref)) + attribute(0xC0, 16, b"".join(communities))


def rd(router_id: str, number: int) -> bytes:
    """A type 1 route distinguisher."""
    return struct.pack("!H4sH", 1, IPv4Address(router_id).packed, number)


def mac_ip(rd_: bytes, mac: bytes, ip: bytes, vni: int) -> bytes:
    """A MAC/IP advertisement (RFC 7432 section 7.2), ESI and Ethernet tag zero, the VNI in the label field."""
    value = rd_ + bytes(14) + b"\x30" + mac + bytes([8 * len(ip)]) + ip + vni.to_bytes(3, "big")
    return struct.pack("!BB", 2, len(value)) + value


def multicast(rd_: bytes, vtep: str) -> bytes:
    """An inclusive multicast route (RFC 7432 section 7.3)."""
    address = ip_address(vtep).packed
    value = rd_ + bytes(4) + bytes([8 * len(address)]) + address
    return struct.pack("!BB", 3, len(value)) + value


def ingress_replication(vtep: str, vni: int) -> bytes:
    """The PMSI tunnel attribute (RFC 6514 section 5) with the VNI as RFC 8365 section 9 wants it."""
    return attribute(0xC0, 22, b"\0\x06" + vni.to_bytes(3, "big") + ip_address(vtep).packed)


def vpnv4(rd_: bytes, ip: bytes, label: int) -> bytes:
    """A VPN-IPv4 host route (RFC 4364 section 4.3.4)."""
    return bytes([24 + 64 + 32]) + (label << 4 | 1).to_bytes(3, "big") + rd_ + ip


def reach(family: Family, next_hop: str, nlri: bytes, block: bytes) -> bytes:
    """One UPDATE that announces, MP_REACH first (RFC 7606 section 5.1)."""
    afi, safi = family
    hop = ip_address(next_hop).packed
    if safi == 128:
        hop = bytes(8) + hop
    value = struct.pack("!HBB", afi, safi, len(hop)) + hop + b"\0" + nlri
    attributes = attribute(0x80, 14, value) + block
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes)


def unreach(family: Family, nlri: bytes = b"") -> bytes:
    """One UPDATE that withdraws; without NLRI it is the End-of-RIB (RFC 4724 section 2)."""
    value = attribute(0x80, 15, struct.pack("!HB", *family) + nlri)
    return message(UPDATE, struct.pack("!HH", 0, len(value)) + value)


def attributes_of(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(code, value) of an UPDATE's path attributes."""
    position = 2 + int.from_bytes(body[:2], "big")
    position += 2
    while position < len(body):
        flags, code = body[position], body[position + 1]
        if flags & 0x10:
            start, length = position + 4, int.from_bytes(body[position + 2 : position + 4], "big")
        else:
            start, length = position + 3, body[position + 2]
        yield code, body[start : start + length]
        position = start + length


def nlri_of(body: bytes) -> tuple[bytes, bytes]:
    """The announced and the withdrawn NLRI bytes of an UPDATE's multiprotocol attributes."""
    announced = withdrawn = b""
    for code, value in attributes_of(body):
        if code == 14:
            announced = value[5 + value[3] :]
        elif code == 15:
            withdrawn = value[3:]
    return announced, withdrawn


def split_evpn(nlri: bytes) -> list[bytes]:
    """E-VPN NLRIs, each with its type and length."""
    found, position = [], 0
    while position < len(nlri):
        end = position + 2 + nlri[position + 1]
        found.append(nlri[position:end])
        position = end
    return found
