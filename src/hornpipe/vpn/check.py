"""Turns what callers write into values, or refuses it naming the field.

Nothing here knows of other instances or ports: what conflicts with what is `hornpipe.vpn.desired`'s question. The
checked forms are what the rest of the vpn layer works with; they compare equal when they mean the same, so that
``10.0.0.05`` never becomes a change.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal, Protocol, TypeVar

import msgspec

from hornpipe.forwarding.entry import InsideRoute
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.vpn.inside import check_inside_routes
from hornpipe.vpn.spec import EndpointSpec, InstanceSpec, PortSpec, Refused, SourceSpec

MAX_VNI = 0xFFFFFF
INTERFACE = re.compile(r"[^/\s]{1,15}")
"""What the kernel's dev_valid_name takes; IFNAMSIZ is 16 with the terminating zero."""
MAX_NAME = 200
"""An instance's name is part of its links' alias, for which the kernel has 255 bytes."""
MIN_MTU = 68
"""RFC 791: every internet module must forward 68 octets; the kernel's ETH_MIN_MTU."""


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


class CheckedSource(msgspec.Struct, frozen=True, kw_only=True):
    instances: dict[str, CheckedInstance]
    ports: dict[str, CheckedPort]


Value_co = TypeVar("Value_co", covariant=True)


class Parsed(Protocol[Value_co]):
    @classmethod
    def parse(cls, text: str) -> Value_co: ...


Value = TypeVar("Value")


def parse(kind: type[Parsed[Value]], text: str, field: str) -> Value:
    try:
        return kind.parse(text)
    except ValueError as error:
        raise Refused(field, str(error)) from error


def check_name(text: str, field: str) -> str:
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise Refused(field, f"must be 1 to {MAX_NAME} printable characters", "give a name such as red")
    return text


def check_interface(text: str, field: str) -> str:
    if not INTERFACE.fullmatch(text) or text in {".", ".."}:
        raise Refused(field, f"{text!r} is not an interface name", "1 to 15 characters without slash or space, as tap0")
    return text


def check_mtu(mtu: int | None, field: str) -> None:
    if mtu is not None and not MIN_MTU <= mtu <= 65535:
        raise Refused(field, f"{mtu} is not an MTU", f"{MIN_MTU} to 65535, or leave it out")


def check_mac(text: str, field: str) -> Mac:
    mac: Mac = parse(Mac, text, field)
    if mac[0] & 1 or not any(mac):
        raise Refused(
            field, f"{text} is not the address of one station", "give a unicast MAC such as 02:00:00:00:00:05"
        )
    return mac


def check_address(text: str, field: str, length: Literal["no", "may", "must"] = "may") -> tuple[Address, int]:
    """An address of a host with the prefix length it was written with (the full length if without)."""
    bare, slash, suffix = text.partition("/")
    address: Address = parse(Address, bare, field)
    full = len(address) * 8
    if slash and (length == "no" or not suffix.isdecimal() or not 0 < int(suffix) <= full):
        raise Refused(field, f"{text!r} is not a host address", f"an address{' and length 1 to ' + str(full)}")
    if not slash and length == "must":
        raise Refused(field, f"{text!r} lacks the prefix length", f"such as {text}/{24 if full == 32 else 64}")
    multicast = address[0] >= 0xE0 if full == 32 else address[0] == 0xFF
    if multicast or not any(address):
        raise Refused(field, f"{bare} is not the address of one host", "give a unicast address")
    return address, int(suffix) if slash else full


def check_rts(texts: tuple[str, ...], field: str) -> frozenset[bytes]:
    return frozenset(bytes(parse(RouteTarget, text, f"{field}[{index}]")) for index, text in enumerate(texts))


