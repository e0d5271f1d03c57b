"""What BaGPipe's clients have attached, kept where everything wanted is kept: in the engine's source ``bagpipe``.

BaGPipe thinks in endpoints, (MAC, IP) behind an interface in a VPN instance; the engine in ports with their endpoints.
One interface in one instance is one port here, its endpoints in the order they came. Nothing is remembered beside the
source, so a restart loses nothing; only for a repeated detach, which a client sends when it did not hear the answer,
the last ones done are known by name.
"""

from __future__ import annotations

import re
from collections import OrderedDict

import msgspec

from hornpipe.api.bagpipe.body import Attachment, Endpoint, address_of
from hornpipe.api.bagpipe.refusal import Refusal, api_error
from hornpipe.api.facade import ApiEngine
from hornpipe.net.ip import Address
from hornpipe.vpn.spec import EndpointSpec, InstanceSpec, PortSpec, Refused, SourceSpec

SOURCE = "bagpipe"
REMEMBERED = 4096
"""Detaches known by name, about a megabyte."""

Stations = dict[str, tuple[str, ...]]
"""MAC -> its addresses as written, empty for a MAC without."""

_MEMBERS = (
    ("import_rts", "import_rt"),
    ("export_rts", "export_rt"),
    ("vni", "vni"),
    ("bridge", "linuxbr"),
    ("mac", "mac_address"),
    ("addresses", "ip_address"),
    ("interface", "local_port"),
    ("name", "vpn_instance_id"),
)
"""Fields of our specs -> members of BaGPipe's body."""


def explain(refused: Refused) -> Refusal:
    """The engine's refusal in the caller's words."""
    words = re.findall(r"[a-z_]+", refused.field)
    member = next((member for field, member in _MEMBERS if field in words), refused.field)
    return api_error(f"'{member}': {refused.reason}" + (f" ({refused.remedy})" if refused.remedy else ""))


def stations_of(port: PortSpec) -> Stations:
    own = {port.mac: port.addresses} if port.mac else {}
    return own | {endpoint.mac: endpoint.addresses for endpoint in port.endpoints}


def port_of(endpoint: Endpoint, stations: Stations, description: str) -> PortSpec:
    (mac, addresses), *more = stations.items()
    return PortSpec(
        name=f"{endpoint.instance}:{endpoint.interface}",
        instance=endpoint.instance,
        interface=endpoint.interface,
        mac=mac,
        addresses=addresses,
        endpoints=tuple(EndpointSpec(mac=mac, addresses=addresses) for mac, addresses in more),
        description=description,
    )


