"""Attachments in the engine: from a network and addresses to an instance and a port, and back to a CNI result.

L2: the container's interface is a port of the instance's bridge; with `isGateway` the host answers for the gateway's
address there, with the same MAC on every host. L3 (instance of type ``ipvpn``): the interface is a port of a router,
alone with its gateway, in a VRF or in the host's own table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from ipaddress import ip_interface, ip_network

import msgspec

from hornpipe.cni import failure
from hornpipe.cni.departures import Departures
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.host import Host
from hornpipe.cni.network import GATEWAY_L3, Network
from hornpipe.cni.record import SOURCE, Record, of_port
from hornpipe.cni.result import Dns, Interface, Ip, Result, Route
from hornpipe.cni.static import Static
from hornpipe.forwarding.entry import NetnsPort, mac_text
from hornpipe.vpn.spec import InstanceSpec, PortSpec

LIMIT = 15.0
"""Seconds for the kernel to have a port; the third second of trouble usually is somebody else's lock."""
DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}


class Attachments:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._departures = Departures(host)

    # ---- what there is

    def records(self) -> list[Record]:
        spec = self._host.engine.sources.get(SOURCE)
        return [record for port in spec.ports if (record := of_port(port)) is not None] if spec is not None else []

    def has(self, record: Record) -> bool:
        return self._host.engine.port(SOURCE, record.name) is not None

    # ---- come and go

    async def attach(self, record: Record, netns: str, network: Network, asked: Static, given: Result) -> Result:
        """`given`: addresses, routes and DNS. Returns, when the kernel has it all, the result of this plugin alone."""
        routed = self._is_routed(network)
        ips = tuple(with_gateway(ip, network, routed) for ip in given.ips)
        if routed and not network.port.advertise_subnet:
            ips = tuple(map(alone, ips))
        routes = complete_routes(given.routes, ips, network.isDefaultGateway or routed)
        instance = self._instance(network, asked, () if routed else ips)
        port = PortSpec(
            name=record.name,
            instance=instance.name if instance is not None else network.instance_name,
            netns=netns,
            netns_interface=record.interface,
            mac=asked.mac or None,
            addresses=tuple(ip.address for ip in ips),
            gateway=tuple(route.gw for route in routes if route.dst in DEFAULTS.values() and route.gw),
            netns_routes=tuple(
                f"{route.dst} via {route.gw}" if route.gw else route.dst
                for route in routes
                if route.dst not in DEFAULTS.values()
            ),
            mtu=network.mtu,
            description=record.description,
            **{name: getattr(network.port, name) for name in network.port.__struct_fields__},
        )
        self._host.engine.attach(SOURCE, instance, port, self._host.now())
        await self._host.changed()
        entry = await self._programmed(record)
        dns = network.dns if network.dns != Dns() else given.dns  # as the reference plugins have it
        return self._result(entry, ips, routes, dns)

    async def detach(self, record: Record) -> str:
        """Its interface, which `removed` awaits; empty: there was no such attachment."""
        return await self._departures.leave(record.name)

    async def removed(self, interface: str) -> None:
        await self._departures.removed(interface)

    # ---- what is wanted

    def _is_routed(self, network: Network) -> bool:
        own = network.own_instance
        if own is not None:
            return own.type == "ipvpn"
        for row in self._host.engine.instances():
            if network.instance_name in (row.name, *row.names):
                return row.type == "ipvpn"
        words = "define it in the daemon's configuration or by the API, or give its specification here"
        raise CniFailure(failure.CONFIG, f"instance: there is no instance {network.instance_name!r}", words)

    def _instance(self, network: Network, asked: Static, ips: Sequence[Ip]) -> InstanceSpec | None:
        own = network.own_instance
        gateways = tuple(f"{ip.gateway}/{ip_interface(ip.address).network.prefixlen}" for ip in ips if ip.gateway)
        if own is None:
            if network.isGateway or asked.import_rts or asked.export_rts:
                words = "give its gateways and route targets there, or its specification here"
                raise CniFailure(failure.CONFIG, f"instance {network.instance_name} is defined elsewhere", words)
            return None
        if asked.import_rts or asked.export_rts:
            own = of_targets(own, asked)
        if not network.isGateway and not network.isDefaultGateway:
            return own
        former = self._host.engine.sources.get(SOURCE)
        known = next((spec.gateways for spec in former.instances if spec.name == own.name), ()) if former else ()
        together = tuple(dict.fromkeys((*own.gateways, *known, *gateways)))
        return msgspec.structs.replace(own, gateways=together)

    # ---- what came of it

    async def _programmed(self, record: Record) -> NetnsPort:
        """Its MAC on the bridge, which spares others its frames, follows at once and is not waited for."""
        engine, forwarding = self._host.engine, self._host.engine.forwarding
        row = engine.port(SOURCE, record.name)
        deadline = self._host.now() + LIMIT
        while row is not None:
            entry = forwarding.get(("port", row.interface))
            status, reason = forwarding.entry_status(("port", row.interface))
            if isinstance(entry, NetnsPort) and status == "done" and entry.name in forwarding.links.by_name:
                return entry
            left = deadline - self._host.now()
            if status == "error" or left <= 0:
                row = engine.port(SOURCE, record.name)
                words = reason or (row.reason if row is not None else "") or "not done in time"
                raise CniFailure(failure.IO, f"the interface cannot be made: {words}")
            await self._host.turn(left)
            if not isinstance(entry, NetnsPort):
                row = engine.port(SOURCE, record.name)
        raise CniFailure(failure.TRY_AGAIN, f"port {record.name} was detached meanwhile")

    def _result(self, entry: NetnsPort, ips: Sequence[Ip], routes: Sequence[Route], dns: Dns) -> Result:
        links = self._host.engine.forwarding.links.by_name
        outside = links.get(entry.name)
        interfaces = [
            Interface(name=link.name, mac=mac_text(link.mac), mtu=link.mtu)
            for link in (links.get(entry.bridge), outside)
            if link is not None
        ]
        mtu = entry.mtu or (outside.mtu if outside is not None else 0)
        interfaces.append(Interface(name=entry.inside, mac=mac_text(entry.mac), mtu=mtu, sandbox=entry.netns))
        index = len(interfaces) - 1
        return Result(
            interfaces=tuple(interfaces),
            ips=tuple(msgspec.structs.replace(ip, interface=index) for ip in ips),
            routes=tuple(routes),
            dns=dns,
        )