def derived_mac(*words: str) -> bytes:
    """A locally administered unicast MAC that follows from words alone."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return bytes([digest[0] & 0xFC | 0x02]) + digest[1:6]


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
    if spec.type != "evpn":
        raise Refused(f"{field}.type", f"{spec.type} is not built yet", "give evpn", "unsupported")
    if name.startswith("shared:"):
        raise Refused(f"{field}.name", "names that begin with shared: are ours", "give another name")
    if spec.vni is not None and not 1 <= spec.vni <= MAX_VNI:
        raise Refused(f"{field}.vni", f"{spec.vni} is not a VNI", f"1 to {MAX_VNI}, or leave it out")
    if spec.bridge is not None:
        check_interface(spec.bridge, f"{field}.bridge")
    check_mtu(spec.mtu, f"{field}.mtu")
    imports = check_rts(spec.import_rts, f"{field}.import_rts")
    exports = check_rts(spec.export_rts, f"{field}.export_rts")
    gateways = tuple(
        check_address(text, f"{field}.gateways[{index}]", "must") for index, text in enumerate(spec.gateways)
    )
    if len({address for address, _ in gateways}) != len(gateways):
        raise Refused(f"{field}.gateways", "names an address twice", "name each once")
    mac = b""
    if spec.gateway_mac is not None:
        mac = bytes(check_mac(spec.gateway_mac, f"{field}.gateway_mac"))
        if not gateways:
            raise Refused(f"{field}.gateway_mac", "has no gateways", "give the addresses in gateways, or leave it out")
    elif gateways:
        # Every host of the instance must derive the same MAC, so that the gateway is one for a workload that moves.
        mac = derived_mac("gateway", *sorted(str(address) for address, _ in gateways))
    return CheckedInstance(
        spec=spec,
        name=name,
        domain=domain_of(spec, imports, exports),
        vni=spec.vni or 0,
        rd=bytes(parse(RouteDistinguisher, spec.rd, f"{field}.rd")) if spec.rd is not None else b"",
        import_rts=imports,
        export_rts=exports,
        gateways=tuple((bytes(address), length) for address, length in gateways),
        gateway_mac=mac,
    )


def check_netns(text: str, field: str) -> str:
    good = text.startswith("/") or (text and "/" not in text and text not in {".", ".."})
    if not good or not text.isprintable():
        raise Refused(field, f"{text!r} is not a network namespace", "a name of `ip netns` or an absolute path")
    return text


def check_endpoint(spec: EndpointSpec, field: str) -> Endpoint:
    mac = check_mac(spec.mac, f"{field}.mac")
    addresses = {
        bytes(check_address(text, f"{field}.addresses[{index}]")[0]) for index, text in enumerate(spec.addresses)
    }
    return Endpoint(bytes(mac), tuple(sorted(addresses, key=lambda address: (len(address), address))))


def check_attachment(spec: PortSpec, field: str) -> None:
    if (spec.interface is None) == (spec.netns is None):
        raise Refused(
            f"{field}.interface", "exactly one of interface and netns is needed", "give one, leave out the other"
        )
    if spec.interface is not None:
        check_interface(spec.interface, f"{field}.interface")
        if spec.mac is None and spec.addresses:
            raise Refused(f"{field}.mac", "is missing", "addresses belong to a MAC: give it")
        if spec.mac is None and not spec.learn and not spec.endpoints:
            raise Refused(f"{field}.mac", "is missing", "give the station's MAC, or learn=true")
    else:
        check_netns(spec.netns or "", f"{field}.netns")
        check_interface(spec.netns_interface, f"{field}.netns_interface")


def check_port(spec: PortSpec, field: str = "port", seed: tuple[str, ...] = ()) -> CheckedPort:
    """`seed` (this host's router id and the source) makes derived MACs and veth names differ between hosts."""
    name = check_name(spec.name, f"{field}.name")
    check_name(spec.instance, f"{field}.instance")
    check_attachment(spec, field)
    check_mtu(spec.mtu, f"{field}.mtu")
    endpoints: list[Endpoint] = []
    mac = spec.mac
    if mac is None and spec.netns is not None:
        mac = str(Mac(derived_mac("port", *seed, name)))
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
    inside = {check_address(text, f"{field}.addresses[{i}]") for i, text in enumerate(spec.addresses)}
    gateways = tuple(
        bytes(check_address(text, f"{field}.gateway[{i}]", "no")[0]) for i, text in enumerate(spec.gateway)
    )
    return CheckedPort(
        spec=spec,
        name=name,
        instance=spec.instance,
        interface=spec.interface if spec.interface is not None else veth_name(*seed, name),
        netns=spec.netns or "",
        endpoints=tuple(endpoints),
        inside_routes=check_inside_routes(spec, field),
        inside=tuple(sorted((bytes(address), length) for address, length in inside)) if spec.netns else (),
        gateways=gateways,
    )


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