class Ledger:
    def __init__(self, engine: ApiEngine) -> None:
        self.engine = engine
        self._done: OrderedDict[Endpoint, None] = OrderedDict()

    def _source(self) -> SourceSpec:
        return self.engine.sources.get(SOURCE, SourceSpec())

    def _ports(self, instance: str) -> list[PortSpec]:
        return [port for port in self._source().ports if port.instance == instance]

    def attach(self, wanted: Attachment, now: float) -> bool:
        """True if anything changed; the same again is fine and changes nothing."""
        endpoint = wanted.endpoint
        ports = self._ports(endpoint.instance)
        self._check_consistent(endpoint, ports)
        old = next((port for port in ports if port.interface == endpoint.interface), None)
        stations = stations_of(old) if old else {}
        addresses = stations.get(endpoint.mac, ())
        if endpoint.ip is not None:
            packed = address_of(endpoint.ip)
            kept = tuple(text for text in addresses if address_of(text) != packed)
            addresses = addresses if endpoint.ip in addresses else (*kept, endpoint.ip)
        stations[endpoint.mac] = addresses
        port = port_of(endpoint, stations, wanted.description or (old.description if old else ""))
        try:
            outcome = self.engine.attach(SOURCE, self._instance(wanted), port, now)
        except Refused as refused:
            raise explain(refused) from refused
        for done in [done for done in self._done if (done.instance, done.mac) == (endpoint.instance, endpoint.mac)]:
            del self._done[done]
        return bool(outcome.changed)

    def _check_consistent(self, endpoint: Endpoint, ports: list[PortSpec]) -> None:
        """A MAC is behind one interface of an instance and an address has one MAC."""
        packed = address_of(endpoint.ip) if endpoint.ip is not None else None
        for port in ports:
            stations = stations_of(port)
            if endpoint.mac in stations and port.interface != endpoint.interface:
                raise api_error(
                    "Port information is not consistent. MAC address cannot be bound to two different ports. "
                    f"Previous plug for port {port.interface} (mac address: {endpoint.mac})"
                )
            for mac, addresses in stations.items():
                if packed is not None and mac != endpoint.mac and packed in map(address_of, addresses):
                    raise _other_mac(endpoint, mac)

    def _instance(self, wanted: Attachment) -> InstanceSpec:
        """The first attach says what the instance is; a later one may change route targets, as BaGPipe has it."""
        name = wanted.endpoint.instance
        for known in self._source().instances:
            if known.name == name:
                return msgspec.structs.replace(
                    known,
                    import_rts=wanted.import_rts,
                    export_rts=wanted.export_rts,
                    description=wanted.instance_description or known.description,
                )
        if wanted.vni is not None and any(row.vni == wanted.vni for row in self.engine.instances()):
            raise api_error(f"A VPN instance using vni {wanted.vni} already exists.")
        return InstanceSpec(
            name=name,
            vni=wanted.vni,
            import_rts=wanted.import_rts,
            export_rts=wanted.export_rts,
            bridge=wanted.bridge,
            shared=True,
            description=wanted.instance_description,
        )

    def detach(self, endpoint: Endpoint, now: float) -> None:
        ports = self._ports(endpoint.instance)
        if _plain(endpoint) in self._done:
            return
        if not ports:
            raise api_error(f"VPN {endpoint.instance} could not be found")
        port = next((port for port in ports if port.interface == endpoint.interface), None)
        stations = stations_of(port) if port else {}
        addresses = self._remaining(endpoint, stations, ports)
        del stations[endpoint.mac]
        if addresses:
            stations[endpoint.mac] = addresses
        assert port is not None
        try:
            if stations:
                self.engine.attach(SOURCE, None, port_of(endpoint, stations, port.description), now)
            else:
                self.engine.detach(SOURCE, port.name, now)
        except Refused as refused:
            raise explain(refused) from refused
        self._done[_plain(endpoint)] = None
        while len(self._done) > REMEMBERED:
            self._done.popitem(last=False)

    def _remaining(self, endpoint: Endpoint, stations: Stations, ports: list[PortSpec]) -> tuple[str, ...]:
        """The MAC's addresses once this endpoint is gone; refuses an endpoint that is not attached."""
        addresses = stations.get(endpoint.mac)
        packed = address_of(endpoint.ip) if endpoint.ip is not None else None
        if addresses is not None and (packed is None or packed in map(address_of, addresses)):
            return tuple(text for text in addresses if address_of(text) != packed) if packed is not None else ()
        for port in ports:
            for mac, others in stations_of(port).items():
                if mac != endpoint.mac and packed is not None and packed in map(address_of, others):
                    raise _other_mac(endpoint, mac)
        raise api_error(f"Endpoint {(endpoint.mac, endpoint.ip)} not plugged yet, can't unplug")


def _other_mac(endpoint: Endpoint, mac: str) -> Refusal:
    return api_error(
        f"Inconsistent endpoint info: IP {endpoint.ip} already bound to a MAC address different from {endpoint.mac} "
        f"({mac})"
    )


def _plain(endpoint: Endpoint) -> Endpoint:
    """An address names the same endpoint however it is written: ``10.5.0.1`` detaches what came as ``10.5.0.1/24``."""
    packed = address_of(endpoint.ip) if endpoint.ip is not None else None
    return endpoint if packed is None else msgspec.structs.replace(endpoint, ip=str(Address(packed)))
