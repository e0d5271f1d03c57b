"""Bulk forwarding entries as views: the dataplane asks for a key's value when it makes a batch, nothing is copied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from hornpipe.forwarding.table import FdbValue, NeighValue
from hornpipe.vpn.remote import remote_of

if TYPE_CHECKING:
    from hornpipe.vpn.instance import Instance


class FdbTable:
    """Remote MACs on the VXLAN device."""

    kind: Literal["fdb"] = "fdb"

    def __init__(self, instance: Instance, device: str) -> None:
        self.of = instance
        self.device = device
        self.instance = instance.key

    def wanted(self, key: bytes) -> FdbValue | None:
        of = self.of
        if of.stations:
            station = of.stations.get(key)
            if station is not None and (station.here or station.gateway):
                return None
        imported = of.imported
        route = imported.macs.get(key)
        if isinstance(route, bytes):  # one route, as nearly always: no ranking
            path = imported.best(route)
            return remote_of(path, imported.own_vtep).value(of) if path is not None else None
        remote = imported.station(key)
        return remote.value(of) if remote is not None else None

    def keys(self) -> Iterable[bytes]:
        return list(self.of.imported.macs)

    def __len__(self) -> int:
        return len(self.of.imported.macs)


class NeighTable:
    """Remote IPs on the bridge: what ARP and ND suppression answers from (RFC 9161), and what a gateway resolves by.

    A bridge in a VRF has the attached stations as well: packets are routed to them at once, without asking first, in
    particular to one that has just moved here.
    """

    kind: Literal["neigh"] = "neigh"

    def __init__(self, instance: Instance, device: str) -> None:
        self.of = instance
        self.device = device
        self.instance = instance.key

    def wanted(self, key: bytes) -> NeighValue | None:
        of = self.of
        if of.addresses and of.holds(key):
            here = of.addresses[key]
            return (here.mac, False) if of.router is not None and not here.gateway else None
        found = of.imported.neighbour(key)
        if found is None:
            return None
        mac, remote = found
        if of.stations:
            station = of.stations.get(mac)
            if station is not None and (station.here or station.gateway):
                return None  # an address of a station that has come here; its old PE has not withdrawn yet
        return mac, remote.router

    def keys(self) -> Iterable[bytes]:
        ips = self.of.imported.ips
        return [*ips, *(ip for ip in self._attached() if ip not in ips)]

    def _attached(self) -> Iterable[bytes]:
        if self.of.router is None:
            return ()
        return [ip for ip, station in self.of.addresses.items() if not station.gateway]

    def __len__(self) -> int:
        return len(self.of.imported.ips) + sum(ip not in self.of.imported.ips for ip in self._attached())


class FloodTable:
    """Ingress replication: where broadcast, unknown unicast and multicast frames are copied to."""

    kind: Literal["flood"] = "flood"

    def __init__(self, instance: Instance, device: str) -> None:
        self.of = instance
        self.device = device
        self.instance = instance.key

    def wanted(self, key: bytes) -> Literal[True] | None:
        return True if key in self.of.imported.floods else None

    def keys(self) -> Iterable[bytes]:
        return list(self.of.imported.floods)

    def __len__(self) -> int:
        return len(self.of.imported.floods)


class LocalTable:
    """Attached MACs on their bridge ports: known before the first frame, and not to be flooded."""

    kind: Literal["local"] = "local"

    def __init__(self, instance: Instance, device: str) -> None:
        self.of = instance
        self.device = device
        self.instance = instance.key

    def wanted(self, key: bytes) -> str | None:
        station = self.of.stations.get(key)
        if station is None or not station.here or station.learnt or station.gateway:
            return None
        return station.attachment.interface

    def keys(self) -> Iterable[bytes]:
        return [mac for mac, station in self.of.stations.items() if not station.learnt and not station.gateway]

    def __len__(self) -> int:
        return sum(not station.learnt and not station.gateway for station in self.of.stations.values())
