"""A packet's way in a VRF: the gateway that the port has, the longest match that leads somewhere, how it is carried.

A prefix leads to a station of this host, to a bridge in the VRF, to another VRF here (a leak), to another PE by an
encapsulation, or to the fallback; each goes on in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.engine.trace import absent, bridged, kernel, path, tunnel
from hornpipe.engine.trace.path import Route
from hornpipe.engine.trace.trail import Trail
from hornpipe.forwarding.entry import address_text
from hornpipe.forwarding.table import Hops
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.rib.best import equal, rank
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.routed.imported import Imported
from hornpipe.vpn.routed.local import Contributor
from hornpipe.vpn.routed.ports import RouterPort
from hornpipe.vpn.routed.reach import Use
from hornpipe.vpn.routed.router import DEFAULTS, Router
from hornpipe.vpn.routed.terms import MPLS_ENCAPSULATIONS

Candidate = tuple[Route, Use]


# ---- from the port


def gateway(trail: Trail, router: Router, port: RouterPort, address: bytes) -> None:
    """Who answers the station when it looks for its next hop; to itself it needs none."""
    checked, version = port.checked, Address(address).version
    if address in port.addresses:
        return
    found = [own for own in checked.gateways if len(own) == len(address)]
    if found:
        trail.say("gateway", str(Address(found[0])), "ok", f"this host answers on {port.device or checked.interface}")
        if not checked.spec.evpn:
            kernel.own_address(trail, router.devices.vrf, found[0], ("port", checked.interface))
    elif _is_on_link(checked, address):
        how = "ARP" if version == 4 else "ND"
        trail.say("gateway", checked.interface, "ok", f"in the station's own subnet: {how} is answered for it (proxy)")
    else:
        reason = f"no gateway of IPv{version} on this port"
        remedy = "give the port `gateway`, and the station a default route to it"
        # Inside a namespace we know that there is no default route; a machine's own routes we do not know.
        trail.say("gateway", checked.interface, "broken" if checked.netns else "unknown", reason, None, remedy)


def _is_on_link(checked: CheckedPort, address: bytes) -> bool:
    inside = [Prefix.of(own, length) for own, length in checked.inside]
    routes = [Prefix.of(prefix, length) for prefix, length, _ in checked.inside_routes]
    return any(subnet.contains(address) for subnet in (*inside, *routes))


# ---- in the VRF


def follow(trail: Trail, router: Router, address: bytes) -> None:
    if not trail.turn():
        return
    trail.routed = True
    unused: list[bytes] = []
    for prefix in _matches(router, address):
        hops = router.hops(prefix)
        if hops or prefix in router.local.ways:
            for longer in unused:
                text = f"more specific, and not used: {_no_way(_candidates(router, longer))}"
                trail.say("route", f"{Prefix(longer)} in {router.key}", "info", text)
            if prefix in router.local.ways:
                _local(trail, router, router, prefix, address)
            else:
                _out(trail, router, prefix, hops or (), address)
            return
        if not (prefix[0] == 8 * len(address) and router.irb.is_here(address)):
            unused.append(prefix)
    for prefix in unused:
        _useless(trail, router, prefix, address)
    if not unused:
        absent.explain(trail, router, address)


def _matches(router: Router, address: bytes) -> Iterator[bytes]:
    """Prefixes of the VRF that the address is in, the longest first."""
    number, bits = int.from_bytes(address, "big"), 8 * len(address)
    fallback = router.ports.fallback_prefixes()
    for length in range(bits, -1, -1):
        prefix = bytes((length,)) + (number >> (bits - length) << (bits - length)).to_bytes(len(address), "big")
        known = prefix in router.local.ways or any(prefix in imported.index for imported in router.imported.values())
        if known or prefix in fallback:
            yield prefix


def _candidates(router: Router, prefix: bytes) -> list[Candidate]:
    """Best first, over all keys and families that have the prefix."""
    family = VPNV4 if len(prefix) == 5 else VPNV6
    found: list[Candidate] = []
    tables: list[Imported] = [router.imported[family], router.imported[EVPN]]
    for imported in tables:
        found += [((imported.family, key, one), use) for one, use, key in imported.candidates(prefix)]
    if len(found) < 2:
        return found
    order = {id(one): place for place, one in enumerate(rank([route[2] for route, _ in found]))}
    return sorted(found, key=lambda candidate: order[id(candidate[0][2])])


# ---- on this host


def _local(trail: Trail, router: Router, owner: Router, prefix: bytes, address: bytes) -> None:
    """`owner` has the prefix; it is `router` itself, or another VRF of this host that a route is leaked from."""
    ways = owner.local.ways.get(prefix, {})
    devices = {way.hop.device for way in ways.values()}
    kind = "connected" if owner.local.is_connected(prefix) else "local"
    where = f" of {owner.key}" if owner is not router else ""
    words = ", ".join(sorted(devices))
    trail.say("route", f"{Prefix(prefix)} in {router.key}", "ok", f"{kind}: {words}{where}")
    kernel.route(trail, router.devices.vrf, address, _subnet(owner, prefix, address), devices)
    for contributor, way in ways.items():
        instance = _domain_of(owner, contributor)
        if instance is not None:
            trail.turn()
            bridged.resolve(trail, instance, address)
            continue
        port = owner.ports.ports.get(contributor)
        if port is not None:
            _behind(trail, owner, port, way.hop.gateway or address)


def _subnet(router: Router, prefix: bytes, address: bytes) -> bytes:
    """A station of a bridge has no route of its own: it is in the bridge's subnet."""
    if not router.local.is_connected(prefix) or prefix[0] < 8 * len(address):
        return prefix
    shorter = [
        found for found in _matches(router, address) if found[0] < prefix[0] and router.local.is_connected(found)
    ]
    return shorter[0] if shorter else prefix


