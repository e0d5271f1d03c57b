"""A frame's way in a broadcast domain: who answers ARP or ND, which type 2 route counts, FDB, flood list, the remote.

RFC 7432 section 10 (ARP and ND are answered from MAC/IP routes), RFC 9161 (suppression), RFC 9135 (to the gateway).
"""

from __future__ import annotations

from collections.abc import Iterable

from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri import evpn
from hornpipe.engine.trace import absent, kernel, path, port, tunnel
from hornpipe.engine.trace.path import Route
from hornpipe.engine.trace.trail import Trail
from hornpipe.forwarding.since import entry_since
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.remote import Remote
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.surroundings import OVERHEAD

MOST_FLOODS = 32
"""For each the kernel must go through the device's whole FDB."""


def begin(trail: Trail, instance: Instance, checked: CheckedPort, address: bytes) -> Router | None:
    """From a port. Returns the router that has to go on with it, if one has to."""
    if len(address) == 6:
        follow(trail, instance, address)
        return None
    if _is_known(instance, address) or _is_on_link(instance, checked, address):
        resolve(trail, instance, address)
        return None
    return _by_gateway(trail, instance, checked, address)


def _is_known(instance: Instance, address: bytes) -> bool:
    return address in instance.addresses or instance.imported.neighbour(address) is not None


def _is_on_link(instance: Instance, checked: CheckedPort, address: bytes) -> bool:
    """In a subnet of the station or of the domain; where nobody has said a subnet, all are taken for neighbours."""
    domain = instance.domain
    known = [(own, length) for own, length in (*domain.gateways, *domain.host_addresses, *checked.inside)]
    spec = checked.spec
    own = [*spec.addresses, *(text for endpoint in spec.endpoints for text in endpoint.addresses)]
    subnets = [Prefix.parse(text) for text in own if "/" in text] + [Prefix.of(a, length) for a, length in known]
    subnets = [subnet for subnet in subnets if len(subnet) == len(address) + 1 and not subnet.is_host]
    return any(subnet.contains(address) for subnet in subnets) or (not subnets and not _gateways(instance, checked))


def _gateways(instance: Instance, checked: CheckedPort) -> list[bytes]:
    return [*checked.gateways, *(address for address, _ in instance.domain.gateways)]


# ---- the gateway


def _by_gateway(trail: Trail, instance: Instance, checked: CheckedPort, address: bytes) -> Router | None:
    """The station's default route leads to one of its version."""
    found = [gateway for gateway in _gateways(instance, checked) if len(gateway) == len(address)]
    if not found:
        version = Address(address).version
        reason = f"{Address(address)} is in no subnet of the port, and there is no gateway of IPv{version}"
        trail.say(
            "gateway", instance.key, "broken", reason, None, "give the instance `gateways`, or the port `gateway`"
        )
        return None
    gateway = found[0]
    if not _is_own(instance, gateway):
        trail.say("gateway", str(Address(gateway)), "ok", "a station of this broadcast domain; from there on it routes")
        resolve(trail, instance, gateway)
        return None
    return _own_gateway(trail, instance, gateway, address)


def _is_own(instance: Instance, gateway: bytes) -> bool:
    return any(gateway == own for own, _ in (*instance.domain.gateways, *instance.domain.host_addresses))


def _own_gateway(trail: Trail, instance: Instance, gateway: bytes, address: bytes) -> Router | None:
    router = instance.router
    _answered(trail, instance, gateway)
    if router is not None:
        return router
    kernel.host_route(trail, address)
    return None


def _answered(trail: Trail, instance: Instance, gateway: bytes) -> None:
    station = instance.addresses.get(gateway)
    mac = f" by {Mac(station.mac)}" if station is not None else ""
    how = "ARP" if len(gateway) == 4 else "ND"
    state, reason = trail.forwarding.entry_status(("gateway", instance.devices.bridge))
    if state == "done":
        trail.say("gateway", str(Address(gateway)), "ok", f"this host answers {how}{mac}")
    else:
        remedy = "see `hornpipe show forwarding`"
        since = entry_since(trail.forwarding, ("gateway", instance.devices.bridge), trail.reports)
        trail.say("gateway", str(Address(gateway)), "broken", f"{state}: {reason}", since, remedy)
    vrf = instance.router.devices.vrf if instance.router is not None else ""
    kernel.own_address(trail, vrf, gateway, ("gateway", instance.devices.bridge))


