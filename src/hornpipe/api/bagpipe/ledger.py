"""What BaGPipe's clients have attached, kept where everything wanted is kept: in the engine's source ``bagpipe``.

BaGPipe thinks in endpoints, (MAC, IP) behind an interface in a VPN instance; the engine in ports with their endpoints.
One interface (or evpn plugged into an ipvpn) in one instance is one port here, its endpoints in the order they came;
what an attach says of routes, direction or local preference, holds for the whole port, the last attach counts. Nothing
is remembered beside the source, so a restart loses nothing; only for a repeated detach, which a client sends when it
did not hear the answer, the last ones done are known by name.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict

import msgspec

from hornpipe.api.bagpipe.body import Attachment, Endpoint, address_of
from hornpipe.api.bagpipe.refusal import Refusal, api_error
from hornpipe.api.bagpipe.stations import Stations
from hornpipe.api.facade import ApiEngine
from hornpipe.net.ip import Address
from hornpipe.vpn.spec import InstanceSpec, PortSpec, Refused, SourceSpec

LOG = logging.getLogger("hornpipe.bagpipe")

SOURCE = "bagpipe"
REMEMBERED = 4096
"""Detaches known by name, about a megabyte."""

_MEMBERS = (
    ("readvertise", "readvertise"),
    ("attract_traffic", "attract_traffic"),
    ("fallback", "fallback"),
    ("advertise_subnet", "advertise_subnet"),
    ("routes", "advertise_subnet"),
    ("direction", "direction"),
    ("local_pref", "local_pref"),
    ("lb_consistent_hash_order", "lb_consistent_hash_order"),
    ("gateway", "gateway_ip"),
    ("evpn", "local_port"),
    ("import_rts", "import_rt"),
    ("export_rts", "export_rt"),
    ("vni", "vni"),
    ("bridge", "linuxbr"),
    ("mac", "mac_address"),
    ("addresses", "ip_address"),
    ("interface", "local_port"),
    ("name", "vpn_instance_id"),
    ("type", "vpn_type"),
)
"""Fields of our specs -> members of BaGPipe's body."""


def explain(refused: Refused) -> Refusal:
    """The engine's refusal in the caller's words."""
    words = re.findall(r"[a-z_]+", refused.field)
    member = next((member for field, member in _MEMBERS if field in words), refused.field)
    return api_error(f"'{member}': {refused.reason}" + (f" ({refused.remedy})" if refused.remedy else ""))


def place_of(port: PortSpec) -> tuple[str, str]:
    """(interface, evpn instance), as in `Endpoint`."""
    return port.interface or "", port.evpn or ""


def place_text(interface: str, evpn: str) -> str:
    return interface or f"evpn:{evpn}"