def _domain_of(router: Router, contributor: Contributor) -> Instance | None:
    """None: a port."""
    return router.irb.instances.get(contributor[1].partition("\0")[0]) if not contributor[0] else None


def _behind(trail: Trail, router: Router, port: RouterPort, station: bytes) -> None:
    """The last hop: a port of this host."""
    checked = port.checked
    door = trail.edge.instance(checked.spec.evpn) if checked.spec.evpn else None
    if door is not None:
        bridged.resolve(trail, door, station)
        return
    mac = next((endpoint.mac for endpoint in checked.endpoints if station in endpoint.addresses), b"")
    trail.say("station", f"{Address(station)} behind {checked.interface}", "ok", "on this host", port.since)
    kernel.link(trail, checked.interface, entry="port")
    if mac:
        kernel.neigh(trail, checked.interface, station, mac)


# ---- to another host


def _out(trail: Trail, router: Router, prefix: bytes, hops: Hops, address: bytes) -> None:
    candidates = _candidates(router, prefix)
    taken = _taken(router, candidates, prefix, hops)
    if not taken:
        _fallback(trail, router, prefix, hops, address)
        return
    used = taken[: path.MOST]
    best = used[0][0]
    for place, (route, _) in enumerate(used):
        path.chosen(trail, route, f"as good as the first: {len(hops)} equal ways" if place else "")
    if len(taken) > len(used):
        trail.say("route", f"{len(taken) - len(used)} more", "info", f"as good as the first: {len(hops)} equal ways")
    for candidate in [one for one in candidates if one not in taken][: path.MOST]:
        path.loser(trail, best[2], candidate[0])
    _carried(trail, router, prefix, used, address, hops)


def _taken(router: Router, candidates: list[Candidate], prefix: bytes, hops: Hops) -> list[Candidate]:
    """Those whose ways are used, and not only because a better one has the same."""
    usable = [one for one in candidates if _hops_of(router, one, prefix) & set(hops)]
    leaders = {id(one) for one in equal(rank([route[2] for route, _ in usable]))} if usable else set()
    return [one for one in usable if id(one[0][2]) in leaders]


def _hops_of(router: Router, candidate: Candidate, prefix: bytes) -> set[object]:
    (_, key, _), use = candidate
    if use is not router.leak:
        return set(use.hops or ())
    owner = router.around.owner(key)
    return set(owner.local.hops(prefix)) if owner is not None else set()


def _carried(trail: Trail, router: Router, prefix: bytes, used: list[Candidate], address: bytes, hops: Hops) -> None:
    for (_, _, one), _ in used:
        path.imported(trail, router.key, one, router.routing.import_rts)
    for _, use in used:
        _encapsulation(trail, use)
    kernel.route(trail, router.devices.vrf, address, prefix, {hop.device for hop in hops})
    for route, use in used:
        _WAYS.get(use.encapsulation, _tunnel)(trail, router, prefix, route, use, address)
    home = trail.home or router
    by_mpls = any(use.encapsulation in MPLS_ENCAPSULATIONS for _, use in used)
    if by_mpls and (home is router or any(word in MPLS_ENCAPSULATIONS for word in home.encapsulations)):
        _way_back(trail, home)


