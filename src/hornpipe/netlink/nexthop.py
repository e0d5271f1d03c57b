"""Nexthop objects (struct nhmsg): one way out under a number, or a group of them, that many routes name.

All are made with NLM_F_REPLACE: a single one can be replaced by another, a group by another, but not across.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from hornpipe.netlink.message import HEADER, attribute, attributes, integer, nested, u32
from hornpipe.netlink.mpls import stack, unstack
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    LWTUNNEL_ENCAP_MPLS,
    MPLS_IPTUNNEL_DST,
    NHA_BLACKHOLE,
    NHA_ENCAP,
    NHA_ENCAP_TYPE,
    NHA_GATEWAY,
    NHA_GROUP,
    NHA_ID,
    NHA_OIF,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    PROTOCOL,
    RTM_DELNEXTHOP,
    RTM_NEWNEXTHOP,
    RTNH_F_ONLINK,
)

_NHMSG = struct.Struct("=BBBBI")
"""family, scope, protocol, reserved, flags"""
NHMSG_SIZE = 8
_MEMBER = struct.Struct("=IBBH")
"""id, weight - 1, reserved, reserved"""
WEIGHT_MAX = 256


def single(number: int, family: int, index: int, gateway: bytes, labels: tuple[int, ...]) -> bytes:
    """`family`: that of the routes if there is no gateway, else the gateway's counts. A gateway is taken as on link."""
    if gateway:
        family = AF_INET if len(gateway) == 4 else AF_INET6
    payload = _NHMSG.pack(family, 0, PROTOCOL, 0, RTNH_F_ONLINK if gateway else 0)
    payload += u32(NHA_ID, number) + u32(NHA_OIF, index)
    if gateway:
        payload += attribute(NHA_GATEWAY, gateway)
    if labels:
        payload += attribute(NHA_ENCAP_TYPE, struct.pack("=H", LWTUNNEL_ENCAP_MPLS))
        payload += nested(NHA_ENCAP, attribute(MPLS_IPTUNNEL_DST, stack(labels)))
    return payload


def blackhole(number: int, family: int) -> bytes:
    return _NHMSG.pack(family, 0, PROTOCOL, 0, 0) + u32(NHA_ID, number) + attribute(NHA_BLACKHOLE, b"")


def group(number: int, members: Sequence[tuple[int, int]]) -> bytes:
    """`members`: (id, weight from 1 to 256)."""
    packed = b"".join(_MEMBER.pack(member, weight - 1, 0, 0) for member, weight in members)
    return _NHMSG.pack(0, 0, PROTOCOL, 0, 0) + u32(NHA_ID, number) + attribute(NHA_GROUP, packed)


def by_number(number: int) -> bytes:
    """Payload of RTM_DELNEXTHOP and of RTM_GETNEXTHOP for one."""
    return _NHMSG.pack(0, 0, 0, 0, 0) + u32(NHA_ID, number)


def nexthop_dump() -> bytes:
    return _NHMSG.pack(0, 0, 0, 0, 0)


def nexthop_adds(payloads: Iterable[bytes], sequence: int) -> list[bytes]:
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE
    return [
        HEADER.pack(16 + len(payload), RTM_NEWNEXTHOP, flags, number, 0) + payload
        for number, payload in enumerate(payloads, sequence)
    ]


def nexthop_deletes(numbers: Iterable[int], sequence: int) -> list[bytes]:
    return [
        HEADER.pack(16 + NHMSG_SIZE + 8, RTM_DELNEXTHOP, NLM_F_REQUEST, at, 0) + by_number(number)
        for at, number in enumerate(numbers, sequence)
    ]


class Nexthop:
    """A nexthop object as in a dump or an event."""

    __slots__ = ("blackhole", "family", "gateway", "index", "labels", "members", "number", "onlink", "protocol")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        family, _, protocol, _, flags = _NHMSG.unpack_from(data, start)
        found = attributes(data, start + NHMSG_SIZE, end)
        self.family: int = family
        self.protocol: int = protocol
        self.onlink = bool(flags & RTNH_F_ONLINK)
        self.number = integer(found.get(NHA_ID, b""))
        self.index = integer(found.get(NHA_OIF, b""))
        self.gateway = found.get(NHA_GATEWAY, b"")
        self.blackhole = NHA_BLACKHOLE in found
        self.labels: tuple[int, ...] = ()
        if integer(found.get(NHA_ENCAP_TYPE, b"")) == LWTUNNEL_ENCAP_MPLS:
            self.labels = unstack(attributes(found.get(NHA_ENCAP, b"")).get(MPLS_IPTUNNEL_DST, b""))
        packed = found.get(NHA_GROUP, b"")
        packed = packed[: len(packed) - len(packed) % _MEMBER.size]
        self.members = tuple((member, weight + 1) for member, weight, _, _ in _MEMBER.iter_unpack(packed))
        """(id, weight) of a group's."""