def port_of(wanted: Attachment, old: PortSpec | None, stations: Stations) -> PortSpec:
    endpoint = wanted.endpoint
    gateways = (wanted.gateway,) if wanted.gateway else ()
    if old is not None and not (gateways and stations.count() == 1):
        gateways = tuple(dict.fromkeys((*old.gateway, *gateways)))
    return stations.put(
        PortSpec(
            name=f"{endpoint.instance}:{place_text(endpoint.interface, endpoint.evpn)}",
            instance=endpoint.instance,
            interface=endpoint.interface or None,
            evpn=endpoint.evpn or None,
            gateway=gateways,
            direction=wanted.port.direction,
            local_pref=wanted.port.local_pref,
            lb_consistent_hash_order=wanted.port.lb_consistent_hash_order,
            description=wanted.description or (old.description if old else ""),
        )
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
        instance = self._instance(wanted)
        self._check_consistent(wanted, ports)
        self._check_evpn(endpoint.evpn)
        old = next((port for port in ports if place_of(port) == (endpoint.interface, endpoint.evpn)), None)
        stations = Stations(old)
        stations.add(endpoint.mac, endpoint.ip, wanted.port.advertise_subnet)
        port = port_of(wanted, old, stations)
        try:
            outcome = self.engine.attach(SOURCE, instance, port, now)
        except Refused as refused:
            raise explain(refused) from refused
        for done in [done for done in self._done if (done.instance, done.mac) == (endpoint.instance, endpoint.mac)]:
            del self._done[done]
        return bool(outcome.changed)

    def _check_consistent(self, wanted: Attachment, ports: list[PortSpec]) -> None:
        """A MAC is behind one interface of an instance and an address has one MAC; a subnet may have several ways."""
        endpoint = wanted.endpoint
        for port in ports:
            stations = Stations(port)
            if endpoint.mac in stations.macs and place_of(port) != (endpoint.interface, endpoint.evpn):
                raise api_error(
                    "Port information is not consistent. MAC address cannot be bound to two different ports. "
                    f"Previous plug for port {place_text(*place_of(port))} (mac address: {endpoint.mac})"
                )
            if endpoint.ip is not None and not wanted.port.advertise_subnet:
                _check_owner(endpoint, stations)

    def _check_evpn(self, evpn: str) -> None:
        """Clients attach to the evpn first."""
        if not evpn:
            return
        row = next((row for row in self.engine.instances() if evpn in (row.name, *row.names)), None)
        if row is None:
            raise api_error(f"'local_port': evpn instance {evpn} does not exist: attach a port to it first")
        if row.type != "evpn":
            raise api_error(f"'local_port': {evpn} is not an evpn instance but an {row.type}")

    def _instance(self, wanted: Attachment) -> InstanceSpec:
        """The first attach says what the instance is; a later one may change route targets and fallback, as BaGPipe
        has it, and what else it says is without effect."""
        name = wanted.endpoint.instance
        for known in self._source().instances:
            if known.name == name:
                return self._changed(known, wanted)
        if wanted.vni is not None and any(row.vni == wanted.vni for row in self.engine.instances()):
            raise api_error(f"A VPN instance using vni {wanted.vni} already exists.")
        return InstanceSpec(
            name=name,
            type=wanted.endpoint.type,
            vni=wanted.vni,
            import_rts=wanted.import_rts,
            export_rts=wanted.export_rts,
            bridge=wanted.bridge,
            shared=wanted.endpoint.type == "evpn",
            readvertise=wanted.readvertise,
            attract_traffic=wanted.attract_traffic,
            fallback=wanted.fallback,
            description=wanted.instance_description,
        )

    def _changed(self, known: InstanceSpec, wanted: Attachment) -> InstanceSpec:
        if known.type != wanted.endpoint.type:
            raise api_error(f"'vpn_type': VPN {known.name} is an {known.type} already, not an {wanted.endpoint.type}")
        for name in ("readvertise", "attract_traffic"):
            said = getattr(wanted, name)
            if said is not None and said != getattr(known, name):
                LOG.warning("%s: %s is as the first attach said, another one is without effect", known.name, name)
        return msgspec.structs.replace(
            known,
            import_rts=wanted.import_rts,
            export_rts=wanted.export_rts,
            fallback=wanted.fallback or known.fallback,
            description=wanted.instance_description or known.description,
        )

    def detach(self, endpoint: Endpoint, now: float) -> None:
        port = self._plugged(endpoint, self._ports(endpoint.instance))
        if port is None:
            return
        stations = Stations(port)
        stations.remove(endpoint.mac, endpoint.ip)
        try:
            if stations:
                self.engine.attach(SOURCE, None, stations.put(port), now)
            else:
                self.engine.detach(SOURCE, port.name, now)
        except Refused as refused:
            raise explain(refused) from refused
        self._done[_plain(endpoint)] = None
        while len(self._done) > REMEMBERED:
            self._done.popitem(last=False)

    def _plugged(self, endpoint: Endpoint, ports: list[PortSpec]) -> PortSpec | None:
        """The port that has this endpoint; None if it was detached lately. The OpenStack agent detaches from an ipvpn
        by the evpn that may be plugged into it, whatever it attached, so there the place only decides among several."""
        here = [port for port in ports if place_of(port) == (endpoint.interface, endpoint.evpn)]
        for port in here if endpoint.type == "evpn" else [*here, *ports]:
            if Stations(port).has(endpoint.mac, endpoint.ip):
                return port
        if _plain(endpoint) in self._done:
            return None
        if not ports:
            raise api_error(f"VPN {endpoint.instance} could not be found")
        for port in ports:
            _check_owner(endpoint, Stations(port))
        raise api_error(f"Endpoint {(endpoint.mac, endpoint.ip)} not plugged yet, can't unplug")


def _check_owner(endpoint: Endpoint, stations: Stations) -> None:
    mac = stations.owner_of(endpoint.ip) if endpoint.ip is not None else None
    if mac not in (None, endpoint.mac):
        raise api_error(
            f"Inconsistent endpoint info: IP {endpoint.ip} already bound to a MAC address different from "
            f"{endpoint.mac} ({mac})"
        )


def _plain(endpoint: Endpoint) -> Endpoint:
    """An address names the same endpoint however it is written: ``10.5.0.1`` detaches what came as ``10.5.0.1/24``; in
    an ipvpn also wherever it is."""
    packed = address_of(endpoint.ip) if endpoint.ip is not None else None
    if packed is not None:
        endpoint = msgspec.structs.replace(endpoint, ip=str(Address(packed)))
    return endpoint if endpoint.type == "evpn" else msgspec.structs.replace(endpoint, interface="", evpn="")
