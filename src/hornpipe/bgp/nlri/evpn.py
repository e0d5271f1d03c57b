"""E-VPN routes: keys, values and text (RFC 7432 section 7, RFC 9136 for type 5, labels of RFC 8365 section 5.1.3).

A route is a pair of byte strings. The *key* is what makes two routes the same (RFC 7432 section 7.2): the type, then
the fields of the NLRI without the Ethernet segment (types 2 and 5), gateway and labels, which are the *payload*:

    1  Ethernet A-D      key 01 RD ESI tag                     payload label
    2  MAC/IP            key 02 RD tag 30 MAC iplen [IP]       payload ESI label [label]
    3  multicast         key 03 RD tag iplen IP                payload empty
    4  Ethernet segment  key 04 RD ESI iplen IP                payload empty
    5  IP prefix         key 05 RD tag plen prefix             payload ESI gateway label
    other                key 00 type length value              payload empty

A label is the raw 24 bits: a VNI where the encapsulation is VXLAN, 20 bits and bottom of stack where it is MPLS.
`evpn_wire` cuts NLRI fields into such pairs; the classes here build and read single routes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hornpipe.net.esi import Esi
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher

ETHERNET_AD: Final = 1
MAC_IP: Final = 2
MULTICAST: Final = 3
ETHERNET_SEGMENT: Final = 4
IP_PREFIX: Final = 5
UNKNOWN: Final = 0
"""First byte of the key of a type we only relay; the whole NLRI follows."""

NO_ESI: Final = bytes(10)
MAX_TAG: Final = 0xFFFFFFFF
"""The Ethernet tag of an Ethernet A-D route per segment (RFC 7432 section 8.2.1)."""

TYPE_NAMES: Final[dict[int, str]] = {1: "a-d", 2: "macadv", 3: "multicast", 4: "esi", 5: "prefix"}

_ZERO_TAG: Final = bytes(4)
_BITS: Final[dict[int, bytes]] = {0: b"\x00", 4: b"\x20", 16: b"\x80"}


def _tag(etag: int) -> bytes:
    return etag.to_bytes(4, "big") if etag else _ZERO_TAG


# ---- keys ------------------------------------------------------------------------------------------------------------


def mac_ip_key(rd: bytes, mac: bytes, ip: bytes = b"", etag: int = 0) -> bytes:
    return b"\x02" + rd + _tag(etag) + b"\x30" + mac + _BITS[len(ip)] + ip


def multicast_key(rd: bytes, ip: bytes, etag: int = 0) -> bytes:
    return b"\x03" + rd + _tag(etag) + _BITS[len(ip)] + ip


def type_of(key: bytes) -> int:
    """The route type; for one we only relay, the number it has on the wire."""
    return key[0] or key[1]


def rd_of(key: bytes) -> bytes:
    """The route distinguisher, packed; empty for a type we only relay."""
    return key[1:9] if key[0] else b""


def etag_of(key: bytes) -> int:
    kind = key[0]
    if kind == ETHERNET_AD:
        return int.from_bytes(key[19:23], "big")
    return int.from_bytes(key[9:13], "big") if kind in (MAC_IP, MULTICAST, IP_PREFIX) else 0


def mac_of(key: bytes) -> bytes:
    """The MAC of a type 2 key, packed."""
    return key[14:20]


def ip_of(key: bytes) -> bytes:
    """The IP address of a type 2, 3 or 4 key, packed; empty if it has none."""
    kind = key[0]
    if kind == MAC_IP:
        return key[21:]
    if kind == MULTICAST:
        return key[14:]
    return key[20:] if kind == ETHERNET_SEGMENT else b""


# ---- payloads --------------------------------------------------------------------------------------------------------


def mac_ip_payload(label: int, label2: int | None = None, esi: bytes = NO_ESI) -> bytes:
    """`label` is the L2 VNI (or MPLS field), `label2` the L3 one of symmetric IRB (RFC 9135)."""
    payload = esi + label.to_bytes(3, "big")
    return payload if label2 is None else payload + label2.to_bytes(3, "big")


def label_of(payload: bytes) -> int:
    """The first label as its raw 24 bits; 0 for types 3 and 4, which have none."""
    size = len(payload)
    if size in (13, 16):
        return payload[10] << 16 | payload[11] << 8 | payload[12]
    return int.from_bytes(payload[-3:], "big")


def labels_of(payload: bytes) -> tuple[int, ...]:
    """All labels of a payload as raw 24 bits."""
    if not payload:
        return ()
    return (label_of(payload), int.from_bytes(payload[13:], "big")) if len(payload) == 16 else (label_of(payload),)


def esi_of(payload: bytes) -> bytes:
    """The Ethernet segment of a type 2 or 5 payload, packed; zeros for the other types."""
    return payload[:10] if len(payload) >= 13 else NO_ESI


# ---- values ----------------------------------------------------------------------------------------------------------


class EthernetAd(NamedTuple):
    rd: RouteDistinguisher
    esi: Esi
    etag: int = 0
    label: int = 0

    def encode(self) -> tuple[bytes, bytes]:
        return b"\x01" + self.rd + self.esi + self.etag.to_bytes(4, "big"), self.label.to_bytes(3, "big")


class MacIp(NamedTuple):
    rd: RouteDistinguisher
    mac: Mac
    ip: Address | None = None
    label: int = 0
    label2: int | None = None
    esi: Esi = Esi()
    etag: int = 0

    def encode(self) -> tuple[bytes, bytes]:
        key = mac_ip_key(self.rd, self.mac, self.ip if self.ip is not None else b"", self.etag)
        return key, mac_ip_payload(self.label, self.label2, self.esi)


class Multicast(NamedTuple):
    rd: RouteDistinguisher
    ip: Address
    etag: int = 0

    def encode(self) -> tuple[bytes, bytes]:
        return multicast_key(self.rd, self.ip, self.etag), b""


class EthernetSegment(NamedTuple):
    rd: RouteDistinguisher
    esi: Esi
    ip: Address

    def encode(self) -> tuple[bytes, bytes]:
        return b"\x04" + self.rd + self.esi + _BITS[len(self.ip)] + self.ip, b""


class IpPrefix(NamedTuple):
    rd: RouteDistinguisher
    prefix: Prefix
    gateway: Address | None = None
    """None: resolved by the next hop and the router's MAC (RFC 9136 section 4.4)."""
    label: int = 0
    esi: Esi = Esi()
    etag: int = 0

    def encode(self) -> tuple[bytes, bytes]:
        gateway = self.gateway if self.gateway is not None else bytes(len(self.prefix) - 1)
        key = b"\x05" + self.rd + self.etag.to_bytes(4, "big") + self.prefix.network
        return key, self.esi + gateway + self.label.to_bytes(3, "big")


