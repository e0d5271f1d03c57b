"""Links of the kinds that routed VPNs are made of: VRF, tunnels that carry MPLS (RFC 4023, RFC 7510), macvlan."""

from __future__ import annotations

import struct

from hornpipe.netlink.link import header
from hornpipe.netlink.message import attribute, nested, text, u8, u32
from hornpipe.netlink.number import (
    IFLA_ADDRESS,
    IFLA_GRE_LOCAL,
    IFLA_GRE_REMOTE,
    IFLA_GRE_TTL,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_IPTUN_ENCAP_DPORT,
    IFLA_IPTUN_ENCAP_FLAGS,
    IFLA_IPTUN_ENCAP_SPORT,
    IFLA_IPTUN_ENCAP_TYPE,
    IFLA_IPTUN_LOCAL,
    IFLA_IPTUN_PROTO,
    IFLA_IPTUN_REMOTE,
    IFLA_IPTUN_TTL,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MACVLAN_MODE,
    IFLA_VRF_TABLE,
    IPPROTO_MPLS,
    MACVLAN_MODE_PRIVATE,
    TUNNEL_ENCAP_FLAG_CSUM6,
    TUNNEL_ENCAP_FOU,
)

TTL = 64
"""Of the outer header; a fixed one makes the kernel set the don't-fragment bit, so that path MTU discovery works."""


def _new(name: str, kind: str, *data: bytes, extra: bytes = b"") -> bytes:
    info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, *data))
    return header() + text(IFLA_IFNAME, name) + extra + info


def new_vrf(name: str, table: int) -> bytes:
    return _new(name, "vrf", u32(IFLA_VRF_TABLE, table))


def new_gre(name: str, local: bytes, remote: bytes) -> bytes:
    """Without `remote` multipoint: the neighbours on it say where to."""
    data = (attribute(IFLA_GRE_LOCAL, local), attribute(IFLA_GRE_REMOTE, remote) if remote else b"")
    return _new(name, gre_kind(local), *data, u8(IFLA_GRE_TTL, TTL))


def gre_kind(local: bytes) -> str:
    return "gre" if len(local) == 4 else "ip6gre"


def new_udp(name: str, local: bytes, remote: bytes, dstport: int) -> bytes:
    """MPLS in UDP; the source port follows from the flow (RFC 7510 section 3), so that the underlay can spread it."""
    flags = TUNNEL_ENCAP_FLAG_CSUM6 if len(local) == 16 else 0
    return _new(
        name,
        udp_kind(local),
        attribute(IFLA_IPTUN_LOCAL, local),
        attribute(IFLA_IPTUN_REMOTE, remote),
        u8(IFLA_IPTUN_TTL, TTL),
        u8(IFLA_IPTUN_PROTO, IPPROTO_MPLS),
        attribute(IFLA_IPTUN_ENCAP_TYPE, struct.pack("=H", TUNNEL_ENCAP_FOU)),
        attribute(IFLA_IPTUN_ENCAP_FLAGS, struct.pack("=H", flags)),
        attribute(IFLA_IPTUN_ENCAP_SPORT, bytes(2)),
        attribute(IFLA_IPTUN_ENCAP_DPORT, dstport.to_bytes(2, "big")),
    )


def udp_kind(local: bytes) -> str:
    return "ipip" if len(local) == 4 else "ip6tnl"


def new_macvlan(name: str, lower: int, mac: bytes) -> bytes:
    """Private: it hears the other devices on `lower` only from outside."""
    data = u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE)
    return _new(name, "macvlan", data, extra=u32(IFLA_LINK, lower) + attribute(IFLA_ADDRESS, mac))
