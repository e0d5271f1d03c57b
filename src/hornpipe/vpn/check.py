"""Turns what callers write into values, or refuses it naming the field.

Nothing here knows of other instances or ports: what conflicts with what is `hornpipe.vpn.desired`'s question. The
checked forms are what the rest of the vpn layer works with; they compare equal when they mean the same, so that
``10.0.0.05`` never becomes a change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache

import msgspec

from hornpipe.forwarding.entry import InsideRoute
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.vpn.field import (
    MAX_NAME,
    MAX_VNI,
    check_address,
    check_interface,
    check_mac,
    check_mtu,
    check_name,
    check_netns,
    check_prefix,
    check_rts,
    derived_mac,
    parse,
)
from hornpipe.vpn.inside import check_inside_routes
from hornpipe.vpn.routed.terms import REDIRECT_PREFIX, RouterTerms, check_router
from hornpipe.vpn.spec import EndpointSpec, InstanceSpec, PortSpec, Refused, SourceSpec

OF_EVPN = (
    "bridge",
    "gateways",
    "gateway_mac",
    "arp_suppression",
    "shared",
    "vrf",
    "irb",
    "host_addresses",
)
OF_IPVPN = (
    "encapsulations",
    "label_mode",
    "host_table",
    "readvertise",
    "attract_traffic",
    "fallback",
)
"""Fields of an instance that only this type has."""
PORT_OF_EVPN = ("learn", "sticky")
PORT_OF_IPVPN = ("evpn", "routes", "advertise_subnet", "direction", "local_pref", "lb_consistent_hash_order")
MAX_U32 = 0xFFFFFFFF


class CheckedInstance(msgspec.Struct, frozen=True, kw_only=True):
    spec: InstanceSpec
    name: str
    domain: str
    """Key of the broadcast domain: the name, or for `shared` instances their set of RTs."""
    vni: int
    """0: to be allocated."""
    rd: bytes
    """Empty: to be allocated."""
    import_rts: frozenset[bytes]
    export_rts: frozenset[bytes]
    gateways: tuple[tuple[bytes, int], ...]
    """Address and prefix length."""
    gateway_mac: bytes
    """Empty if there are no gateways."""
    host_addresses: tuple[tuple[bytes, int], ...] = ()
    router: RouterTerms | None = None
    """None: a broadcast domain."""


class Endpoint(msgspec.Struct, frozen=True):
    mac: bytes
    addresses: tuple[bytes, ...]
    """Sorted, without duplicates; IPv4 first."""


class CheckedPort(msgspec.Struct, frozen=True, kw_only=True):
    spec: PortSpec
    name: str
    instance: str
    interface: str
    """The host's side: the given interface, or the veth of a `netns` port."""
    netns: str
    """Empty: no namespace."""
    endpoints: tuple[Endpoint, ...]
    inside: tuple[tuple[bytes, int], ...]
    """Addresses with prefix length for the interface inside the namespace."""
    gateways: tuple[bytes, ...]
    inside_routes: tuple[InsideRoute, ...] = ()
    """Further routes for the namespace."""
    routes: tuple[bytes, ...] = ()
    """Prefixes behind it, as `route_key` has them."""
    subnets: tuple[bytes, ...] = ()
    """Prefixes to announce instead of the addresses."""


class CheckedSource(msgspec.Struct, frozen=True, kw_only=True):
    instances: dict[str, CheckedInstance]
    ports: dict[str, CheckedPort]


def domain_of(spec: InstanceSpec, import_rts: frozenset[bytes], export_rts: frozenset[bytes]) -> str:
    """Equal keys are one broadcast domain.

    The old CNI plugin makes an instance a pod, all with the same RTs; one bridge and VNI serves them all.
    """
    if spec.shared and spec.vni is None and spec.bridge is None and import_rts and import_rts == export_rts:
        words = ",".join(str(RouteTarget(rt)) for rt in sorted(import_rts))
        return "shared:" + (words if len(words) < MAX_NAME else hashlib.sha256(words.encode()).hexdigest())
    return spec.name