def alone(ip: Ip) -> Ip:
    """Without its subnet: behind a router's port nobody else is on the link, and IPv6 would look for them there."""
    return msgspec.structs.replace(ip, address=f"{ip_interface(ip.address).ip}/{32 if ip.family == 4 else 128}")


def with_gateway(ip: Ip, network: Network, routed: bool) -> Ip:
    """Where IPAM names none and one is wanted: on a bridge the subnet's first address, as the reference plugin has it;
    on a routed port one that is nobody else's."""
    if ip.gateway:
        return ip
    if routed:
        return msgspec.structs.replace(ip, gateway=GATEWAY_L3[ip.family == 6])
    subnet = ip_interface(ip.address).network
    if (network.isGateway or network.isDefaultGateway) and subnet.num_addresses > 2:
        return msgspec.structs.replace(ip, gateway=str(subnet.network_address + 1))
    return ip


def complete_routes(routes: Sequence[Route], ips: Sequence[Ip], default: bool) -> tuple[Route, ...]:
    """Each with its gateway (Multus shows a missing one as ``<nil>``); with `default`, one for each IP version."""
    gateways = {ip.family: ip.gateway for ip in reversed(ips) if ip.gateway}
    wanted = list(routes)
    if default:
        known = {str(ip_network(route.dst)) for route in routes}
        wanted += [Route(dst=DEFAULTS[family]) for family in sorted(gateways) if DEFAULTS[family] not in known]
    done = []
    for route in wanted:
        family = 6 if ":" in route.dst else 4
        gateway = route.gw or ("" if route.scope == 253 else gateways.get(family, ""))  # 253: on the link
        done.append(msgspec.structs.replace(route, dst=str(ip_network(route.dst)), gw=gateway))
    return tuple(done)


def of_targets(own: InstanceSpec, asked: Static) -> InstanceSpec:
    """An instance for the containers that ask for these route targets, with a VNI and an RD of its own."""
    imports, exports = asked.import_rts or own.import_rts, asked.export_rts or own.export_rts
    digest = hashlib.sha256(repr((sorted(imports), sorted(exports))).encode()).hexdigest()[:8]
    return msgspec.structs.replace(
        own, name=f"{own.name}.{digest}", import_rts=imports, export_rts=exports, vni=None, rd=None
    )
