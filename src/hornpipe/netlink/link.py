"""Links (struct ifinfomsg): requests that make and change them, and what the kernel says of them."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, attributes, integer, nested, string, text, u8, u32
from hornpipe.netlink.number import (
    ADDR_GEN_NONE,
    AF_BRIDGE,
    AF_INET6,
    IFF_LOWER_UP,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_AF_SPEC,
    IFLA_BR_FORWARD_DELAY,
    IFLA_BR_MCAST_SNOOPING,
    IFLA_BR_STP_STATE,
    IFLA_BR_VLAN_DEFAULT_PVID,
    IFLA_BRPORT_LEARNING,
    IFLA_BRPORT_NEIGH_SUPPRESS,
    IFLA_EXT_MASK,
    IFLA_GRE_LOCAL,
    IFLA_GRE_REMOTE,
    IFLA_GROUP,
    IFLA_IFALIAS,
    IFLA_IFNAME,
    IFLA_INET6_ADDR_GEN_MODE,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_INFO_SLAVE_DATA,
    IFLA_INFO_SLAVE_KIND,
    IFLA_IPTUN_ENCAP_DPORT,
    IFLA_IPTUN_ENCAP_TYPE,
    IFLA_IPTUN_LOCAL,
    IFLA_IPTUN_REMOTE,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    IFLA_PROTINFO,
    IFLA_VRF_TABLE,
    IFLA_VXLAN_ID,
    IFLA_VXLAN_LEARNING,
    IFLA_VXLAN_LOCAL,
    IFLA_VXLAN_LOCAL6,
    IFLA_VXLAN_PORT,
    RTEXT_FILTER_SKIP_STATS,
    VETH_INFO_PEER,
)

_IFINFOMSG = struct.Struct("=BBHiII")
"""family, pad, device type, ifindex, flags, change mask"""
IFINFOMSG_SIZE = 16
MADE = 0x48500002
"""Group of every link that is made here; a number nobody else is likely to use."""
LEAVING = range(0x48510000, 0x48520000)
"""Groups of links of ours that are being deleted: each request has its own."""
MADE_ALIAS = "hornpipe:\0"
"""Begins as the alias of a link of ours does (`hornpipe.forwarding.entry.ALIAS`) and is no alias: none has a zero."""
_TUNNELS = dict.fromkeys(("gre", "ip6gre"), (IFLA_GRE_LOCAL, IFLA_GRE_REMOTE)) | dict.fromkeys(
    ("ipip", "ip6tnl"), (IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE)
)
_ENCAPS = {1: "fou", 2: "gue"}


def header(index: int = 0, up: bool | None = None) -> bytes:
    """`up` None: the state is left as it is."""
    return _IFINFOMSG.pack(0, 0, 0, index, IFF_UP if up else 0, 0 if up is None else IFF_UP)


def new_bridge(name: str, mac: bytes, mtu: int | None) -> bytes:
    """No STP, no delay, no multicast snooping (without a querier it would cut multicast off after some minutes).

    And no default VLAN, with which the kernel would make every FDB entry twice, with and without it.
    """
    data = nested(
        IFLA_INFO_DATA,
        u32(IFLA_BR_FORWARD_DELAY, 0),
        u32(IFLA_BR_STP_STATE, 0),
        u8(IFLA_BR_MCAST_SNOOPING, 0),
        attribute(IFLA_BR_VLAN_DEFAULT_PVID, bytes(2)),
    )
    return (
        header()
        + text(IFLA_IFNAME, name)
        # An address that is set stays; else the bridge takes the lowest of its ports', whichever come and go.
        + attribute(IFLA_ADDRESS, mac)
        + (u32(IFLA_MTU, mtu) if mtu else b"")
        + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"), data)
    )


def new_vxlan(name: str, vni: int, local: bytes, dstport: int, mtu: int | None) -> bytes:
    data = nested(
        IFLA_INFO_DATA,
        u32(IFLA_VXLAN_ID, vni),
        attribute(IFLA_VXLAN_LOCAL if len(local) == 4 else IFLA_VXLAN_LOCAL6, local),
        attribute(IFLA_VXLAN_PORT, dstport.to_bytes(2, "big")),
        u8(IFLA_VXLAN_LEARNING, 0),
    )
    return (
        header()
        + text(IFLA_IFNAME, name)
        + (u32(IFLA_MTU, mtu) if mtu else b"")
        + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "vxlan"), data)
    )


def new_veth(name: str, peer: str, peer_mac: bytes, netns: int, mtu: int | None, master: int = 0) -> bytes:
    """`netns` is an open descriptor: the peer is made inside, so its name need not be free here."""
    size = u32(IFLA_MTU, mtu) if mtu else b""
    inside = header() + text(IFLA_IFNAME, peer) + attribute(IFLA_ADDRESS, peer_mac) + u32(IFLA_NET_NS_FD, netns) + size
    data = nested(IFLA_INFO_DATA, nested(VETH_INFO_PEER, inside))
    size += u32(IFLA_MASTER, master) if master else b""
    return header() + text(IFLA_IFNAME, name) + size + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth"), data)


def change(
    index: int,
    *,
    up: bool | None = None,
    mtu: int | None = None,
    mac: bytes | None = None,
    alias: str | None = None,
    master: int | None = None,
    name: str | None = None,
) -> bytes:
    """An empty alias removes it; master 0 releases."""
    return (
        header(index, up)
        + (text(IFLA_IFNAME, name) if name else b"")
        + (u32(IFLA_MTU, mtu) if mtu else b"")
        + (attribute(IFLA_ADDRESS, mac) if mac else b"")
        + (attribute(IFLA_IFALIAS, alias.encode()) if alias is not None else b"")
        + (u32(IFLA_MASTER, master) if master is not None else b"")
    )


def change_bridge(index: int) -> bytes:
    data = nested(IFLA_INFO_DATA, u8(IFLA_BR_MCAST_SNOOPING, 0))
    return header(index) + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"), data)


def change_vxlan(index: int, local: bytes) -> bytes:
    kind = IFLA_VXLAN_LOCAL if len(local) == 4 else IFLA_VXLAN_LOCAL6
    data = nested(IFLA_INFO_DATA, attribute(kind, local), u8(IFLA_VXLAN_LEARNING, 0))
    return header(index) + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "vxlan"), data)


def change_port(index: int, learning: bool, suppress: bool | None = None) -> bytes:
    """Flags of a bridge port."""
    flags = u8(IFLA_BRPORT_LEARNING, learning)
    if suppress is not None:
        flags += u8(IFLA_BRPORT_NEIGH_SUPPRESS, suppress)
    info = nested(IFLA_LINKINFO, text(IFLA_INFO_SLAVE_KIND, "bridge"), nested(IFLA_INFO_SLAVE_DATA, flags))
    return header(index) + info


def change_addr_gen(index: int, mode: int = ADDR_GEN_NONE) -> bytes:
    """No IPv6 link-local address: a bridge port, or a bridge that is nobody's gateway, is not an IPv6 host."""
    return header(index) + nested(IFLA_AF_SPEC, nested(AF_INET6, u8(IFLA_INET6_ADDR_GEN_MODE, mode)))


