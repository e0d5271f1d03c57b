"""Routes on the way: which one is best and why, by which route target it came in, what its sender says."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hornpipe.bgp.attr import extended
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.next_hop import next_hop_address
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.engine.trace.trail import Trail
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.best import explain
from hornpipe.rib.path import Path

MOST = 4
"""Routes that lose, named one by one; the rest is counted."""

Route = tuple[int, bytes, Path]
"""(family, key, path)"""


def route_text(route: Route) -> str:
    family, key, path = route
    return f"{FAMILIES[family].text(key)} from {path.source.name}"


def chosen(trail: Trail, route: Route, why: str = "") -> None:
    """The route that packets follow. `why`: what says so beside the order of paths."""
    family, key, path = route
    candidates = trail.rib.candidates(family, key)
    others = [other for other in candidates if other is not path]
    reason = f"best: {explain(path, others[0], candidates)}" if others else why or "the only one"
    trail.say("route", route_text(route), "ok", reason)
    for other in others[:MOST]:
        trail.say("route", route_text((family, key, other)), "info", f"not best: {explain(path, other, candidates)}")
    if len(others) > MOST:
        trail.say("route", f"{len(others) - MOST} more", "info", "not best")


def loser(trail: Trail, winner: Path, route: Route, why: str = "") -> None:
    """It matches as well, and has another key."""
    trail.say("route", route_text(route), "info", why or f"not best: {explain(winner, route[2])}")


def imported(trail: Trail, name: str, path: Path, targets: Collection[bytes]) -> None:
    """By which of its route targets the instance took it in."""
    common = [target for target in path.attributes.route_targets if target in targets]
    words = targets_text(common)
    trail.say("import", f"{name} by {words}", "ok", f"the route has {targets_text(path.attributes.route_targets)}")


def targets_text(targets: Collection[bytes]) -> str:
    return ", ".join(str(RouteTarget(target)) for target in targets) or "no route target"


def remote(trail: Trail, vtep: bytes, routes: Sequence[Route], more: str = "") -> None:
    """What the other end said of the address; whether its word is still fresh."""
    subject = str(Address(vtep)) if vtep else "the remote"
    words = [_says(route) for route in routes] + ([more] if more else [])
    stale = next((route for route in routes if route[2].stale), None)
    if stale is None:
        trail.say("remote", subject, "ok", "; ".join(words))
        return
    family, _, path = stale
    intake = path.source.intakes.get(family)
    kept = intake.kept_of(path.block) if intake is not None else None
    why = f"session with {path.source.name} was lost ({kept.reason})" if kept is not None and kept.reason else ""
    text = f"{why or f'session with {path.source.name} was lost'}, its route is kept stale; {'; '.join(words)}"
    remedy = f"see `hornpipe show peers {path.source.name}`"
    trail.say("remote", subject, "unknown", text, kept.since if kept is not None else None, remedy)


def _says(route: Route) -> str:
    """``advertises [type:macadv]... label 100, sequence 3``."""
    family, key, path = route
    attributes = path.attributes
    next_hop = next_hop_address(path.next_hop)
    words = [f"advertises {FAMILIES[family].text(key)}" + (f" via {Address(next_hop)}" if next_hop else "")]
    words += [f"sequence {attributes.mobility}"] if family == EVPN and attributes.mobility else []
    words += ["sticky"] if family == EVPN and attributes.sticky else []
    words += [f"router MAC {Mac(attributes.router_mac)}"] if attributes.router_mac else []
    kinds = [extended.TUNNEL_NAMES.get(kind, str(kind)) for kind in attributes.encapsulations]
    words += [f"encapsulation {' '.join(kinds)}"] if kinds else []
    words += [f"originator {Address(attributes.originator_id)}"] if attributes.originator_id else []
    return ", ".join(words)
