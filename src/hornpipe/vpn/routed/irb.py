"""Broadcast domains in the VRF (integrated routing and bridging, RFC 9135): what they bring in and what they know.

A bridge in the VRF brings its gateways' subnets, which the kernel routes by the addresses on it, and the stations
behind its ports. Subnets are announced as prefixes. Stations are announced by the broadcast domain itself, by type 2
with the L3 VNI where IRB is symmetric; for PEs that do only MPLS they are announced as VPN host routes here: the door
between E-VPN and IP-VPN. A domain that is a port of the VRF (`Domain.door`) brings nothing but its bridge: the port
says what is behind.

A station's address that is here, as the broadcast domain judges it, has no route elsewhere, whatever a PE it has just
left still says. And a type 5 route with a gateway address leads to that address where a bridge of the VRF knows it
(RFC 9136 sections 4.1 and 4.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hornpipe.forwarding.table import Hop
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.routed.local import Contributor, Way
from hornpipe.vpn.routed.origin import Announcement

if TYPE_CHECKING:
    from hornpipe.vpn.instance import Instance
    from hornpipe.vpn.routed.router import Router
    from hornpipe.vpn.station import Station


class RouterIrb:
    def __init__(self, router: Router) -> None:
        self.router = router
        self.instances: dict[str, Instance] = {}
        """In the VRF, by domain key; doors among them."""

    @property
    def announces(self) -> bool:
        """Something may be announced with the instance's own label."""
        return any(not instance.domain.door for instance in self.instances.values())

    def bind(self, instance: Instance, now: float) -> None:
        """It is in the VRF, or is as it is now."""
        self.instances[instance.key] = instance
        self.router.around.own(instance.rd, self.router)
        self.router.ports.set_instance_label()
        self.sync(instance)
        self.router.ports.doors_changed(now)

    def unbind(self, key: str, rd: bytes) -> None:
        """As it was bound."""
        del self.instances[key]
        self.router.around.disown(rd, self.router)
        for contributor in self._contributors(key):
            self._say(contributor, {}, [])
        self.router.ports.set_instance_label()
        self._knowledge_changed()

    def resay(self) -> None:
        """The router's terms have changed."""
        for instance in self.instances.values():
            instance.router_changed()
            self.sync(instance, again=True)

    def sync(self, instance: Instance, *, again: bool = False) -> None:
        """The whole domain: its addresses, its bridge, its stations."""
        ways: dict[bytes, Way] = {}
        announcements: list[Announcement] = []
        if not instance.domain.door and instance.ready:
            label = self.router.ports.label
            way = Way(Hop(instance.devices.bridge), connected=True)
            for address, length in (*instance.domain.gateways, *instance.domain.host_addresses):
                if length < 8 * len(address):
                    prefix = bytes(Prefix.of(address, length))
                    ways[prefix] = way
                    announcements.append(Announcement(prefix, self.router.rd, label))
            for address, _ in instance.domain.host_addresses:
                announcements.append(Announcement(bytes(Prefix.of(address)), self.router.rd, label))
        self._say(("", instance.key), ways, announcements, again=again)
        for station in list(instance.stations.values()):
            self.station(instance, station, again=again)
        self._knowledge_changed()

    def station(self, instance: Instance, station: Station, *, again: bool = False) -> None:
        """A station came, went or moved."""
        ways: dict[bytes, Way] = {}
        announcements: list[Announcement] = []
        there = instance.stations.get(station.mac) is station and not instance.domain.door
        if there and not station.gateway and station.here and station.up and instance.ready:
            for address in station.addresses:
                if address not in station.lost:
                    prefix = bytes(Prefix.of(address))
                    ways[prefix] = Way(Hop(instance.devices.bridge), connected=_has_subnet(instance, address))
                    announcements.append(
                        Announcement(prefix, self.router.rd, self.router.ports.label, prefix_route=False)
                    )
        self._say(_contributor(instance, station), ways, announcements, again=again)

    def _say(
        self,
        contributor: Contributor,
        ways: dict[bytes, Way],
        announcements: list[Announcement],
        *,
        again: bool = False,
    ) -> None:
        router = self.router
        router.local_changed(router.local.set(contributor, ways))
        router.origin.say(contributor, announcements, again=again)

    def _contributors(self, key: str) -> list[Contributor]:
        mine = f"{key}\0"
        return [
            contributor
            for contributor in self.router.local.contributors()
            if not contributor[0] and (contributor[1] == key or contributor[1].startswith(mine))
        ]

    # ---- what the domains know

    def is_here(self, address: bytes) -> bool:
        """It is behind a port of ours, and a bridge's subnet leads to it."""
        return any(instance.holds(address) and _has_subnet(instance, address) for instance in self.instances.values())

    def ip_changed(self, ip: bytes) -> None:
        """An address came, went or moved in a domain."""
        self.router.touch({bytes(Prefix.of(ip)): None})
        self.ips_changed((ip,))

    def ips_changed(self, ips: Iterable[bytes]) -> None:
        """A domain knows these addresses now, or no longer."""
        if self.router.overlays:
            known = {ip for ip in ips if self.router.has_overlay(ip)}
            if known:
                self.router.uses_changed(lambda use: use.gateway in known)

    def _knowledge_changed(self) -> None:
        if self.router.overlays:
            self.router.uses_changed(lambda use: bool(use.gateway))

    def overlay(self, gateway: bytes) -> tuple[Hop | None, str]:
        """The way to a gateway address, or why there is none."""
        for instance in sorted(self.instances.values(), key=lambda instance: instance.key):
            if instance.holds(gateway) or instance.imported.neighbour(gateway) is not None:
                return Hop(instance.devices.bridge, gateway), ""
        return None, f"gateway {Address(gateway)} is not known in any broadcast domain of the VRF"


def _has_subnet(instance: Instance, address: bytes) -> bool:
    held = (*instance.domain.gateways, *instance.domain.host_addresses)
    return not instance.domain.door and any(Prefix.of(own, length).contains(address) for own, length in held)


def _contributor(instance: Instance, station: Station) -> Contributor:
    return "", f"{instance.key}\0{station.mac.hex()}"