def by_name(name: str) -> bytes:
    return header() + text(IFLA_IFNAME, name) + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)


def by_index(index: int) -> bytes:
    return header(index) + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)


def dump() -> bytes:
    return header() + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)


def made_by_us() -> bytes:
    """To be added to the payload of a link that is made: whoever dies before the alias is set leaves this mark."""
    return u32(IFLA_GROUP, MADE)


class LinkMessage:
    """RTM_NEWLINK or RTM_DELLINK as read. AF_BRIDGE messages tell only of a port's flags (`is_port_event`)."""

    __slots__ = (
        "alias",
        "bridge",
        "carrier",
        "details",
        "index",
        "is_port_event",
        "kind",
        "leaves",
        "mac",
        "master",
        "mtu",
        "name",
        "peer",
        "port",
        "up",
        "vxlan",
    )

    def __init__(self, data: bytes, start: int, end: int) -> None:
        family, _, _, index, flags, _ = _IFINFOMSG.unpack_from(data, start)
        found = attributes(data, start + IFINFOMSG_SIZE, end)
        info = attributes(found.get(IFLA_LINKINFO, b""))
        details = attributes(info.get(IFLA_INFO_DATA, b""))
        self.is_port_event = family == AF_BRIDGE
        self.index: int = index
        self.up = bool(flags & IFF_UP)
        self.carrier = bool(flags & IFF_LOWER_UP)
        self.name = string(found.get(IFLA_IFNAME, b""))
        self.mac = found.get(IFLA_ADDRESS, b"")
        self.mtu = integer(found.get(IFLA_MTU, b""))
        self.master = integer(found.get(IFLA_MASTER, b""))
        self.peer = integer(found.get(IFLA_LINK, b""))
        # The alias comes after the link. Until then the group, which comes with it, says that it is ours, of nothing.
        group = integer(found.get(IFLA_GROUP, b""))
        self.alias = string(found.get(IFLA_IFALIAS, b"")) or (MADE_ALIAS if group == MADE else "")
        self.leaves = group in LEAVING
        self.kind = string(info.get(IFLA_INFO_KIND, b""))
        self.details = details
        self.vxlan = details if self.kind == "vxlan" else {}
        self.bridge = details if self.kind == "bridge" else {}
        is_port = info.get(IFLA_INFO_SLAVE_KIND, b"").startswith(b"bridge")
        self.port = attributes(info.get(IFLA_INFO_SLAVE_DATA, b"")) if is_port else {}
        if self.is_port_event:
            self.port = attributes(found.get(IFLA_PROTINFO, b""))

    @property
    def vni(self) -> int:
        return integer(self.vxlan.get(IFLA_VXLAN_ID, b""))

    @property
    def local(self) -> bytes:
        """Of a VXLAN device or a tunnel."""
        if self.kind in _TUNNELS:
            return self.details.get(_TUNNELS[self.kind][0], b"")
        return self.vxlan.get(IFLA_VXLAN_LOCAL) or self.vxlan.get(IFLA_VXLAN_LOCAL6, b"")

    @property
    def remote(self) -> bytes:
        """Of a tunnel; empty: it is multipoint."""
        packed = self.details.get(_TUNNELS[self.kind][1], b"") if self.kind in _TUNNELS else b""
        return packed if any(packed) else b""

    @property
    def dstport(self) -> int:
        """Of a VXLAN device, or of a tunnel in UDP."""
        kind = IFLA_IPTUN_ENCAP_DPORT if self.encap else IFLA_VXLAN_PORT
        return int.from_bytes((self.details if self.encap else self.vxlan).get(kind, b""), "big")

    @property
    def encap(self) -> str:
        """Of a tunnel in UDP: fou or gue."""
        if self.kind not in ("ipip", "ip6tnl"):
            return ""
        return _ENCAPS.get(integer(self.details.get(IFLA_IPTUN_ENCAP_TYPE, b"")), "")

    @property
    def table(self) -> int:
        return integer(self.details.get(IFLA_VRF_TABLE, b"")) if self.kind == "vrf" else 0

    @property
    def vxlan_learning(self) -> bool:
        return self.vxlan.get(IFLA_VXLAN_LEARNING) == b"\x01"

    @property
    def port_learning(self) -> bool | None:
        """None: not a bridge port."""
        value = self.port.get(IFLA_BRPORT_LEARNING)
        return None if value is None else value != b"\x00"

    @property
    def suppress(self) -> bool | None:
        value = self.port.get(IFLA_BRPORT_NEIGH_SUPPRESS)
        return None if value is None else value != b"\x00"

    @property
    def snooping(self) -> bool | None:
        """None: not a bridge."""
        value = self.bridge.get(IFLA_BR_MCAST_SNOOPING)
        return None if value is None else value != b"\x00"
