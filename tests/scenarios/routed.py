"""What scenarios say of routed instances: their words, routes of other PEs, the underlay, what the kernel forwards by.

instance blue type ipvpn rt 64512:2 encap mpls-gre
h1 attach tap2 blue 02:00:00:00:00:02 10.2.0.1 gateway 10.2.0.254
h2 sees fib hp-vrf1 10.2.0.1/32 encap mpls 16 via 10.0.0.1 dev hp-gre
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import FLOWSPEC_VPNV4, VPNV4, VPNV6
from hornpipe.bgp.nlri import flowspec
from hornpipe.bgp.nlri.evpn import IpPrefix
from hornpipe.bgp.nlri.flowspec import Component, PrefixMatch, equals
from hornpipe.bgp.nlri.labelled import label_payload
from hornpipe.bgp.nlri.next_hop import next_hop_field
from hornpipe.bgp.nlri.vpn import vpn_key
from hornpipe.forwarding.table import MAIN_TABLE
from hornpipe.forwarding.underlay import Way
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector
from hornpipe.vpn.spec import (
    AttractSpec,
    ClassifierSpec,
    FallbackSpec,
    InstanceSpec,
    PortSpec,
    ReadvertiseSpec,
)

if TYPE_CHECKING:
    from tests.scenarios.language import Scenario

Options = dict[str, list[str]]


# ---- observing


def fib(kernel: dict[str, Any], host: Host) -> Iterator[str]:
    """``fib hp-vrf1 10.0.0.0/24 via 10.0.0.2 dev hp-br500 | ...``: all ways of a route of ours; labels that come in."""
    names = {link.table: name for name, link in host.kernel.links.items() if link.table}
    for (table, key), ways in kernel["routes"].items():
        words = " | ".join(way.removesuffix(" weight 1") for way in ways) or "unreachable"
        yield f"fib {names.get(table, 'main' if table == MAIN_TABLE else table)} {Address(key[1:])}/{key[0]} {words}"
    for label, (device, gateway) in kernel["labels"].items():
        via = f"via {Address(gateway)} " if gateway else ""
        yield f"label {int.from_bytes(label, 'big')} {via}dev {device}"
    for priority, match in kernel["rules"]:
        yield f"rule {priority} {match}"
    for device, neighbours in kernel["permanent"].items():
        for ip, mac in dict(neighbours).items():
            yield f"permanent {device} {Address(ip)} lladdr {Mac(mac)}"


def routers(host: Host) -> Iterator[str]:
    engine = host.running
    for instance in engine.instances():
        if instance.type == "ipvpn":
            yield (
                f"router {instance.name} vrf {instance.vrf} table {instance.table} label {instance.label}"
                f" prefixes {instance.prefixes}"
            )
    for route in engine.routes():
        for name, reason in route.not_imported.items():
            yield f"unused {name} {route.nlri} {reason}"
    for missing in engine.status().missing_features:
        yield f"missing {missing}"


# ---- instances and ports


def instance_fields(more: Options) -> dict[str, Any]:
    """[vrf INSTANCE] [irb asymmetric] [own ADDRESS/LENGTH,...]
    [type ipvpn] [encap ENCAPSULATION,...] [labels per-port] [table host] [readvertise RT>RT]
    [fallback INTERFACE,GATEWAY] [attract REDIRECT-RT>RT prefixes PREFIX,...]"""
    fields: dict[str, Any] = {}
    if "vrf" in more:
        fields["vrf"] = more["vrf"][0]
    if "irb" in more:
        fields["irb"] = more["irb"][0]
    if "own" in more:
        fields["host_addresses"] = tuple(more["own"])
    if more.get("type") != ["ipvpn"]:
        return fields
    fields.update(type="ipvpn", encapsulations=tuple(more.get("encap", ())), host_table="table" in more)
    fields["label_mode"] = more.get("labels", ["per-instance"])[0]
    if "readvertise" in more:
        of, to = more["readvertise"][0].split(">")
        fields["readvertise"] = ReadvertiseSpec(from_rts=(of,), to_rts=(to,))
    if "fallback" in more:
        fields["fallback"] = FallbackSpec(interface=more["fallback"][0], gateway=more["fallback"][1])
    if "attract" in more:
        redirect, to = more["attract"][0].split(">")
        fields["attract_traffic"] = AttractSpec(
            redirect_rts=(redirect,),
            to_rts=(to,) if to else (),
            static_prefixes=tuple(more.get("prefixes", ())),
            classifier=ClassifierSpec(protocol="tcp", destination_port="80"),
        )
    return fields


PORT_NUMBERS = {"pref": "local_pref", "order": "lb_consistent_hash_order"}


def port_fields(given: Options) -> dict[str, Any]:
    """[gateway ADDRESS,...] [routes PREFIX,...] [direction D] [pref N] [order N] [subnet yes]"""
    more: dict[str, Any] = {name: tuple(given[name]) for name in ("gateway", "routes") if name in given}
    more.update({name: int(given[key][0]) for key, name in PORT_NUMBERS.items() if key in given})
    if "direction" in given:
        more["direction"] = given["direction"][0]
    if "subnet" in given:
        more["advertise_subnet"] = True
    return more


def attach_door(scenario: Scenario, made: Host, words: list[str], spec: InstanceSpec, more: dict[str, Any]) -> None:
    """attach evpn:INSTANCE INSTANCE MAC ADDRESS,...: the bridge of a broadcast domain is the port."""
    addresses = tuple(words[3].split(",")) if len(words) > 3 else ()
    port = PortSpec(name=words[0], instance=spec.name, evpn=words[0][5:], mac=words[2], addresses=addresses, **more)
    made.running.attach("sim", spec, port, scenario.fleet.now)


# ---- surroundings


def underlay(scenario: Scenario, made: Host, words: list[str]) -> None:
    """underlay ADDRESS DEVICE [GATEWAY] [mtu N] | underlay ADDRESS none: how the main table leads to it."""
    address, mtu = bytes(Address.parse(words[0])), 1500
    if len(words) > 3 and words[-2] == "mtu":
        words, mtu = words[:-2], int(words[-1])
    if words[1] == "none":
        made.kernel.underlay.pop(address, None)
        return
    if words[1] not in made.kernel.links:
        made.kernel.add_link(words[1])
    gateway = bytes(Address.parse(words[2])) if len(words) > 2 else b""
    made.kernel.underlay[address] = Way(words[1], gateway, mtu)


def lacks(scenario: Scenario, made: Host, words: list[str]) -> None:
    """lacks FEATURE: the kernel has none; before the start."""
    made.kernel.features[words[0]] = f"module {words[0]}"


def deletes(scenario: Scenario, made: Host, words: list[str]) -> None:
    """deletes nothing | deletes KIND,...: since `mark`."""
    found = sorted({write[1] for write in made.kernel.writes if write[0] in ("delete", "remove")})
    if found != ([] if words == ["nothing"] else sorted(words[0].split(","))):
        raise AssertionError(f"deleted: {found or 'nothing'}")


HOST_COMMANDS: dict[str, Callable[[Scenario, Host, list[str]], None]] = {
    "underlay": underlay,
    "lacks": lacks,
    "deletes": deletes,
}


# ---- routes of other PEs


def communities(more: Options, default: tuple[str, ...]) -> list[bytes]:
    found = [bytes(RouteTarget.parse(rt)) for rt in more["rt"]]
    if more.get("encapsulation") != ["none"]:
        found += [extended.encapsulation(int(number)) for number in more.get("encapsulation", default)]
    if "router-mac" in more:
        found.append(extended.router_mac(Mac.parse(more["router-mac"][0])))
    if "order" in more:
        found.append(extended.sort_order(int(more["order"][0])))
    found += [extended.rt_record(RouteTarget.parse(rt)) for rt in more.get("record", ())]
    return found


def announce_vpn(made: Injector, prefix: Prefix, more: Options) -> None:
    """announce vpn PREFIX rd RD rt RT label N via VTEP [encapsulation N,N] [pref N] [order N] [record RT]"""
    family = VPNV4 if prefix.version == 4 else VPNV6
    key = vpn_key(RouteDistinguisher.parse(more["rd"][0]), prefix.length, prefix.address)
    attributes = build(local_pref=int(more.get("pref", ["100"])[0]), ext_communities=communities(more, ()))
    next_hop = next_hop_field(family, bytes(Address.parse(more["via"][0])))
    made.announce(key, label_payload(int(more["label"][0])), attributes, next_hop, family)


def announce_prefix(made: Injector, prefix: Prefix, more: Options) -> None:
    """announce prefix PREFIX rd RD rt RT vni N via VTEP router-mac MAC | gateway-ip IP: type 5"""
    gateway = Address.parse(more["gateway-ip"][0]) if "gateway-ip" in more else None
    key, payload = IpPrefix(RouteDistinguisher.parse(more["rd"][0]), prefix, gateway, int(more["vni"][0])).encode()
    attributes = build(local_pref=int(more.get("pref", ["100"])[0]), ext_communities=communities(more, ("8",)))
    made.announce(key, payload, attributes, bytes(Address.parse(more["via"][0])))


def withdraw_vpn(made: Injector, prefix: Prefix, more: Options) -> None:
    key = vpn_key(RouteDistinguisher.parse(more["rd"][0]), prefix.length, prefix.address)
    made.withdraw(key, VPNV4 if prefix.version == 4 else VPNV6)


def withdraw_prefix(made: Injector, prefix: Prefix, more: Options) -> None:
    made.withdraw(IpPrefix(RouteDistinguisher.parse(more["rd"][0]), prefix).encode()[0])


def announce_flow(made: Injector, prefix: Prefix, more: Options) -> None:
    """announce flow PREFIX rd RD rt RT redirect RT [source PREFIX] [protocol N,N] [port N,N]"""
    redirect = extended.redirect(bytes(RouteTarget.parse(more["redirect"][0])))
    attributes = build(local_pref=100, ext_communities=[*communities(more, ()), redirect])
    made.announce(_flow_key(prefix, more), b"", attributes, b"", FLOWSPEC_VPNV4)


def withdraw_flow(made: Injector, prefix: Prefix, more: Options) -> None:
    made.withdraw(_flow_key(prefix, more), FLOWSPEC_VPNV4)


def _flow_key(prefix: Prefix, more: Options) -> bytes:
    components: dict[int, Component] = {flowspec.DESTINATION: PrefixMatch(prefix)}
    if "source" in more:
        components[flowspec.SOURCE] = PrefixMatch(Prefix.parse(more["source"][0]))
    for word, kind in (("protocol", flowspec.PROTOCOL), ("port", flowspec.DESTINATION_PORT)):
        if word in more:
            components[kind] = tuple(match for number in more[word] for match in equals(int(number)))
    return flowspec.build(components, bytes(RouteDistinguisher.parse(more["rd"][0])))


ANNOUNCE: dict[str, Callable[[Injector, Prefix, Options], None]] = {
    "vpn": announce_vpn,
    "prefix": announce_prefix,
    "flow": announce_flow,
}
WITHDRAW: dict[str, Callable[[Injector, Prefix, Options], None]] = {
    "vpn": withdraw_vpn,
    "prefix": withdraw_prefix,
    "flow": withdraw_flow,
}
