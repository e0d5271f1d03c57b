"""FDB entries and neighbours (struct ndmsg).

Packing is the hot path: all that is equal for many entries is precompiled, so one call of one `struct.Struct` makes a
message. The caller's value (VTEP, VNI, sticky) is interned, so its bytes are found by one dict lookup.

What is written looks as what other EVPN implementations write (`bridge fdb` shows ``extern_learn``): one message makes
the bridge's entry (``master``) and the VXLAN device's (``self``). Neither ages such entries, but the device forgets
them when it is set down (and says nothing).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from hornpipe.netlink.message import attribute, attributes, integer, u8, u32
from hornpipe.netlink.number import (
    AF_BRIDGE,
    AF_INET,
    AF_INET6,
    NDA_DST,
    NDA_IFINDEX,
    NDA_LLADDR,
    NDA_MASTER,
    NDA_PROTOCOL,
    NDA_VLAN,
    NDA_VNI,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    NTF_EXT_LEARNED,
    NTF_MASTER,
    NTF_ROUTER,
    NTF_SELF,
    NTF_STICKY,
    NUD_NOARP,
    NUD_PERMANENT,
    NUD_REACHABLE,
    PROTOCOL,
    RTM_DELNEIGH,
    RTM_NEWNEIGH,
)

_HEAD = struct.Struct("=IHH")
_NDMSG = struct.Struct("=BBHiHBB")
"""family, pad, pad, ifindex, state, flags, type"""
NDMSG_SIZE = 12
_ZERO_MAC = bytes(6)
_RTN_UNICAST = 1
_OURS = NTF_EXT_LEARNED | NTF_STICKY

Pack = Callable[..., bytes]


def _ndmsg(family: int, index: int, state: int, flags: int, kind: int = 0) -> bytes:
    return _NDMSG.pack(family, 0, 0, index, state, flags, kind)


def _destination(vtep: bytes, vni: int) -> bytes:
    return attribute(NDA_DST, vtep) + (u32(NDA_VNI, vni) if vni else b"")


def _one(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    return _HEAD.pack(16 + len(payload), kind, flags) + struct.pack("=II", sequence, 0) + payload


def fdb_adds(index: int, adds: Mapping[bytes, tuple[bytes, int, bool]], sequence: int) -> list[bytes]:
    """MAC -> (VTEP, VNI or 0, sticky) on a VXLAN device that is a bridge port: ``self`` and ``master``."""
    forms: dict[tuple[bytes, int, bool], tuple[Pack, bytes, bytes, bytes]] = {}
    packed: list[bytes] = []
    for mac, value in adds.items():
        form = forms.get(value)
        if form is None:
            form = forms[value] = _fdb_form(index, *value)
        pack, head, middle, tail = form
        packed.append(pack(head, sequence, middle, mac, tail))
        sequence += 1
    return packed


def _fdb_form(index: int, vtep: bytes, vni: int, sticky: bool) -> tuple[Pack, bytes, bytes, bytes]:
    tail = b"\x00\x00" + _destination(vtep, vni)
    head = _HEAD.pack(8 + 4 + 20 + 6 + len(tail), RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE)
    # A sticky entry must be made by the bridge's own path, which an extern_learn one bypasses; both marks are ours.
    mark = NTF_STICKY if sticky else NTF_EXT_LEARNED
    middle = bytes(4) + _ndmsg(AF_BRIDGE, index, NUD_REACHABLE, NTF_SELF | NTF_MASTER | mark)
    middle += struct.pack("=HH", 10, NDA_LLADDR)
    return struct.Struct(f"=8sI20s6s{len(tail)}s").pack, head, middle, tail


def fdb_deletes(
    index: int, keys: Mapping[bytes, int], sequence: int, flags: int = NTF_SELF | NTF_MASTER
) -> list[bytes]:
    """With both flags the kernel stops at the first that fails: after ENOENT repeat with NTF_SELF alone."""
    head = _HEAD.pack(40, RTM_DELNEIGH, NLM_F_REQUEST)
    middle = bytes(4) + _ndmsg(AF_BRIDGE, index, 0, flags) + struct.pack("=HH", 10, NDA_LLADDR)
    pack = struct.Struct("=8sI20s6s2x").pack
    return [pack(head, number, middle, mac) for number, mac in enumerate(keys, sequence)]


def neigh_adds(index: int, adds: Mapping[bytes, tuple[bytes, bool]], sequence: int) -> list[bytes]:
    """IP -> (MAC, router) on a bridge; the bridge answers ARP and ND for it (neigh_suppress).

    On a multipoint tunnel the MAC is the remote's address, 4 or 16 bytes.
    """
    forms: dict[tuple[int, int, bool], tuple[Pack, bytes, bytes, bytes, bytes]] = {}
    packed: list[bytes] = []
    for ip, (mac, router) in adds.items():
        kind = (len(ip), len(mac), router)
        form = forms.get(kind)
        if form is None:
            form = forms[kind] = _neigh_form(index, *kind)
        pack, head, middle, hardware, tail = form
        packed.append(pack(head, sequence, middle, ip, hardware, mac, tail))
        sequence += 1
    return packed


def _neigh_form(index: int, size: int, hardware: int, router: bool) -> tuple[Pack, bytes, bytes, bytes, bytes]:
    tail = bytes(-hardware & 3) + u8(NDA_PROTOCOL, PROTOCOL)
    head = _HEAD.pack(36 + size + hardware + len(tail), RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE)
    flags = NTF_EXT_LEARNED | (NTF_ROUTER if router else 0)
    middle = bytes(4) + _ndmsg(AF_INET if size == 4 else AF_INET6, index, NUD_NOARP, flags, _RTN_UNICAST)
    middle += struct.pack("=HH", 4 + size, NDA_DST)
    pack = struct.Struct(f"=8sI20s{size}s4s{hardware}s{len(tail)}s").pack
    return pack, head, middle, struct.pack("=HH", 4 + hardware, NDA_LLADDR), tail


def permanent_neigh(index: int, ip: bytes, mac: bytes) -> bytes:
    """Payload of RTM_NEWNEIGH: a station on a routed port. Permanent ones survive a loss of carrier."""
    family = AF_INET if len(ip) == 4 else AF_INET6
    payload = _ndmsg(family, index, NUD_PERMANENT, 0, _RTN_UNICAST) + attribute(NDA_DST, ip)
    return payload + attribute(NDA_LLADDR, mac) + u8(NDA_PROTOCOL, PROTOCOL)


def local_address(index: int, mac: bytes) -> bytes:
    """Payload of RTM_NEWNEIGH: a bridge takes frames to `mac` for its own."""
    return _ndmsg(AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF) + attribute(NDA_LLADDR, mac)


def neigh_deletes(index: int, keys: Mapping[bytes, int], sequence: int) -> list[bytes]:
    packed: list[bytes] = []
    for ip in keys:
        payload = _ndmsg(AF_INET if len(ip) == 4 else AF_INET6, index, 0, 0) + attribute(NDA_DST, ip)
        packed.append(_one(RTM_DELNEIGH, NLM_F_REQUEST, sequence, payload))
        sequence += 1
    return packed


def flood_adds(index: int, adds: Mapping[bytes, object], sequence: int) -> list[bytes]:
    """VTEP + VNI (4 bytes, big endian) appended to the all-zeros entry: where unknown and broadcast frames go."""
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND
    state, ours = NUD_NOARP | NUD_PERMANENT, NTF_SELF | NTF_EXT_LEARNED
    return [
        _one(RTM_NEWNEIGH, flags, number, _flood(index, state, ours, key)) for number, key in enumerate(adds, sequence)
    ]


def flood_deletes(index: int, keys: Mapping[bytes, int], sequence: int) -> list[bytes]:
    return [
        _one(RTM_DELNEIGH, NLM_F_REQUEST, number, _flood(index, 0, NTF_SELF, key))
        for number, key in enumerate(keys, sequence)
    ]


def _flood(index: int, state: int, flags: int, key: bytes) -> bytes:
    ndmsg = _ndmsg(AF_BRIDGE, index, state, flags)
    return ndmsg + attribute(NDA_LLADDR, _ZERO_MAC) + _destination(key[:-4], int.from_bytes(key[-4:], "big"))


def local_adds(adds: Mapping[bytes, int], sequence: int) -> list[bytes]:
    """MAC -> ifindex of the bridge port it is on."""
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE
    return [
        _one(RTM_NEWNEIGH, flags, number, _local(port, NUD_REACHABLE, NTF_MASTER | NTF_EXT_LEARNED, mac))
        for number, (mac, port) in enumerate(adds.items(), sequence)
    ]


def local_deletes(keys: Mapping[bytes, int], sequence: int) -> list[bytes]:
    return [
        _one(RTM_DELNEIGH, NLM_F_REQUEST, number, _local(port, 0, NTF_MASTER, mac))
        for number, (mac, port) in enumerate(keys.items(), sequence)
    ]


def _local(port: int, state: int, flags: int, mac: bytes) -> bytes:
    return _ndmsg(AF_BRIDGE, port, state, flags) + attribute(NDA_LLADDR, mac)


# ---- questions


def fdb_dump(bridge: int) -> bytes:
    """Payload of RTM_GETNEIGH for all entries on the ports of a bridge, with strict checking."""
    return _ndmsg(AF_BRIDGE, 0, 0, 0) + u32(NDA_MASTER, bridge)


def neigh_dump(family: int, index: int = 0) -> bytes:
    """Of all links, or with strict checking of one."""
    return _ndmsg(family, 0, 0, 0) + (u32(NDA_IFINDEX, index) if index else b"")


def fdb_get(index: int, mac: bytes) -> bytes:
    """Payload of RTM_GETNEIGH for one ``self`` entry."""
    return _ndmsg(AF_BRIDGE, index, 0, NTF_SELF) + attribute(NDA_LLADDR, mac)


def bridge_get(bridge: int, mac: bytes) -> bytes:
    """The same for one of a bridge's own table."""
    return _ndmsg(AF_BRIDGE, 0, 0, 0) + attribute(NDA_LLADDR, mac) + u32(NDA_MASTER, bridge)


