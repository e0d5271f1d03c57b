"""Why an instance has no route to an address: nobody says one, or it does not take what somebody says.

Routes of all instances and tenants are looked through, which takes some 0.1 s where there are 100 000: this is asked by
people, and only when the way is broken.
"""

from __future__ import annotations

from collections.abc import Iterator

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri import evpn
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.engine.rows import PeerRow
from hornpipe.engine.trace.find import address_text
from hornpipe.engine.trace.path import MOST, Route, route_text, targets_text
from hornpipe.engine.trace.trail import Trail
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.routed.imported import PREFIXES
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.standing import is_own, is_routed, standing

ESTABLISHED = "ESTABLISHED"


def explain(trail: Trail, of: Instance | Router, address: bytes) -> None:
    """Adds the step at which the way ends, and why."""
    name = of.key
    refused, foreign = _refused(trail, of, address)
    for route, reason in refused[:MOST]:
        text = f"not imported by {name}: {reason}"
        remedy = "the other end must announce it so that it can be used here, or the instance take more"
        trail.say(
            "encapsulation" if "encapsulation" in reason else "import", route_text(route), "broken", text, None, remedy
        )
    targets = targets_text(sorted(_imports(of)))
    for route in foreign[:MOST]:
        theirs = targets_text(route[2].attributes.route_targets)
        text = f"not imported by {name}: the route has {theirs}, {name} imports {targets}"
        remedy = f"if it is meant for {name}: import {theirs} there, or export {targets} at the other end"
        trail.say("import", route_text(route), "broken", text, None, remedy)
    if not refused and not foreign:
        _nobody(trail, of, address)


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


def concerns(of: Instance | Router, address: bytes, family: int, key: bytes) -> bool:
    """The route is one to the address: its MAC, its IP, or (for a router) a prefix it is in."""
    if not isinstance(of, Router):
        if family != EVPN or key[0] != evpn.MAC_IP:
            return False
        return address == (evpn.mac_of(key) if len(address) == 6 else evpn.ip_of(key))
    prefix_of = PREFIXES.get(family)
    prefix = prefix_of(key) if prefix_of is not None else b""
    if len(prefix) != len(address) + 1:
        return False
    shift = 8 * len(address) - prefix[0]
    return int.from_bytes(address, "big") >> shift == int.from_bytes(prefix[1:], "big") >> shift


def _matching(trail: Trail, of: Instance | Router, address: bytes) -> Iterator[tuple[int, bytes]]:
    families = (EVPN,) if not isinstance(of, Router) else (VPNV4 if len(address) == 4 else VPNV6, EVPN)
    for family in families:
        for key, _ in trail.rib.routes(family):
            if concerns(of, address, family, key):
                yield family, key


# ---- nobody says it


def _nobody(trail: Trail, of: Instance | Router, address: bytes) -> None:
    subject = f"{address_text(address)} in {of.key}"
    gone = trail.rib.withdrawals.find(lambda family, key: concerns(of, address, family, key))
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
        f"{source.name} sent {count} that were not accepted: {reason}"
        for source in trail.rib.peers
        for reason, count in source.rejected.items()
    ]
    return f" from {names}{more}" + (f" ({'; '.join(rejected)})" if rejected else "")