def _encapsulation(trail: Trail, use: Use) -> None:
    """``mpls-gre label 100`` to 10.0.0.2."""
    subject: str = use.encapsulation
    if use.labels:
        subject += f" label {'/'.join(map(str, use.labels))}"
    if use.vni:
        subject += f" vni {use.vni}"
    to = Address(use.gateway if use.gateway else use.vtep) if use.gateway or use.vtep else "another VRF of this host"
    if use.reason and use.encapsulation == "vxlan":
        trail.say("encapsulation", subject, "broken", use.reason, None, "the other end's router MACs must differ")
    else:
        trail.say("encapsulation", subject, "ok", f"to {to}")


Way = Callable[[Trail, Router, bytes, Route, Use, bytes], None]


def _tunnel(trail: Trail, router: Router, prefix: bytes, route: Route, use: Use, address: bytes) -> None:
    gateway = use.hops[0].gateway if use.hops else b""
    tunnel.carry(trail, router, use, gateway)
    path.remote(trail, use.vtep, [route])


def _leaked(trail: Trail, router: Router, prefix: bytes, route: Route, use: Use, address: bytes) -> None:
    owner = router.around.owner(route[1])
    if owner is not None and trail.turn():
        _local(trail, router, owner, prefix, address)


def _overlaid(trail: Trail, router: Router, prefix: bytes, route: Route, use: Use, address: bytes) -> None:
    """By way of a station in a broadcast domain of the VRF (RFC 9136 section 4.1)."""
    for instance in sorted(router.irb.instances.values(), key=lambda instance: instance.key):
        if instance.holds(use.gateway) or instance.imported.neighbour(use.gateway) is not None:
            bridged.resolve(trail, instance, use.gateway)
            return
    reason = f"{use.reason or 'not known'}"
    remedy = "the station with that address has to be announced in a broadcast domain of the VRF"
    trail.say("gateway", str(Address(use.gateway)), "broken", reason, None, remedy)


_WAYS: dict[str, Way] = {"leak": _leaked, "overlay": _overlaid}


def _fallback(trail: Trail, router: Router, prefix: bytes, hops: Hops, address: bytes) -> None:
    hop = hops[0]
    via = f" via {address_text(hop.gateway)}" if hop.gateway else ""
    trail.say("route", f"{Prefix(prefix)} in {router.key}", "ok", f"fallback: {hop.device}{via}")
    kernel.link(trail, hop.device, remedy="it is the fallback's: bring it back")
    kernel.route(trail, router.devices.vrf, address, prefix, {hop.device})


def _way_back(trail: Trail, router: Router) -> None:
    """Answers come in with a label of ours."""
    labels = [port.label for port in router.ports.ports.values() if port.label]
    own = router.ports.label or next(iter(labels), 0)
    value = router.around.transport.labels.values.get(own.to_bytes(4, "big"))
    if value is None:
        remedy = "see `hornpipe show forwarding kind mpls`"
        trail.say("kernel", "label", "broken", "no label of this instance is in the label table", None, remedy)
    else:
        kernel.label(trail, own, value)


# ---- routes that lead nowhere


def _useless(trail: Trail, router: Router, prefix: bytes, address: bytes) -> None:
    """The prefix is imported and there is no way: adds the step that says why."""
    candidates = _candidates(router, prefix)[: path.MOST]
    for route, use in candidates:
        path.chosen(trail, route, "imported")
        path.imported(trail, router.key, route[2], router.routing.import_rts)
        _encapsulation(trail, use)
        way = _WAYS.get(use.encapsulation)
        if way is not None:
            way(trail, router, prefix, route, use, address)
        elif not use.hops and use.reason:
            tunnel.carry(trail, router, use, b"")
            path.remote(trail, use.vtep, [route])
    if not candidates and prefix in DEFAULTS:
        return
    text = f"{Prefix(prefix)} has no way: {_no_way(candidates)}"
    trail.say("route", f"{Prefix(prefix)} in {router.key}", "broken", text, None, "see the steps before")


def _no_way(candidates: list[Candidate]) -> str:
    reasons = sorted({use.reason for _, use in candidates if use.reason})
    return "; ".join(reasons) or "nothing of it is usable"
