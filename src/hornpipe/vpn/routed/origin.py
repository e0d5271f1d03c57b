"""The routes a router originates: VPN-IPv4/IPv6 where it may be reached by MPLS, E-VPN type 5 where by VXLAN.

RFC 4364 section 4.3 and RFC 4659 with the encapsulation community of RFC 9012 section 4.1 (GRE is said by both of its
numbers, for speakers know one or the other; plain MPLS is said where it is not the only one); RFC 9136 section 4.4.1
(interface-less model: gateway zero, router's MAC, L3 VNI in raw 24 bits). A port that has a place among equals says it
by the consistent hash sort order.

A contributor says all it has now (`say`); what it no longer has is withdrawn. Where several say the same route, the one
with the highest LOCAL_PREF speaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri.evpn import NO_ESI
from hornpipe.bgp.nlri.labelled import label_payload
from hornpipe.bgp.nlri.next_hop import next_hop_field
from hornpipe.bgp.nlri.vpn import vpn_key
from hornpipe.vpn.origin import LOCAL_PREF
from hornpipe.vpn.routed.local import Contributor
from hornpipe.vpn.spec import Encapsulation

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router

RouteId: TypeAlias = tuple[int, bytes]
"""(family, key)."""
COMMUNITIES: dict[Encapsulation, tuple[int, ...]] = {
    "mpls": (extended.MPLS,),
    "mpls-gre": (extended.GRE, extended.MPLS_IN_GRE),
    "mpls-udp": (extended.MPLS_IN_UDP,),
}


class Announcement(NamedTuple):
    prefix: bytes
    """As `route_key` has it."""
    rd: bytes
    label: int
    """0: none, so that there is no VPN route."""
    local_pref: int = LOCAL_PREF
    order: int | None = None
    targets: tuple[bytes, ...] | None = None
    """None: the instance's."""
    records: tuple[bytes, ...] = ()
    """Route targets that a route announced again has had."""
    prefix_route: bool = True
    """As type 5, too."""


class RouterOrigin:
    def __init__(self, router: Router) -> None:
        self.router = router
        self.said: dict[Contributor, dict[RouteId, Announcement]] = {}
        self.claims: dict[RouteId, dict[Contributor, Announcement]] = {}
        self._blocks: dict[tuple[bool, Announcement], bytes] = {}
        """By what of an announcement is in it, and whether it is for MPLS."""

    def say(self, contributor: Contributor, announcements: Iterable[Announcement], *, again: bool = False) -> None:
        """`again`: what routes are made of has changed, so that equal announcements are not."""
        wanted: dict[RouteId, Announcement] = {}
        for announcement in announcements if self.router.speaks else ():
            wanted.update(dict.fromkeys(self._routes(announcement), announcement))
        before = self.said.pop(contributor, {})
        if wanted:
            self.said[contributor] = wanted
        for route, announcement in wanted.items():
            if again or before.get(route) != announcement:
                self.claims.setdefault(route, {})[contributor] = announcement
                self._settle(route)
        for route in [route for route in before if route not in wanted]:
            del self.claims[route][contributor]
            self._settle(route)

    def _routes(self, announcement: Announcement) -> list[RouteId]:
        prefix, rd = announcement.prefix, announcement.rd
        found: list[RouteId] = []
        if announcement.label:
            found.append((VPNV4 if len(prefix) == 5 else VPNV6, vpn_key(rd, prefix[0], prefix[1:])))
        if self.router.vni and announcement.prefix_route:
            found.append((EVPN, b"\x05" + rd + bytes(4) + prefix))
        return found

    def _settle(self, route: RouteId) -> None:
        """Announce what the strongest says, or withdraw what nobody says."""
        family, key = route
        claims = self.claims[route]
        if not claims:
            del self.claims[route]
            self.router.around.routes.withdraw(family, key)
            return
        _, announcement = min(claims.items(), key=lambda claim: (-claim[1].local_pref, claim[0]))
        if family == EVPN:
            payload = NO_ESI + bytes(len(announcement.prefix) - 1) + self.router.vni.to_bytes(3, "big")
        else:
            payload = label_payload(announcement.label)
        next_hop = next_hop_field(family, self.router.around.vtep)
        self.router.around.routes.announce(family, key, payload, self._block(family != EVPN, announcement), next_hop)

    def _block(self, mpls: bool, announcement: Announcement) -> bytes:
        mark = (mpls, announcement._replace(prefix=b"", rd=b"", label=0))
        block = self._blocks.get(mark)
        if block is None:
            targets = announcement.targets
            communities = [*(self.router.routing.export_rts if targets is None else targets)]
            communities += [extended.rt_record(target) for target in announcement.records]
            communities += [extended.encapsulation(kind) for kind in self._kinds(mpls)]
            if not mpls:
                communities.append(extended.router_mac(self.router.mac))
            if announcement.order is not None:
                communities.append(extended.sort_order(announcement.order))
            block = build(local_pref=announcement.local_pref, ext_communities=communities)
            self._blocks[mark] = block
        return block

    def _kinds(self, mpls: bool) -> list[int]:
        if not mpls:
            return [extended.VXLAN]
        offered = [encapsulation for encapsulation in self.router.encapsulations if encapsulation in COMMUNITIES]
        if offered == ["mpls"]:
            return []
        return [kind for encapsulation in offered for kind in COMMUNITIES[encapsulation]]

    def withdraw_all(self) -> None:
        for contributor in list(self.said):
            self.say(contributor, ())

    def renumber(self) -> None:
        """RTs, VNI or encapsulations are others: what contributors say next is said anew."""
        self._blocks.clear()
