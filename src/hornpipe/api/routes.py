"""/v1/routes: what the Loc-RIB holds, path by path, a page at a time.

What can be told from a route's key (type, RD, MAC, address) is looked at there, before a row is made: a search through
100 000 routes takes 80 ms of the loop, where rows of all would take four seconds. The cursor counts keys that matched,
so the following page passes over them as cheaply. A listing taken while routes come and go may repeat or skip some, as
any walk over a moving table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from hornpipe.api.operation import Call, Page
from hornpipe.api.problem import Problem
from hornpipe.bgp import family as families
from hornpipe.bgp.family import EVPN, RTC
from hornpipe.bgp.nlri import evpn, unicast, vpn
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher

LIMIT = 500
MOST_WHY = 100
"""Rows of a page that says of each who is sent it: that takes a look at every peer."""
MOST = 2000
"""A row costs about 40 us to make and to encode, in the loop that also serves the peers: 80 ms are the most."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST, description="Rows in a page.")]
Cursor = Annotated[str, msgspec.Meta(pattern="^[0-9]*$", description="`next` of the page before.")]


PREFIX_OF: dict[int, Callable[[bytes], bytes]] = {
    families.VPNV4: vpn.prefix4,
    families.VPNV6: vpn.prefix6,
    families.IPV4_UNICAST: unicast.prefix4,
    families.IPV6_UNICAST: unicast.prefix6,
    families.IPV4_LABELLED: unicast.prefix4,
    families.IPV6_LABELLED: unicast.prefix6,
}
"""How a key of a family that has prefixes says its own; the bytes are those of `hornpipe.net.prefix.Prefix`."""
WITH_RD = (families.VPNV4, families.VPNV6)


class RouteQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    family: Annotated[str | None, msgspec.Meta(description="`l2vpn-evpn`, `vpnv4`, `vpnv6`, `rtc`, ...")] = None
    instance: Annotated[str | None, msgspec.Meta(description="Only what this instance imports or exports.")] = None
    peer: Annotated[str | None, msgspec.Meta(description="Learnt from this peer; `local`: our own.")] = None
    type: Annotated[str | None, msgspec.Meta(description="`multicast`, `macadv`, `prefix`, `a-d`, `esi`.")] = None
    mac: str | None = None
    ip: Annotated[
        str | None, msgspec.Meta(description="An address, or the prefix of a route that has one, as `10.0.0.0/24`.")
    ] = None
    rd: str | None = None
    best: bool | None = None
    to: Annotated[str | None, msgspec.Meta(description="Only what this peer is sent.")] = None
    why: Annotated[
        bool, msgspec.Meta(description="With `sent_to` and `not_sent`: who is sent it, and why others are not.")
    ] = False
    limit: Limit = LIMIT
    cursor: Cursor = ""


class Walk:
    """Decides by the key: does a route match, and is it beyond the cursor. Counts what matched."""

    def __init__(self, query: RouteQuery) -> None:
        self.type = query.type
        self.first = int(query.cursor or 0)
        self.seen = 0
        self.mac = packed("mac", query.mac)
        self.rd = packed("rd", query.rd)
        self.prefix = packed("ip", query.ip) if query.ip is not None and "/" in query.ip else None
        self.ip = packed("ip", query.ip) if query.ip is not None and self.prefix is None else None
        if self.ip is not None:
            self.host = bytes(Prefix.of(self.ip))
            """The prefix of this address alone."""
        self.by_key = any(value is not None for value in (self.type, self.mac, self.rd, self.prefix, self.ip))

    def wanted(self, family: int, key: bytes) -> bool:
        if self.by_key and not self.matches(family, key):
            return False
        self.seen += 1
        return self.seen > self.first

    def matches(self, family: int, key: bytes) -> bool:
        return self._matches_evpn(key) if family == EVPN else self._matches_other(family, key)

    def _matches_other(self, family: int, key: bytes) -> bool:
        if self.mac is not None or self.type not in (None, "rtc" if family == RTC else "prefix"):
            return False
        if self.rd is not None and (family not in WITH_RD or vpn.rd_of(key) != self.rd):
            return False
        if self.prefix is None and self.ip is None:
            return True
        prefix_of = PREFIX_OF.get(family)
        return prefix_of is not None and prefix_of(key) == (self.host if self.prefix is None else self.prefix)

    def _matches_evpn(self, key: bytes) -> bool:
        if self.type is not None and evpn.type_name(key) != self.type:
            return False
        kind = evpn.type_of(key) if key[0] else 0
        if self.rd is not None and (not kind or evpn.rd_of(key) != self.rd):
            return False
        if self.mac is not None and (kind != evpn.MAC_IP or evpn.mac_of(key) != self.mac):
            return False
        if self.prefix is not None and (kind != evpn.IP_PREFIX or key[13:] != self.prefix):
            return False
        if self.ip is None or not kind:
            return self.ip is None
        return key[13:] == self.host if kind == evpn.IP_PREFIX else evpn.ip_of(key) == self.ip


def packed(field: str, text: str | None) -> bytes | None:
    """The bytes a key has for it; what cannot be read is the caller's mistake."""
    if text is None:
        return None
    kinds = {"mac": Mac, "rd": RouteDistinguisher, "ip": Prefix if "/" in text else Address}
    try:
        return bytes(kinds[field].parse(text))
    except ValueError as error:
        raise Problem("invalid", str(error), field=field) from error


def list_routes(call: Call) -> Page:
    query: RouteQuery = call.query
    if query.family is not None:
        try:
            families.parse(query.family)
        except ValueError as error:
            raise Problem("invalid", str(error), field="family", remedy="as l2vpn-evpn, vpnv4 or rtc") from error
    walk = Walk(query)
    limit = min(query.limit, MOST_WHY) if query.why else query.limit
    rows = call.context.engine.routes(query.family, query.peer, query.instance, walk.wanted, query.to, query.why)
    items: list[object] = []
    last = 0
    for row in rows:
        if len(items) >= limit and walk.seen != last:  # all paths of a key are on one page
            return Page(items=items, next=str(walk.seen - 1))
        if query.best in (None, row.best):
            items.append(row)
            last = walk.seen
    return Page(items=items)
