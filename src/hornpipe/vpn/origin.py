"""The routes an instance originates: one type 3 for flooding, type 2 for every station, alone and with each address.

RFC 7432 sections 9.2.1 (MAC), 10 (MAC/IP) and 11.1 (inclusive multicast), with the VXLAN encapsulation of RFC 8365:
the label field is the VNI in raw 24 bits, also in the PMSI tunnel attribute (section 5.1.3); its endpoint is the VTEP.

`sync` says what a station should have announced and withdraws the rest, so callers never think in differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.attr.pmsi import ingress_replication
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload, multicast_key
from hornpipe.vpn.station import Station

if TYPE_CHECKING:
    from hornpipe.vpn.instance import Instance


class LocalRoutes(Protocol):
    """What of the RIB an origin needs."""

    def announce(self, family: int, key: bytes, payload: bytes, attributes: bytes, next_hop: bytes) -> None: ...
    def withdraw(self, family: int, key: bytes) -> None: ...


LOCAL_PREF = 100


class Origin:
    __slots__ = ("blocks", "instance", "multicast", "payload", "rd", "routed_payload", "routes", "vtep")

    def __init__(self, instance: Instance, routes: LocalRoutes, vtep: bytes) -> None:
        self.instance = instance
        self.routes = routes
        self.vtep = vtep
        self.rd = b""
        self.payload = self.routed_payload = b""
        """With the L2 VNI alone, and with the L3 VNI of the VRF (empty: there is none)."""
        self.blocks: dict[tuple[int, bool, bool, bool, bool], bytes] = {}
        """Attribute blocks by (sequence, sticky, gateway, router flag, L3 VNI), as long as RTs and VNIs stay."""
        self.multicast = b""
        """The type 3 key that is announced; empty for none."""

    def renumber(self) -> None:
        """RD, VNI or RTs are other ones: what was announced under another RD is withdrawn, the rest said anew."""
        instance = self.instance
        self.blocks.clear()
        self.payload = mac_ip_payload(instance.vni)
        router = instance.router if instance.domain.symmetric else None
        self.routed_payload = mac_ip_payload(instance.vni, router.vni) if router is not None and router.vni else b""
        if self.rd and self.rd != instance.rd:
            self.withdraw_all()
        self.rd = instance.rd
        self.flood()
        for station in instance.stations.values():
            self.sync(station)

    def withdraw_all(self) -> None:
        if self.multicast:
            self.routes.withdraw(EVPN, self.multicast)
            self.multicast = b""
        for station in self.instance.stations.values():
            self.withdraw(station)

    def withdraw(self, station: Station) -> None:
        for key in sorted(station.announced):  # in the same order in every process, so that a simulation replays
            self.routes.withdraw(EVPN, key)
        station.announced.clear()
        self._tell_router(station)

    def _communities(self) -> list[bytes]:
        return [*self.instance.domain.export_rts, extended.encapsulation(extended.VXLAN)]

    def flood(self) -> None:
        """Announce or withdraw the type 3 route. Without export RTs nobody could import it, so nothing is sent."""
        instance = self.instance
        if not instance.ready or not instance.domain.export_rts:
            if self.multicast:
                self.routes.withdraw(EVPN, self.multicast)
                self.multicast = b""
            return
        self.multicast = multicast_key(self.rd, self.vtep)
        attributes = build(
            local_pref=LOCAL_PREF,
            ext_communities=tuple(self._communities()),
            pmsi=ingress_replication(instance.vni, self.vtep),
        )
        self.routes.announce(EVPN, self.multicast, b"", attributes, self.vtep)

    def _block(self, station: Station, router: bool, routed: bool) -> bytes:
        anycast = station.gateway and not station.unique
        shape = (station.sequence, station.sticky, anycast, router, routed)
        block = self.blocks.get(shape)
        if block is None:
            communities = self._communities()
            if anycast:
                communities.append(extended.default_gateway())
            if station.sequence or station.sticky:
                communities.append(extended.mac_mobility(station.sequence, station.sticky))
            if router:
                communities.append(extended.nd_flags(extended.ND_ROUTER | extended.ND_OVERRIDE))
            vrf = self.instance.router
            if routed and vrf is not None:
                # RFC 9135 section 4.1: the IP-VRF's route targets and the router's MAC beside the MAC-VRF's own.
                communities = [*dict.fromkeys((*communities, *vrf.routing.export_rts)), extended.router_mac(vrf.mac)]
            block = self.blocks[shape] = build(local_pref=LOCAL_PREF, ext_communities=tuple(communities))
        return block

    def sync(self, station: Station) -> None:
        """Announce what is true of the station now, withdraw what is not."""
        wanted: set[bytes] = set()
        if station.here and station.up and self.instance.ready and self.instance.domain.export_rts:
            for address in (b"", *station.addresses):
                if address in station.lost:
                    continue
                key = mac_ip_key(self.rd, station.mac, address)
                wanted.add(key)
                # RFC 9047 section 3: the R flag tells other PEs' ND suppression that this neighbour is a router.
                routed = bool(self.routed_payload and address and not station.gateway)
                block = self._block(station, station.gateway and len(address) == 16, routed)
                self.routes.announce(EVPN, key, self.routed_payload if routed else self.payload, block, self.vtep)
        for key in sorted(station.announced - wanted):
            self.routes.withdraw(EVPN, key)
        station.announced = wanted
        self._tell_router(station)

    def _tell_router(self, station: Station) -> None:
        if self.instance.router is not None:
            self.instance.router.irb.station(self.instance, station)
