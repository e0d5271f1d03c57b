"""Labels: stacks (RFC 3032 section 2.1), and the label table (AF_MPLS routes), where a label is popped."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from hornpipe.netlink.message import HEADER, attribute, attributes, integer, u32
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    AF_MPLS,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    PROTOCOL,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_NEWDST,
    RTA_OIF,
    RTA_VIA,
    RTM_DELROUTE,
    RTM_F_FIB_MATCH,
    RTM_NEWROUTE,
    RTN_UNICAST,
)

_RTMSG = struct.Struct("=BBBBBBBBI")
_RTMSG_SIZE = 12
_LABEL_BITS = 20
_BOTTOM = 0x100
_VIA = struct.Struct("=H")


def stack(labels: tuple[int, ...]) -> bytes:
    """Label stack entries, outermost first, the last with the bottom-of-stack bit; TTL 0, the kernel sets it."""
    words = [label << 12 for label in labels]
    words[-1] |= _BOTTOM
    return struct.pack(f">{len(words)}I", *words)


def unstack(packed: bytes) -> tuple[int, ...]:
    return tuple(word >> 12 for (word,) in struct.iter_unpack(">I", packed[: len(packed) & ~3]))


def _label(key: bytes) -> bytes:
    return attribute(RTA_DST, stack((int.from_bytes(key, "big"),)))


def via(gateway: bytes) -> bytes:
    """RTA_VIA: a gateway of whatever family."""
    return attribute(RTA_VIA, _VIA.pack(AF_INET if len(gateway) == 4 else AF_INET6) + gateway)


def label_adds(adds: Mapping[bytes, tuple[int, bytes]], sequence: int) -> list[bytes]:
    """Label (4 bytes, big endian) -> (ifindex, gateway or empty): it is popped and what is under it goes there. By a
    VRF's device without gateway the packet is looked up in that VRF."""
    head = _RTMSG.pack(AF_MPLS, _LABEL_BITS, 0, 0, RT_TABLE_MAIN, PROTOCOL, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0)
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE
    packed: list[bytes] = []
    for key, (index, gateway) in adds.items():
        payload = head + _label(key) + u32(RTA_OIF, index) + (via(gateway) if gateway else b"")
        packed.append(HEADER.pack(16 + len(payload), RTM_NEWROUTE, flags, sequence + len(packed), 0) + payload)
    return packed


def label_deletes(keys: Mapping[bytes, object], sequence: int) -> list[bytes]:
    head = _RTMSG.pack(AF_MPLS, _LABEL_BITS, 0, 0, RT_TABLE_MAIN, PROTOCOL, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0)
    packed: list[bytes] = []
    for key in keys:
        payload = head + _label(key)
        packed.append(HEADER.pack(16 + len(payload), RTM_DELROUTE, NLM_F_REQUEST, sequence + len(packed), 0) + payload)
    return packed


def label_dump(protocol: int = 0) -> bytes:
    """The whole label table, or with strict checking what one protocol has in it."""
    return _RTMSG.pack(AF_MPLS, 0, 0, 0, 0, protocol, 0, 0, 0)


def label_get(label: bytes) -> bytes:
    """Payload of RTM_GETROUTE for one label (4 bytes, big endian)."""
    return _RTMSG.pack(AF_MPLS, _LABEL_BITS, 0, 0, 0, 0, 0, 0, RTM_F_FIB_MATCH) + _label(label)


class LabelRoute:
    """An entry of the label table as in a dump or an event."""

    __slots__ = ("gateway", "index", "label", "out", "protocol")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.protocol: int = data[start + 5]
        found = attributes(data, start + _RTMSG_SIZE, end)
        labels = unstack(found.get(RTA_DST, b""))
        self.label = labels[0].to_bytes(4, "big") if labels else b""
        self.index = integer(found.get(RTA_OIF, b""))
        self.gateway = found.get(RTA_VIA, b"")[2:]
        self.out = unstack(found.get(RTA_NEWDST, b""))
        """What the label is swapped for; empty: it is popped."""