def check_instance(spec: InstanceSpec, field: str = "instance") -> CheckedInstance:
    name = check_name(spec.name, f"{field}.name")
    check_belongs(spec, OF_EVPN if spec.type == "ipvpn" else OF_IPVPN, field, f"an {spec.type} instance")
    if name.startswith("shared:"):
        raise Refused(f"{field}.name", "names that begin with shared: are ours", "give another name")
    if name.startswith(REDIRECT_PREFIX):
        raise Refused(f"{field}.name", f"names that begin with {REDIRECT_PREFIX} are ours", "give another name")
    if spec.vni is not None and not 1 <= spec.vni <= MAX_VNI:
        raise Refused(f"{field}.vni", f"{spec.vni} is not a VNI", f"1 to {MAX_VNI}, or leave it out")
    if spec.bridge is not None:
        check_interface(spec.bridge, f"{field}.bridge")
        if spec.vrf is not None:
            # It would have to change its master, and what is not ours is never changed.
            raise Refused(f"{field}.vrf", f"bridge {spec.bridge} is not ours", "leave out bridge", "unsupported")
    check_mtu(spec.mtu, f"{field}.mtu")
    imports = check_rts(spec.import_rts, f"{field}.import_rts")
    exports = check_rts(spec.export_rts, f"{field}.export_rts")
    gateways, mac = check_gateways(spec, field)
    return CheckedInstance(
        spec=spec,
        name=name,
        domain=domain_of(spec, imports, exports),
        vni=spec.vni or 0,
        rd=bytes(parse(RouteDistinguisher, spec.rd, f"{field}.rd")) if spec.rd is not None else b"",
        import_rts=imports,
        export_rts=exports,
        gateways=gateways,
        gateway_mac=mac,
        host_addresses=check_host_addresses(spec, gateways, field),
        router=check_router(spec, field) if spec.type == "ipvpn" else None,
    )


def check_belongs(spec: msgspec.Struct, others: tuple[str, ...], field: str, what: str) -> None:
    """Refuses fields that the other type has."""
    defaults = _defaults(type(spec))
    for name in others:
        if getattr(spec, name) != defaults[name]:
            raise Refused(f"{field}.{name}", f"is not a field of {what}", "leave it out")


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, object]:
    """Finding them takes half a millisecond, which each attachment would pay."""
    return {given.name: given.default for given in msgspec.structs.fields(kind)}


def check_gateways(spec: InstanceSpec, field: str) -> tuple[tuple[tuple[bytes, int], ...], bytes]:
    """The gateways and their MAC; empty if there are none."""
    gateways = check_addresses(spec.gateways, f"{field}.gateways")
    if spec.gateway_mac is not None:
        mac = bytes(check_mac(spec.gateway_mac, f"{field}.gateway_mac"))
        if not gateways:
            raise Refused(f"{field}.gateway_mac", "has no gateways", "give the addresses in gateways, or leave it out")
        return gateways, mac
    return gateways, gateway_mac(address for address, _ in gateways)


def gateway_mac(addresses: Iterable[bytes]) -> bytes:
    """Every host of an instance must derive the same MAC, so that the gateway is one for a workload that moves."""
    texts = sorted(str(Address(address)) for address in addresses)
    return derived_mac("gateway", *texts) if texts else b""


def check_addresses(texts: tuple[str, ...], field: str) -> tuple[tuple[bytes, int], ...]:
    """Addresses of the host, with prefix lengths."""
    found = tuple(check_address(text, f"{field}[{index}]", "must") for index, text in enumerate(texts))
    if len({address for address, _ in found}) != len(found):
        raise Refused(field, "names an address twice", "name each once")
    return tuple((bytes(address), length) for address, length in found)


def check_host_addresses(
    spec: InstanceSpec, gateways: tuple[tuple[bytes, int], ...], field: str
) -> tuple[tuple[bytes, int], ...]:
    found = check_addresses(spec.host_addresses, f"{field}.host_addresses")
    if found and not gateways:
        raise Refused(f"{field}.host_addresses", "has no gateways", "they are beside the gateways: give those too")
    if found and spec.bridge is not None:
        raise Refused(f"{field}.host_addresses", "cannot be on a bridge that is not ours", "leave out bridge")
    both = {address for address, _ in found} & {address for address, _ in gateways}
    if both:
        raise Refused(f"{field}.host_addresses", f"{Address(both.pop())} is a gateway too", "give another address")
    return found


def check_endpoint(spec: EndpointSpec, field: str) -> Endpoint:
    mac = check_mac(spec.mac, f"{field}.mac")
    addresses = {
        bytes(check_address(text, f"{field}.addresses[{index}]")[0]) for index, text in enumerate(spec.addresses)
    }
    return Endpoint(bytes(mac), tuple(sorted(addresses, key=lambda address: (len(address), address))))


def check_attachment(spec: PortSpec, field: str) -> None:
    if [spec.interface, spec.netns, spec.evpn].count(None) != 2:
        raise Refused(
            f"{field}.interface", "exactly one of interface, netns and evpn is needed", "give one, leave out the others"
        )
    if spec.netns is not None:
        check_netns(spec.netns, f"{field}.netns")
        check_interface(spec.netns_interface, f"{field}.netns_interface")
        return
    if spec.mac is None and spec.addresses:
        raise Refused(f"{field}.mac", "is missing", "addresses belong to a MAC: give it")
    if spec.evpn is not None:
        check_name(spec.evpn, f"{field}.evpn")
        return
    check_interface(spec.interface or "", f"{field}.interface")
    if spec.mac is None and not spec.learn and not spec.endpoints:
        raise Refused(f"{field}.mac", "is missing", "give the station's MAC, or learn=true")