# ---- stations


def resolve(trail: Trail, instance: Instance, address: bytes) -> None:
    """Which MAC has the IP, then on to it."""
    if not trail.turn():
        return
    station = instance.addresses.get(address)
    if station is not None and station.gateway:
        _answered(trail, instance, address)
        return
    if station is not None and instance.holds(address):
        port.duplicate(trail, station.mac, instance)
        port.here(trail, station.mac, instance)
        return
    found = instance.imported.neighbour(address)
    if found is not None:
        mac, _ = found
        _proxied(trail, instance, address, mac)
        follow(trail, instance, mac, address)
    elif station is not None:
        port.here(trail, station.mac, instance)
    else:
        absent.explain(trail, instance, address)


def _proxied(trail: Trail, instance: Instance, address: bytes, mac: bytes) -> None:
    how = "ARP" if len(address) == 4 else "ND"
    if instance.domain.arp_suppression:
        trail.say("gateway", str(Address(address)), "ok", f"{how} is answered here: {Mac(mac)}")
    else:
        trail.say("gateway", str(Address(address)), "ok", f"{how} is flooded (no suppression); it is {Mac(mac)}")
    kernel.neigh(trail, instance.devices.bridge, address, mac)


def follow(trail: Trail, instance: Instance, mac: bytes, address: bytes = b"") -> None:
    """To a MAC; `address`: the IP that it is looked up for."""
    if Mac(mac).is_multicast:
        _everybody(trail, instance)
        return
    port.duplicate(trail, mac, instance)
    if port.here(trail, mac, instance):
        return
    claims = instance.imported.claims(mac)
    if not claims:
        absent.explain(trail, instance, mac)
        return
    routes = [route for key, _ in claims if (route := _route(trail, key)) is not None]
    # Of the routes that rank alike, the one with the address that was asked for says most.
    leading, remote = next((pair for pair in claims if evpn.ip_of(pair[0]) == address), claims[0])
    first = _route(trail, leading)
    if first is not None:
        _lead(trail, instance, first, remote, [route for route in routes if route[1] != leading], mac)


def _route(trail: Trail, key: bytes) -> Route | None:
    best = trail.rib.best(EVPN, key)
    return (EVPN, key, best) if best is not None else None


def _lead(trail: Trail, instance: Instance, first: Route, remote: Remote, others: Iterable[Route], mac: bytes) -> None:
    path.chosen(trail, first)
    for other in list(others)[: path.MOST]:
        same = other[2].next_hop == first[2].next_hop
        why = "the same station: with another address, or none" if same else ""
        path.loser(trail, first[2], other, why)
    path.imported(trail, instance.key, first[2], instance.domain.import_rts)
    trail.say("encapsulation", f"vxlan vni {remote.vni}", "ok", f"to {Address(remote.vtep)}")
    kernel.fdb(trail, instance.devices.vxlan, mac, remote.vtep)
    floods = [key for key in instance.imported.floods if key[:-4] == remote.vtep]
    for key in floods:
        kernel.flood(trail, instance.devices.vxlan, remote.vtep, int.from_bytes(key[-4:], "big"))
    if not remote.local:
        overhead = OVERHEAD[len(remote.vtep)]
        tunnel.underlay(trail, remote.vtep, instance.devices.vxlan, overhead, routed=trail.routed)
    more = "type 3: broadcast reaches it" if floods else "no type 3: broadcast does not reach it"
    path.remote(trail, remote.vtep, [first], more)


def _everybody(trail: Trail, instance: Instance) -> None:
    """Broadcast and multicast: every entry of the flood list."""
    floods = list(instance.imported.floods)
    if not floods:
        reason = "nobody announces a type 3 route that the instance imports"
        trail.say("remote", "flood list", "broken", reason, None, "see `hornpipe show routes type multicast`")
    for key in floods[:MOST_FLOODS]:
        vtep, vni = key[:-4], int.from_bytes(key[-4:], "big")
        kernel.flood(trail, instance.devices.vxlan, vtep, vni)
        tunnel.underlay(trail, vtep, instance.devices.vxlan, OVERHEAD[len(vtep)], routed=trail.routed)
    if len(floods) > MOST_FLOODS:
        text = f"{len(floods) - MOST_FLOODS} more VTEPs, see `hornpipe show flood instance {instance.key}`"
        trail.say("kernel", "flood list", "info", text)