def device_dump(index: int) -> bytes:
    """Payload of RTM_GETNEIGH for all FDB entries of one bridge port, with strict checking."""
    return _ndmsg(AF_BRIDGE, 0, 0, 0) + u32(NDA_IFINDEX, index)


def neigh_get(index: int, ip: bytes) -> bytes:
    """The same for a neighbour."""
    return _ndmsg(AF_INET if len(ip) == 4 else AF_INET6, index, 0, 0) + attribute(NDA_DST, ip)


# ---- what the kernel says


class Neigh:
    """One neighbour or FDB entry as in a dump or an event."""

    __slots__ = ("dst", "family", "flags", "index", "lladdr", "master", "protocol", "state", "vlan", "vni")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        family, _, _, index, state, flags, _ = _NDMSG.unpack_from(data, start)
        found = attributes(data, start + NDMSG_SIZE, end)
        self.family: int = family
        self.index: int = index
        self.state: int = state
        self.flags: int = flags
        self.dst = found.get(NDA_DST, b"")
        self.lladdr = found.get(NDA_LLADDR, b"")
        self.vni = integer(found.get(NDA_VNI, b""))
        self.vlan = integer(found.get(NDA_VLAN, b""))
        self.master = integer(found.get(NDA_MASTER, b""))
        self.protocol = integer(found.get(NDA_PROTOCOL, b""))

    @property
    def is_self(self) -> bool:
        return bool(self.flags & NTF_SELF)

    @property
    def is_marked(self) -> bool:
        """Carries the mark that we give to what we write (and others to theirs)."""
        return bool(self.flags & _OURS)

    @property
    def is_permanent(self) -> bool:
        return bool(self.state & NUD_PERMANENT)

    @property
    def is_sticky(self) -> bool:
        return bool(self.flags & NTF_STICKY)