Route = EthernetAd | MacIp | Multicast | EthernetSegment | IpPrefix


def decode(key: bytes, payload: bytes) -> Route | None:
    """The value of a key and payload that `evpn_wire.split` or `encode` made; None for a type we only relay."""
    kind = key[0]
    if kind == UNKNOWN:
        return None
    rd = RouteDistinguisher(key[1:9])
    etag = etag_of(key)
    label = label_of(payload)
    if kind == MAC_IP:
        labels = labels_of(payload)
        ip = Address(key[21:]) if key[20] else None
        label2 = labels[1] if len(labels) > 1 else None
        return MacIp(rd, Mac(key[14:20]), ip, label, label2, Esi(payload[:10]), etag)
    if kind == MULTICAST:
        return Multicast(rd, Address(key[14:]), etag)
    if kind == IP_PREFIX:
        gateway = Address(payload[10:-3])
        return IpPrefix(
            rd, Prefix(key[13:]), None if gateway.is_unspecified else gateway, label, Esi(payload[:10]), etag
        )
    if kind == ETHERNET_AD:
        return EthernetAd(rd, Esi(key[9:19]), etag, label)
    return EthernetSegment(rd, Esi(key[9:19]), Address(key[20:]))


# ---- text ------------------------------------------------------------------------------------------------------------


def text(key: bytes) -> str:
    """GoBGP's form of a route; the payload is not part of it."""
    kind = key[0]
    if kind == UNKNOWN:
        return f"[type:{key[1]}][value:{key[3:].hex()}]"
    rd = RouteDistinguisher(key[1:9])
    if kind == MAC_IP:
        ip = str(Address(key[21:])) if key[20] else "<nil>"
        return f"[type:macadv][rd:{rd}][etag:{etag_of(key)}][mac:{Mac(key[14:20])}][ip:{ip}]"
    if kind == MULTICAST:
        return f"[type:multicast][rd:{rd}][etag:{etag_of(key)}][ip:{Address(key[14:])}]"
    if kind == IP_PREFIX:
        return f"[type:Prefix][rd:{rd}][etag:{etag_of(key)}][prefix:{Prefix(key[13:])}]"
    if kind == ETHERNET_AD:
        return f"[type:A-D][rd:{rd}][esi:{_esi_text(key[9:19])}][etag:{etag_of(key)}]"
    return f"[type:esi][rd:{rd}][esi:{_esi_text(key[9:19])}][ip:{Address(key[20:])}]"


def _esi_text(raw: bytes) -> str:
    return str(Esi(raw)) if any(raw) else "single-homed"


def type_name(key: bytes) -> str:
    """``macadv``, or the number of a type we only relay."""
    return TYPE_NAMES.get(key[0]) or str(key[1])
