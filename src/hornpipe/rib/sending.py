"""Why a peer is not sent a route: the rules of `export` and RT-Constraint again, with words for an answer.

It asks them in the order in which they apply, so the first one that forbids is the reason. `permits` decides on the hot
path; a test holds the two against each other.
"""

from __future__ import annotations

from hornpipe.bgp.error import TooLong
from hornpipe.bgp.family import RTC
from hornpipe.bgp.family import name as family_name
from hornpipe.bgp.update import pack_reach
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.export import INSIDE, LONG_LIVED, NOWHERE, OWN_NEXT_HOP, outgoing
from hornpipe.rib.identity import Identity
from hornpipe.rib.outlet import Outlet, Peer
from hornpipe.rib.path import Path

STUB = "only a reflector passes routes on"


def why_not_sent(peer: Peer, family: int, key: bytes, path: Path, identity: Identity) -> str:
    """Empty: it is sent, or was. `peer` has an established session."""
    outlet = peer.outlets.get(family)
    if outlet is None:
        return f"{family_name(family)} was not negotiated"
    if outlet.table.best(key) is not path:
        return "not the best path, and only that one is sent"
    return (
        _by_source(outlet, path)
        or _by_community(outlet, path)
        or _by_role(outlet, path)
        or _by_membership(outlet, path)
        or _by_size(outlet, key, path, identity)
        or ("not sent yet, its turn comes" if key in outlet.dirty else "")
    )


def _by_source(outlet: Outlet, path: Path) -> str:
    return "it came from this peer (split horizon)" if outlet.peer.source is path.source else ""


def _by_community(outlet: Outlet, path: Path) -> str:
    scope, peer = path.block.scope, outlet.peer
    if scope & NOWHERE:
        return "community no-advertise"
    if scope & INSIDE and not peer.source.internal:
        return "community no-export, and the peer is external"
    if scope & LONG_LIVED and not (peer.long_lived or peer.long_lived_anyway):
        return "long-lived stale (RFC 9494), which the peer does not know; see send_long_lived_stale"
    return ""


def _by_role(outlet: Outlet, path: Path) -> str:
    source, to = path.source, outlet.peer.source
    if source.local:
        lacks = path.block.scope & OWN_NEXT_HOP and outlet.table.family not in outlet.peer.next_hops
        return "no address of ours in this session that the family can have as next hop" if lacks else ""
    if outlet.table.family == RTC:
        return "memberships of others are not passed on"
    if not outlet.table.reflector:
        learnt = "learnt by iBGP" if source.internal and to.internal else "learnt from another peer"
        return f"{learnt}: {STUB}"
    if source.internal and to.internal and not source.client and not to.client:
        return "neither the sender nor the peer is a client (RFC 4456 section 6)"
    return ""


def _by_membership(outlet: Outlet, path: Path) -> str:
    if not outlet.constrained:
        return ""
    if not outlet.peer.membership.matches(path.block.targets):
        targets = ", ".join(_target(target) for target in path.block.targets)
        waits = "" if outlet.peer.rtc_ready else ", whose memberships are not complete yet"
        return f"the peer does not ask for {targets or 'routes without route target'} (RT-Constraint){waits}"
    return ""


def _target(target: bytes) -> str:
    return str(RouteTarget(target))


def _by_size(outlet: Outlet, key: bytes, path: Path, identity: Identity) -> str:
    peer, table = outlet.peer, outlet.table
    next_hop = peer.next_hops[table.family] if path.block.scope & OWN_NEXT_HOP else path.block.next_hop
    attributes = outgoing(path.block, peer, identity)
    try:
        pack_reach(table.family, next_hop, attributes, [table.spec.join(key, path.payload)], peer.limit)
    except TooLong:
        return f"it does not fit a message of {peer.limit} bytes (RFC 8654 section 4)"
    return ""
