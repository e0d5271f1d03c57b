"""The endpoints behind one port: (MAC, address) pairs, and prefixes announced whole (``advertise_subnet``).

A port of the engine announces either its addresses or their prefixes. BaGPipe lets a client mix them behind one
interface: then the prefixes are routes by way of the station's address, which is where the packets go in both forms.
"""

from __future__ import annotations

import msgspec

from hornpipe.api.bagpipe.body import address_of
from hornpipe.api.bagpipe.refusal import api_error
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import EndpointSpec, PortSpec

Addresses = dict[str, tuple[str, ...]]
"""MAC -> its addresses as written, empty for a MAC without."""


class Stations:
    """`hosts` announce themselves, `subnets` their prefixes."""

    __slots__ = ("hosts", "subnets")

    def __init__(self, port: PortSpec | None = None) -> None:
        self.hosts: Addresses = {}
        self.subnets: Addresses = {}
        if port is None or port.mac is None:
            return
        own = {port.mac: port.addresses, **{endpoint.mac: endpoint.addresses for endpoint in port.endpoints}}
        if port.advertise_subnet:
            self.subnets = own
        else:
            self.hosts = own
            if port.routes:
                self.subnets = {port.mac: port.routes}

    def __bool__(self) -> bool:
        return bool(self.hosts or self.subnets)

    @property
    def macs(self) -> set[str]:
        return {*self.hosts, *self.subnets}

    def count(self) -> int:
        return sum(len(addresses) or 1 for kind in (self.hosts, self.subnets) for addresses in kind.values())

    def owner_of(self, ip: str) -> str | None:
        """The MAC of a host's address; a prefix may have several owners and is none's."""
        packed = address_of(ip)
        return next((mac for mac, addresses in self.hosts.items() if packed in map(address_of, addresses)), None)

    def has(self, mac: str, ip: str | None) -> bool:
        if ip is None:
            return mac in self.macs
        return _host(self.hosts.get(mac, ()), ip) is not None or _subnet(self.subnets.get(mac, ()), ip) is not None

    def add(self, mac: str, ip: str | None, subnet: bool) -> None:
        """The same in another form replaces the first."""
        if ip is None:
            self.hosts.setdefault(mac, ())
            return
        kind, other = (self.subnets, self.hosts) if subnet else (self.hosts, self.subnets)
        _take(other, mac, _host(other.get(mac, ()), ip))
        addresses = kind.get(mac, ())
        if ip not in addresses:
            at = (_subnet if subnet else _host)(addresses, ip)
            kept = addresses if at is None else addresses[:at] + addresses[at + 1 :]
            kind[mac] = (*kept, ip)

    def remove(self, mac: str, ip: str | None) -> None:
        if ip is None:
            self.hosts.pop(mac, None)
            self.subnets.pop(mac, None)
        elif (at := _host(self.hosts.get(mac, ()), ip)) is not None:
            _take(self.hosts, mac, at)
        else:
            _take(self.subnets, mac, _subnet(self.subnets.get(mac, ()), ip))

    def put(self, port: PortSpec) -> PortSpec:
        """`port` with these stations."""
        whole = not self.hosts
        (mac, addresses), *more = (self.subnets if whole else self.hosts).items()
        routes = () if whole else self._routes(mac, addresses)
        return msgspec.structs.replace(
            port,
            mac=mac,
            addresses=addresses,
            endpoints=tuple(EndpointSpec(mac=mac, addresses=addresses) for mac, addresses in more),
            routes=routes,
            advertise_subnet=whole,
        )

    def _routes(self, mac: str, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """Prefixes beside hosts: they go by way of the first MAC's address."""
        versions = {":" in address for address in addresses}
        for owner, prefixes in self.subnets.items():
            for prefix in prefixes:
                if owner != mac or (":" in prefix) not in versions:
                    raise api_error(
                        f"'advertise_subnet': {prefix} of {owner} is behind an interface with addresses that announce "
                        f"themselves: only {mac} can have prefixes there, beside an address of the same IP version"
                    )
        return tuple(str(Prefix.parse(prefix)) for prefix in self.subnets.get(mac, ()))


def _host(addresses: tuple[str, ...], ip: str) -> int | None:
    """Where the address is, however it is written."""
    packed = address_of(ip)
    return next((at for at, text in enumerate(addresses) if address_of(text) == packed), None)


def _subnet(prefixes: tuple[str, ...], ip: str) -> int | None:
    """Where the prefix is: as a route it has lost its host bits."""
    return next((at for at, text in enumerate(prefixes) if Prefix.parse(text) == Prefix.parse(ip)), None)


def _take(kind: Addresses, mac: str, at: int | None) -> None:
    if at is None:
        return
    left = kind[mac][:at] + kind[mac][at + 1 :]
    if left:
        kind[mac] = left
    else:
        del kind[mac]


def stations_of(port: PortSpec) -> Addresses:
    """All of a port."""
    stations = Stations(port)
    return {
        mac: tuple(dict.fromkeys((*stations.hosts.get(mac, ()), *stations.subnets.get(mac, ()))))
        for mac in (*stations.hosts, *stations.subnets)
    }