def check_routed(
    spec: PortSpec, addresses: set[tuple[Address, int]], field: str
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """What a port of an ``ipvpn`` has more: the prefixes behind it, and those announced instead of its addresses."""
    routes = tuple(check_prefix(text, f"{field}.routes[{i}]") for i, text in enumerate(spec.routes))
    for index, route in enumerate(routes):
        if not any(len(address) == len(route) - 1 for address, _ in addresses):
            raise Refused(f"{field}.routes[{index}]", "no address of the port is of this IP version", "give one first")
    if spec.local_pref is not None and not 0 <= spec.local_pref <= MAX_U32:
        raise Refused(f"{field}.local_pref", f"{spec.local_pref} is not a LOCAL_PREF", f"0 to {MAX_U32}")
    order = spec.lb_consistent_hash_order
    if order is not None and not 0 <= order <= MAX_U32:
        raise Refused(f"{field}.lb_consistent_hash_order", f"{order} is not an order", f"0 to {MAX_U32}")
    subnets = {bytes(Prefix.of(address, length)) for address, length in addresses} if spec.advertise_subnet else set()
    return tuple(sorted(set(routes))), tuple(sorted(subnets))


def check_port(spec: PortSpec, field: str = "port", seed: tuple[str, ...] = ()) -> CheckedPort:
    """`seed` (this host's router id and the source) makes derived MACs and veth names differ between hosts."""
    name = check_name(spec.name, f"{field}.name")
    check_name(spec.instance, f"{field}.instance")
    check_attachment(spec, field)
    check_mtu(spec.mtu, f"{field}.mtu")
    endpoints = check_endpoints(spec, field, seed)
    inside = {check_address(text, f"{field}.addresses[{i}]") for i, text in enumerate(spec.addresses)}
    gateways = tuple(
        bytes(check_address(text, f"{field}.gateway[{i}]", "no")[0]) for i, text in enumerate(spec.gateway)
    )
    behind = {check_address(text, field) for more in spec.endpoints for text in more.addresses}
    routes, subnets = check_routed(spec, inside | behind, field)
    return CheckedPort(
        spec=spec,
        name=name,
        instance=spec.instance,
        interface=interface_of(spec, seed),
        netns=spec.netns or "",
        endpoints=endpoints,
        inside=tuple(sorted((bytes(address), length) for address, length in inside)) if spec.netns else (),
        gateways=gateways,
        inside_routes=check_inside_routes(spec, field),
        routes=routes,
        subnets=subnets,
    )


def check_endpoints(spec: PortSpec, field: str, seed: tuple[str, ...]) -> tuple[Endpoint, ...]:
    """The port's own MAC first."""
    endpoints: list[Endpoint] = []
    mac = spec.mac
    if mac is None and spec.netns is not None:
        mac = str(Mac(derived_mac("port", *seed, spec.name)))
    if mac is not None:
        endpoints.append(check_endpoint(EndpointSpec(mac=mac, addresses=spec.addresses), field))
    for index, more in enumerate(spec.endpoints):
        endpoints.append(check_endpoint(more, f"{field}.endpoints[{index}]"))
        if any(endpoint.mac == endpoints[-1].mac for endpoint in endpoints[:-1]):
            raise Refused(f"{field}.endpoints[{index}].mac", f"{more.mac} is named twice", "one endpoint a MAC")
    owners: dict[bytes, bytes] = {}
    for endpoint in endpoints:
        for address in endpoint.addresses:
            if owners.setdefault(address, endpoint.mac) != endpoint.mac:
                raise Refused(
                    f"{field}.addresses", f"{Address(address)} has two MACs", "an address has one MAC", "conflict"
                )
    return tuple(endpoints)


def interface_of(spec: PortSpec, seed: tuple[str, ...]) -> str:
    """The host's side of a port."""
    if spec.evpn is not None:
        return door_name(spec.evpn)
    return spec.interface if spec.interface is not None else veth_name(*seed, spec.name)


def door_name(evpn: str) -> str:
    """Stands for the bridge of an ``evpn`` instance, whose name is not known before it has a VNI. No interface can be
    called so."""
    return f"evpn/{evpn}"


def veth_name(*words: str) -> str:
    """The host's side of a namespace's veth pair; 32 bits of hash leave room for `hp-` in 15 characters."""
    return "hp-" + hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


def check_source(spec: SourceSpec, seed: tuple[str, ...] = ()) -> CheckedSource:
    instances: dict[str, CheckedInstance] = {}
    for index, instance in enumerate(spec.instances):
        checked = check_instance(instance, f"instances[{index}]")
        if checked.name in instances:
            raise Refused(f"instances[{index}].name", f"{checked.name!r} is named twice", "one entry an instance")
        instances[checked.name] = checked
    ports: dict[str, CheckedPort] = {}
    for index, port in enumerate(spec.ports):
        done = check_port(port, f"ports[{index}]", seed)
        if done.name in ports:
            raise Refused(f"ports[{index}].name", f"{done.name!r} is named twice", "port names are unique in a source")
        ports[done.name] = done
    return CheckedSource(instances=instances, ports=ports)
