"""Who is where: what orchestrators have asked for and which interfaces exist, as the simulation itself knows it.

It is the other side of every check, so it takes nothing from the engines: not a sequence number, not a route.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from hornpipe.net.ip import Address
from hornpipe.sim.times import LATE, SETTLED
from hornpipe.vpn.spec import Encapsulation

ROUTED = 1 << 20
"""Numbers of instances from here on are those of routed ones."""
TRANSPORTS: tuple[Encapsulation, ...] = ("vxlan", "mpls-gre", "mpls-udp")
"""How they carry packets, by turns."""


def is_routed(vni: int) -> bool:
    return vni >= ROUTED


def transport(vni: int) -> Encapsulation:
    """Of a routed instance. With VXLAN its number is the L3 VNI, otherwise only its name."""
    return TRANSPORTS[(vni - ROUTED) % len(TRANSPORTS)]


class Station(NamedTuple):
    """A virtual machine or a pod: it moves, and keeps its addresses."""

    number: int
    vni: int

    @property
    def mac(self) -> bytes:
        return b"\x02\x00" + self.number.to_bytes(4, "big")

    @property
    def ip(self) -> bytes:
        return b"\x0a" + self.number.to_bytes(3, "big")

    @property
    def interface(self) -> str:
        return f"tap{self.number}"

    # ---- in a routed instance

    @property
    def ip6(self) -> bytes:
        return b"\x20\x01\x0d\xb8" + self.number.to_bytes(12, "big")

    @property
    def behind(self) -> str:
        """The prefix that the station routes for."""
        return f"{Address((0x0B000000 | self.number << 4).to_bytes(4, 'big'))}/28"

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """All that leads to it, as `hornpipe.forwarding.table.route_key` has it."""
        if not is_routed(self.vni):
            return ()
        return b"\x20" + self.ip, b"\x80" + self.ip6, b"\x1c" + (0x0B000000 | self.number << 4).to_bytes(4, "big")


class Inventory:
    def __init__(self) -> None:
        self.stations: dict[tuple[int, bytes], Station] = {}
        """(VNI, MAC) -> station."""
        self.behind: dict[tuple[int, bytes], Station] = {}
        """(number of a routed instance, prefix) -> station."""
        self.places: dict[tuple[int, bytes], dict[str, float]] = {}
        """(VNI, MAC) -> hosts where it is attached and its interface exists, newest last -> since when."""
        self.left: dict[tuple[int, bytes], dict[str, float]] = {}
        """(VNI, MAC) -> host that it has left -> when."""
        self.ports: dict[str, dict[Station, None]] = {}
        """Host -> what is attached there, with or without an interface."""
        self.members: dict[int, dict[str, int]] = {}
        """VNI -> host -> number of ports."""
        self.joined: dict[tuple[int, str], float] = {}
        """(VNI, host) -> when its first port there came."""
        self.parted: dict[tuple[int, str], float] = {}
        """(VNI, host) -> when its last port there went."""
        self.changed: dict[tuple[int, str], None] = {}
        """(VNI, host) of which something has changed since somebody cleared this."""

    # ---- what happens

    def attached(self, host: str, station: Station, now: float) -> None:
        self.changed[(station.vni, host)] = None
        if station not in self.ports.setdefault(host, {}):
            self.ports[host][station] = None
            members = self.members.setdefault(station.vni, {})
            if host not in members:
                self.joined[(station.vni, host)] = now
            members[host] = members.get(host, 0) + 1
        self.appeared(host, station, now)

    def detached(self, host: str, station: Station, now: float) -> None:
        if station not in self.ports.get(host, {}):
            return
        self.vanished(host, station, now)
        del self.ports[host][station]
        members = self.members[station.vni]
        members[host] -= 1
        if not members[host]:
            del members[host]
            self.parted[(station.vni, host)] = now

    def appeared(self, host: str, station: Station, now: float) -> None:
        """Its interface is there."""
        at = (station.vni, station.mac)
        self.stations[at] = station
        self.behind.update(dict.fromkeys([(station.vni, prefix) for prefix in station.prefixes], station))
        self.changed[(station.vni, host)] = None
        self.places.setdefault(at, {}).setdefault(host, now)

    def vanished(self, host: str, station: Station, now: float) -> None:
        """Its interface is gone."""
        at = (station.vni, station.mac)
        if host in self.places.get(at, {}):
            del self.places[at][host]
            self.left.setdefault(at, {})[host] = now
        self.changed[(station.vni, host)] = None

    # ---- what may be

    def owner(self, vni: int, mac: bytes) -> str | None:
        """Where the station is; the newest place if there are several."""
        return next(reversed(self.places.get((vni, mac), {})), None)

    def is_settled_at(self, vni: int, mac: bytes, host: str, now: float) -> bool:
        """It is there and nowhere else, and has neither come nor gone lately."""
        at = (vni, mac)
        return list(self.places.get(at, {})) == [host] and all(
            now - when > SETTLED for when in self.left.get(at, {}).values()
        )

    def former(self, vni: int, mac: bytes, now: float) -> list[str]:
        """Hosts that it has left, of which some may not have heard yet."""
        return [host for host, when in self.left.get((vni, mac), {}).items() if now - when <= LATE]

    def may_be_at(self, vni: int, mac: bytes, host: str, now: float) -> bool:
        """An entry that sends its frames there has a reason, or had one not long ago."""
        at = (vni, mac)
        return host in self.places.get(at, {}) or now - self.left.get(at, {}).get(host, -inf) <= LATE

    def announced(self, vni: int, host: str, now: float) -> Iterator[Station]:
        """Stations of the instance that are settled there."""
        for station in self.ports.get(host, ()):
            if station.vni == vni and self.is_settled_at(vni, station.mac, host, now):
                yield station

    def must_be_known(self, station: Station, host: str, to: str, now: float) -> bool:
        """The station has been at `host`, and `to` in its instance, for longer than news may be on their way."""
        since = max(self.places[(station.vni, station.mac)][host], self.joined.get((station.vni, to), -inf))
        return now - since > SETTLED

    def is_member(self, vni: int, host: str) -> bool:
        return host in self.members.get(vni, {})

    def is_settled_member(self, vni: int, host: str, now: float) -> bool:
        return self.is_member(vni, host) and now - self.parted.get((vni, host), -inf) > SETTLED

    def may_be_member(self, vni: int, host: str, now: float) -> bool:
        return self.is_member(vni, host) or now - self.parted.get((vni, host), -inf) <= LATE

    def instances_of(self, host: str) -> set[int]:
        return {station.vni for station in self.ports.get(host, {})}

    def in_instance(self, vni: int) -> Iterator[tuple[Station, str]]:
        """(station, where it is) of those whose interface exists."""
        for at, station in self.stations.items():
            if at[0] == vni and (owner := self.owner(*at)) is not None:
                yield station, owner
