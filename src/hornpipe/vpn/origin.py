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
    __slots__ = ("blocks", "instance", "multicast", "payload", "rd", "routes", "vtep")

    def __init__(self, instance: Instance, routes: LocalRoutes, vtep: bytes) -> None:
        self.instance = instance
        self.routes = routes
        self.vtep = vtep
        self.rd = b""
        self.payload = b""
        self.blocks: dict[tuple[int, bool, bool, bool], bytes] = {}
        """Attribute blocks by (sequence, sticky, gateway, router flag), as long as RTs and VNI stay."""
        self.multicast = b""
        """The type 3 key that is announced; empty for none."""

    def renumber(self) -> None:
        """RD, VNI or RTs are other ones: what was announced under another RD is withdrawn, the rest said anew."""
        instance = self.instance
        self.blocks.clear()
        self.payload = mac_ip_payload(instance.vni)
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
        for key in station.announced:
            self.routes.withdraw(EVPN, key)
        station.announced.clear()

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

    def _block(self, station: Station, router: bool) -> bytes:
        shape = (station.sequence, station.sticky, station.gateway, router)
        block = self.blocks.get(shape)
        if block is None:
            communities = self._communities()
            if station.gateway:
                communities.append(extended.default_gateway())
            if station.sequence or station.sticky:
                communities.append(extended.mac_mobility(station.sequence, station.sticky))
            if router:
                communities.append(extended.nd_flags(extended.ND_ROUTER | extended.ND_OVERRIDE))
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
                block = self._block(station, station.gateway and len(address) == 16)
                self.routes.announce(EVPN, key, self.payload, block, self.vtep)
        for key in station.announced - wanted:
            self.routes.withdraw(EVPN, key)
        station.announced = wanted
