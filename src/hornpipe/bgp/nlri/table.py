"""The family table: one row for each family we can cut into routes, so that a reflector can relay them all.

A row knows how an NLRI field is split into (key, payload) and joined again, how a key is written, which next hop
lengths are right, and whether route target constraint filters the family (RFC 4684). A new family is a file and a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hornpipe.bgp import family as f
from hornpipe.bgp.nlri import evpn, evpn_wire, flowspec, labelled, rtc, unicast, vpn

Split = Callable[[bytes, list[str]], list[tuple[bytes, bytes]]]
SplitWithdraw = Callable[[bytes, list[str]], list[bytes]]
Join = Callable[[bytes, bytes], bytes]
JoinWithdraw = Callable[[bytes], bytes]
Text = Callable[[bytes], str]
Codec = tuple[Split, SplitWithdraw, Join, JoinWithdraw, Text]


class FamilySpec:
    """`split` and `split_withdraw` raise `SessionReset` for a field that cannot be cut and append what they drop to the
    list they are given; `join` and `join_withdraw` are their inverses for one route.
    """

    __slots__ = (
        "constrained",
        "family",
        "join",
        "join_withdraw",
        "name",
        "next_hop_lengths",
        "split",
        "split_withdraw",
        "text",
    )

    def __init__(self, family: int, codec: Codec, next_hop_lengths: frozenset[int], constrained: bool) -> None:
        self.family: int = family
        self.name: str = f.name(family)
        self.split, self.split_withdraw, self.join, self.join_withdraw, self.text = codec
        self.next_hop_lengths: frozenset[int] = next_hop_lengths
        self.constrained: bool = constrained

    @property
    def carries_next_hop(self) -> bool:
        """Whether routes of the family have a next hop at all (flow specifications may have none)."""
        return 0 not in self.next_hop_lengths


# RFC 2545: an IPv6 next hop may be followed by a link-local one. RFC 8950: IPv4 routes may have an IPv6 next hop; an
# IPv4-mapped IPv6 next hop serves labelled IPv6 over IPv4 (RFC 4798), which senders also write as four bytes.
_ANY: Final = frozenset((4, 16, 32))
_V6: Final = frozenset((16, 32))
# With a route distinguisher of zero in front of each (RFC 4364 section 4.3.2, RFC 4659 section 3.2.1).
_VPN_ANY: Final = frozenset((12, 24, 48))
_NONE_OR_ANY: Final = frozenset((0, 4, 16, 32, 12, 24, 48))

_EVPN: Final[Codec] = (
    evpn_wire.split, evpn_wire.split_withdraw, evpn_wire.join, evpn_wire.join_withdraw, evpn.text
)  # fmt: skip
_RTC: Final[Codec] = (rtc.split, rtc.split_withdraw, rtc.join, rtc.join_withdraw, rtc.text)
_UNICAST4: Final[Codec] = (
    unicast.split4, unicast.split4_withdraw, unicast.join, unicast.join_withdraw, unicast.text4
)  # fmt: skip
_UNICAST6: Final[Codec] = (
    unicast.split6, unicast.split6_withdraw, unicast.join, unicast.join_withdraw, unicast.text6
)  # fmt: skip
_LABELLED4: Final[Codec] = (
    labelled.split4, labelled.split4_withdraw, labelled.join, labelled.join_withdraw, unicast.text4
)  # fmt: skip
_LABELLED6: Final[Codec] = (
    labelled.split6, labelled.split6_withdraw, labelled.join, labelled.join_withdraw, unicast.text6
)  # fmt: skip
_VPN4: Final[Codec] = (vpn.split4, vpn.split4_withdraw, vpn.join, vpn.join_withdraw, vpn.text4)
_VPN6: Final[Codec] = (vpn.split6, vpn.split6_withdraw, vpn.join, vpn.join_withdraw, vpn.text6)
_FLOW4: Final[Codec] = (
    flowspec.split4, flowspec.split4_withdraw, flowspec.join, flowspec.join_withdraw, flowspec.text4
)  # fmt: skip
_FLOW6: Final[Codec] = (
    flowspec.split6, flowspec.split6_withdraw, flowspec.join, flowspec.join_withdraw, flowspec.text6
)  # fmt: skip
_FLOW_VPN4: Final[Codec] = (
    flowspec.split4_vpn, flowspec.split4_vpn_withdraw, flowspec.join, flowspec.join_withdraw, flowspec.text4_vpn
)  # fmt: skip
_FLOW_VPN6: Final[Codec] = (
    flowspec.split6_vpn, flowspec.split6_vpn_withdraw, flowspec.join, flowspec.join_withdraw, flowspec.text6_vpn
)  # fmt: skip

_ROWS: Final = (
    #          family             codec       next hop lengths  constrained by RTC
    FamilySpec(f.EVPN,            _EVPN,      _ANY,             True),
    FamilySpec(f.RTC,             _RTC,       _ANY,             False),
    FamilySpec(f.VPNV4,           _VPN4,      _VPN_ANY,         True),
    FamilySpec(f.VPNV6,           _VPN6,      _VPN_ANY,         True),
    FamilySpec(f.IPV4_UNICAST,    _UNICAST4,  _ANY,             False),
    FamilySpec(f.IPV6_UNICAST,    _UNICAST6,  _V6,              False),
    FamilySpec(f.IPV4_MULTICAST,  _UNICAST4,  _ANY,             False),
    FamilySpec(f.IPV6_MULTICAST,  _UNICAST6,  _V6,              False),
    FamilySpec(f.IPV4_LABELLED,   _LABELLED4, _ANY,             False),
    FamilySpec(f.IPV6_LABELLED,   _LABELLED6, _ANY,             False),
    FamilySpec(f.FLOWSPEC_IPV4,   _FLOW4,     _NONE_OR_ANY,     False),
    FamilySpec(f.FLOWSPEC_IPV6,   _FLOW6,     _NONE_OR_ANY,     False),
    FamilySpec(f.FLOWSPEC_VPNV4,  _FLOW_VPN4, _NONE_OR_ANY,     True),
    FamilySpec(f.FLOWSPEC_VPNV6,  _FLOW_VPN6, _NONE_OR_ANY,     True),
)  # fmt: skip

FAMILIES: Final[dict[int, FamilySpec]] = {row.family: row for row in _ROWS}
