"""EXTENDED_COMMUNITIES (RFC 4360): eight bytes each, kept as they are; those E-VPN uses are also read and made here.

Route target (RFC 4360, RFC 5668), encapsulation (RFC 9012 section 4.1, RFC 8365), MAC mobility, ES-Import and default
gateway (RFC 7432 sections 7.7, 7.6, 7.8), router's MAC (RFC 9135 section 8.1), ARP/ND flags (RFC 9047). Of routed VPNs:
traffic redirect (RFC 8955 section 7.4), route target record and consistent hash sort order (service chaining drafts of
the bess working group, as BaGPipe sends them), link bandwidth (draft-ietf-idr-link-bandwidth). A community of a type
nobody knows is opaque: it is never an error.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from struct import pack, unpack
from typing import TYPE_CHECKING, Final

from hornpipe.bgp.attr.malformed import Malformed
from hornpipe.net.mac import Mac
from hornpipe.net.rt import RouteTarget

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes

GRE: Final = 2
VXLAN: Final = 8
NVGRE: Final = 9
MPLS: Final = 10
MPLS_IN_GRE: Final = 11
MPLS_IN_UDP: Final = 13

NON_TRANSITIVE: Final = 0x40
"""This bit of the first byte keeps a community inside the AS (RFC 4360 section 2)."""

ND_ROUTER: Final = 0x01
ND_OVERRIDE: Final = 0x02
ND_IMMUTABLE: Final = 0x08

STICKY: Final = 1

TUNNEL_NAMES: Final[dict[int, str]] = {
    2: "gre",
    7: "ip-in-ip",
    8: "vxlan",
    9: "nvgre",
    10: "mpls",
    11: "mpls-in-gre",
    12: "vxlan-gpe",
    13: "mpls-in-udp",
    19: "geneve",
}


# ---- made ------------------------------------------------------------------------------------------------------------


def encapsulation(tunnel_type: int) -> bytes:
    return b"\x03\x0c\x00\x00\x00\x00" + tunnel_type.to_bytes(2, "big")


def mac_mobility(sequence: int, sticky: bool = False) -> bytes:
    return b"\x06\x00" + bytes((STICKY if sticky else 0, 0)) + sequence.to_bytes(4, "big")


def default_gateway() -> bytes:
    return b"\x03\x0d" + bytes(6)


def router_mac(mac: bytes) -> bytes:
    return b"\x06\x03" + mac


def es_import(mac: bytes) -> bytes:
    return b"\x06\x02" + mac


def nd_flags(flags: int) -> bytes:
    return b"\x06\x08" + bytes((flags, 0, 0, 0, 0, 0))


def redirect(target: bytes) -> bytes:
    """Into the VRF that imports this route target: type 0x8008, 0x8108 or 0x8208 by the form of the target."""
    return bytes((target[0] | 0x80, 0x08)) + target[2:]


def rt_record(target: bytes) -> bytes:
    """A route target that a route re-advertised has passed through."""
    return bytes((target[0], 0x13)) + target[2:]


def sort_order(order: int) -> bytes:
    """Where a route stands among equal ones, for a hash that all routers compute alike; 32 bits."""
    return b"\x03\x14" + order.to_bytes(4, "big") + bytes(2)


def link_bandwidth(asn: int, rate: float) -> bytes:
    """Not transitive; `rate` in bytes a second, `asn` of two octets (AS_TRANS for a longer one)."""
    return b"\x40\x04" + pack(">Hf", asn if asn < 1 << 16 else 23456, rate)


# ---- read ------------------------------------------------------------------------------------------------------------


def decode(value: bytes, attributes: Attributes, as4: bool) -> None:
    if not value or len(value) & 7:
        raise Malformed(f"EXTENDED_COMMUNITIES of {len(value)} bytes")
    communities = [value[at : at + 8] for at in range(0, len(value), 8)]
    attributes.ext_communities = tuple(communities)
    targets: list[bytes] = []
    for community in communities:
        kind = community[0] << 8 | community[1]
        if kind in _ROUTE_TARGETS:
            targets.append(community)
            continue
        reader = _READERS.get(kind)
        if reader is not None:
            reader(community, attributes)
    attributes.route_targets = tuple(targets)


def _read_encapsulation(community: bytes, attributes: Attributes) -> None:
    attributes.encapsulations += (community[6] << 8 | community[7],)


def _read_mobility(community: bytes, attributes: Attributes) -> None:
    # Several are not foreseen; the highest is the one that cannot let an old location win.
    attributes.mobility = max(attributes.mobility, int.from_bytes(community[4:], "big"))
    attributes.sticky = attributes.sticky or bool(community[2] & STICKY)


def _read_default_gateway(community: bytes, attributes: Attributes) -> None:
    attributes.default_gateway = True


def _read_router_mac(community: bytes, attributes: Attributes) -> None:
    if attributes.router_mac is None:
        attributes.router_mac = community[2:]


def _read_es_import(community: bytes, attributes: Attributes) -> None:
    if attributes.es_import is None:
        attributes.es_import = community[2:]


def _read_nd_flags(community: bytes, attributes: Attributes) -> None:
    # RFC 9047 section 4: of several the first counts.
    if attributes.nd_flags is None:
        attributes.nd_flags = community[2]


def _read_redirect(community: bytes, attributes: Attributes) -> None:
    attributes.redirects += (_target(community),)


def _read_record(community: bytes, attributes: Attributes) -> None:
    attributes.rt_records += (_target(community),)


def _read_sort_order(community: bytes, attributes: Attributes) -> None:
    if attributes.sort_order is None:
        attributes.sort_order = int.from_bytes(community[2:6], "big")


def _read_bandwidth(community: bytes, attributes: Attributes) -> None:
    rate: float = unpack(">f", community[4:])[0]
    if attributes.link_bandwidth is None and isfinite(rate) and rate >= 0:
        attributes.link_bandwidth = rate


def _target(community: bytes) -> bytes:
    """The route target a redirect or a record is made of."""
    return bytes((community[0] & 0x7F, 0x02)) + community[2:]


_ROUTE_TARGETS: Final = frozenset((0x0002, 0x0102, 0x0202))

_READERS: Final[dict[int, Callable[[bytes, Attributes], None]]] = {
    0x0004: _read_bandwidth,
    0x0013: _read_record,
    0x0113: _read_record,
    0x0213: _read_record,
    0x030C: _read_encapsulation,
    0x030D: _read_default_gateway,
    0x0314: _read_sort_order,
    0x0600: _read_mobility,
    0x0602: _read_es_import,
    0x0603: _read_router_mac,
    0x0608: _read_nd_flags,
    0x4004: _read_bandwidth,
    0x8008: _read_redirect,
    0x8108: _read_redirect,
    0x8208: _read_redirect,
}


# ---- text ------------------------------------------------------------------------------------------------------------


def ext_community_text(community: bytes) -> str:
    """``rt:64512:80``, ``encapsulation:vxlan``, ``mac-mobility:3`` ...; hexadecimal for a type without a word."""
    kind = community[0] << 8 | community[1]
    if kind in _ROUTE_TARGETS:
        return f"rt:{RouteTarget(community)}"
    writer = _WRITERS.get(kind)
    return writer(community) if writer is not None else "0x" + community.hex()


def _origin_text(community: bytes) -> str:
    # The site of origin differs from a route target in the subtype alone (RFC 4360 section 5).
    return f"soo:{RouteTarget(community[:1] + _TARGET_SUBTYPE + community[2:])}"


def _encapsulation_text(community: bytes) -> str:
    tunnel = community[6] << 8 | community[7]
    return f"encapsulation:{TUNNEL_NAMES.get(tunnel, tunnel)}"


def _mobility_text(community: bytes) -> str:
    return f"mac-mobility:{int.from_bytes(community[4:], 'big')}" + (",sticky" if community[2] & STICKY else "")


def _nd_text(community: bytes) -> str:
    words = ((ND_ROUTER, "router"), (ND_OVERRIDE, "override"), (ND_IMMUTABLE, "immutable"))
    return "nd:" + (",".join([word for bit, word in words if community[2] & bit]) or "none")


def _label_text(community: bytes) -> str:
    flags = "single-active" if community[2] & 1 else "all-active"
    return f"esi-label:{int.from_bytes(community[5:], 'big')},{flags}"


def _redirect_text(community: bytes) -> str:
    return f"redirect:{RouteTarget(_target(community))}"


def _record_text(community: bytes) -> str:
    return f"rt-record:{RouteTarget(_target(community))}"


def _bandwidth_text(community: bytes) -> str:
    asn, rate = unpack(">Hf", community[2:])
    return f"link-bandwidth:{asn}:{rate:.0f}"


_TARGET_SUBTYPE: Final = b"\x02"

_WRITERS: Final[dict[int, Callable[[bytes], str]]] = {
    0x0003: _origin_text,
    0x0103: _origin_text,
    0x0203: _origin_text,
    0x0004: _bandwidth_text,
    0x0013: _record_text,
    0x0113: _record_text,
    0x0213: _record_text,
    0x0314: lambda community: f"sort-order:{int.from_bytes(community[2:6], 'big')}",
    0x030C: _encapsulation_text,
    0x030D: lambda community: "default-gateway",
    0x0600: _mobility_text,
    0x0601: _label_text,
    0x0602: lambda community: f"es-import:{Mac(community[2:])}",
    0x0603: lambda community: f"router-mac:{Mac(community[2:])}",
    0x0608: _nd_text,
    0x4004: _bandwidth_text,
    0x8008: _redirect_text,
    0x8108: _redirect_text,
    0x8208: _redirect_text,
}
