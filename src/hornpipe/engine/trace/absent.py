"""Why an instance has no route to an address: nobody says one, or it does not take what somebody says.

Routes of all instances and tenants are looked through, which takes some 0.1 s where there are 100 000: this is asked by
people, and only when the way is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri import evpn
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.engine.rows import PeerRow
from hornpipe.engine.trace.find import address_text
from hornpipe.engine.trace.path import MOST, Route, route_text, targets_text
from hornpipe.engine.trace.step import What
from hornpipe.engine.trace.trail import Trail
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.routed.imported import PREFIXES
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.standing import is_own, is_routed, standing

ESTABLISHED = "ESTABLISHED"


def explain(trail: Trail, of: Instance | Router, address: bytes) -> None:
    """Adds the step at which the way ends, and why."""
    refused, foreign = _refused(trail, of, address)
    for route, reason in refused[:MOST]:
        what: What = "encapsulation" if "encapsulation" in reason else "import"
        text = f"not imported by {of.key}: {reason}"
        remedy = "the other end must announce it so that it can be used here, or the instance take more"
        trail.say(what, route_text(route), "broken", text, None, remedy)
    missed = [_foreign(trail, of, route) for route in foreign[:MOST]]
    if not refused and not any(missed):
        _nobody(trail, of, address)


def _foreign(trail: Trail, of: Instance | Router, route: Route) -> bool:
    """It has none of our route targets. True if it is nobody's here, so that it may have been meant for us: an address
    that another instance takes in is likely that tenant's own."""
    family, key, path = route
    theirs, ours = targets_text(path.attributes.route_targets), targets_text(sorted(_imports(of)))
    others = standing(trail.edge, family, key, path).importers
    if others:
        text = f"of others: {', '.join(others)} by {theirs}; {of.key} imports {ours}"
        trail.say("import", route_text(route), "info", text)
        return False
    text = f"not imported by {of.key}: the route has {theirs}, {of.key} imports {ours}"
    remedy = f"if it is meant for {of.key}: import {theirs} there, or export {ours} at the other end"
    trail.say("import", route_text(route), "broken", text, None, remedy)
    return True


def _imports(of: Instance | Router) -> frozenset[bytes]:
    return of.routing.import_rts if isinstance(of, Router) else of.domain.import_rts


def _refused(trail: Trail, of: Instance | Router, address: bytes) -> tuple[list[tuple[Route, str]], list[Route]]:
    """Routes that share a route target and are not used, with why; routes that share none."""
    refused: list[tuple[Route, str]] = []
    foreign: list[Route] = []
    imports = _imports(of)
    for family, key in _matching(trail, of, address):
        path = trail.rib.best(family, key)
        if path is None or is_own(of, key, path) or (isinstance(of, Router) and not is_routed(family, key, path)):
            continue
        if imports.isdisjoint(path.attributes.route_targets):
            foreign.append((family, key, path))
            continue
        reason = standing(trail.edge, family, key, path).refusers.get(of.key)
        if reason:
            refused.append(((family, key, path), reason))
    return refused, foreign


def concerning(of: Instance | Router, address: bytes) -> Callable[[int, bytes], bool]:
    """Asked of (family, key): is the route one to the address, by its MAC, its IP or (a router's) a prefix it is in?"""
    if isinstance(of, Router):
        wanted = frozenset(bytes(Prefix.of(address, length)) for length in range(8 * len(address) + 1))
        return lambda family, key: family in PREFIXES and PREFIXES[family](key) in wanted
    part = slice(14, 20) if len(address) == 6 else slice(21, None)  # of a type 2 key, see `evpn.mac_of` and `ip_of`
    return lambda family, key: key[part] == address and family == EVPN and key[0] == evpn.MAC_IP


def _matching(trail: Trail, of: Instance | Router, address: bytes) -> Iterator[tuple[int, bytes]]:
    families = (EVPN,) if not isinstance(of, Router) else (VPNV4 if len(address) == 4 else VPNV6, EVPN)
    concerns = concerning(of, address)
    for family in families:
        for key, _ in trail.rib.routes(family):
            if concerns(family, key):
                yield family, key


# ---- nobody says it


def _nobody(trail: Trail, of: Instance | Router, address: bytes) -> None:
    subject = f"{address_text(address)} in {of.key}"
    gone = trail.rib.withdrawals.find(concerning(of, address))
    down = [peer for peer in trail.peers if peer.state != ESTABLISHED]
    if gone is not None:
        text = f"{gone.peer} has withdrawn {FAMILIES[gone.family].text(gone.key)}"
        trail.say("remote", subject, "broken", text, gone.at, "see the remote: is the station still attached there?")
    elif down:
        text = "; ".join(_session(peer) for peer in down)
        remedy = "see `hornpipe show peers`: without a session nothing is known"
        trail.say("remote", subject, "broken", f"no route, and {text}", max(peer.since for peer in down), remedy)
    elif not trail.peers:
        trail.say("remote", subject, "broken", "no route, and there are no peers", None, "configure [[peers]]")
    else:
        remedy = "see the remote: is the station attached, does it export a route target that is imported here?"
        trail.say("remote", subject, "broken", f"no route{_heard(trail)}", None, remedy)


def _session(peer: PeerRow) -> str:
    why = f" ({peer.reason})" if peer.reason else ""
    return f"the session with {peer.peer} is {peer.state}{why}"


def _heard(trail: Trail) -> str:
    """Who could have said it, and whether something of theirs was not accepted."""
    names = ", ".join(peer.peer for peer in trail.peers[:MOST])
    more = f" and {len(trail.peers) - MOST} more" if len(trail.peers) > MOST else ""
    rejected = [
        f"{peer.peer} sent {count} that were not accepted: {reason}"
        for peer in trail.peers
        for reason, count in peer.rejected.items()
    ]
    return f" from {names}{more}" + (f" ({'; '.join(rejected)})" if rejected else "")
