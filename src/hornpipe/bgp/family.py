"""Address families as plain integers: ``AFI << 8 | SAFI`` (RFC 4760), their numbers and names.

An integer is the cheapest dictionary key and needs no import to compare. The names are GoBGP's and OpenConfig's.
"""

from __future__ import annotations

import re
from typing import Final

AFI_IPV4: Final = 1
AFI_IPV6: Final = 2
AFI_L2VPN: Final = 25

IPV4_UNICAST: Final = 1 << 8 | 1
IPV4_MULTICAST: Final = 1 << 8 | 2
IPV4_LABELLED: Final = 1 << 8 | 4
VPNV4: Final = 1 << 8 | 128
RTC: Final = 1 << 8 | 132
FLOWSPEC_IPV4: Final = 1 << 8 | 133
FLOWSPEC_VPNV4: Final = 1 << 8 | 134
IPV6_UNICAST: Final = 2 << 8 | 1
IPV6_MULTICAST: Final = 2 << 8 | 2
IPV6_LABELLED: Final = 2 << 8 | 4
VPNV6: Final = 2 << 8 | 128
FLOWSPEC_IPV6: Final = 2 << 8 | 133
FLOWSPEC_VPNV6: Final = 2 << 8 | 134
EVPN: Final = 25 << 8 | 70

NAMES: Final[dict[int, str]] = {
    IPV4_UNICAST: "ipv4-unicast",
    IPV4_MULTICAST: "ipv4-multicast",
    IPV4_LABELLED: "ipv4-labelled-unicast",
    VPNV4: "l3vpn-ipv4-unicast",
    RTC: "rtc",
    FLOWSPEC_IPV4: "ipv4-flowspec",
    FLOWSPEC_VPNV4: "l3vpn-ipv4-flowspec",
    IPV6_UNICAST: "ipv6-unicast",
    IPV6_MULTICAST: "ipv6-multicast",
    IPV6_LABELLED: "ipv6-labelled-unicast",
    VPNV6: "l3vpn-ipv6-unicast",
    FLOWSPEC_IPV6: "ipv6-flowspec",
    FLOWSPEC_VPNV6: "l3vpn-ipv6-flowspec",
    EVPN: "l2vpn-evpn",
}

ALIASES: Final[dict[str, int]] = {
    "ipv4": IPV4_UNICAST,
    "ipv6": IPV6_UNICAST,
    "vpnv4": VPNV4,
    "vpnv6": VPNV6,
    "evpn": EVPN,
}
"""Short words people type; `parse` takes them, `name` never gives them."""


_NUMBERS: Final = re.compile(r"afi-safi:([0-9]{1,5})-([0-9]{1,3})\Z")


def of(afi: int, safi: int) -> int:
    return afi << 8 | safi


def afi(family: int) -> int:
    return family >> 8


def safi(family: int) -> int:
    return family & 0xFF


def packed(family: int) -> bytes:
    """AFI and SAFI in three bytes, as in MP_REACH_NLRI."""
    return family.to_bytes(3, "big")


def name(family: int) -> str:
    """``l2vpn-evpn``; ``afi-safi:16388-71`` for one without a name."""
    known = NAMES.get(family)
    return known if known is not None else f"afi-safi:{family >> 8}-{family & 0xFF}"


def parse(text: str) -> int:
    """The inverse of `name`; also the short words of `ALIASES`."""
    word = text.strip().lower()
    if word in ALIASES:
        return ALIASES[word]
    for family, known in NAMES.items():
        if known == word:
            return family
    match = _NUMBERS.match(word)
    if match and 0 < int(match[1]) < 1 << 16 and 0 < int(match[2]) < 256:
        return int(match[1]) << 8 | int(match[2])
    raise ValueError(f"{text!r} is not an address family, for example l2vpn-evpn or rtc")
