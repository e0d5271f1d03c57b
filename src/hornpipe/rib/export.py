"""Who may be sent a route, and with which attributes.

The rules, in the order they are asked:

- never back to the peer it came from, and as the well-known communities say (RFC 1997);
- RT-Constraint memberships: only our own (a reflector asks for everything, so nobody needs the others');
- routes of others: only a reflector passes them on. Between iBGP peers RFC 4456 section 6 holds: from a client to all,
  from a non-client to clients. From and to eBGP peers they go to everybody;
- what RT-Constraint left of it (`Membership`), asked last as it costs most.

Reflection changes nothing but ORIGINATOR_ID and CLUSTER_LIST (RFC 4456 section 10); towards eBGP our AS is prepended
and what must not leave the AS removed. The next hop stays everywhere: it is the VTEP, not the speaker.
Only our own routes in the underlay have the session's own address (`SELF`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from hornpipe.bgp.attr import block as attr
from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.attr.community import (
    GRACEFUL_SHUTDOWN,
    LLGR_STALE,
    NO_ADVERTISE,
    NO_EXPORT,
    NO_EXPORT_SUBCONFED,
)
from hornpipe.bgp.family import RTC
from hornpipe.rib.best import DEFAULT_LOCAL_PREF
from hornpipe.rib.identity import Identity
from hornpipe.rib.path import Block
from hornpipe.rib.source import Source

if TYPE_CHECKING:
    from hornpipe.rib.outlet import Outlet, Peer

Scope: TypeAlias = int
"""How far well-known communities let a route go: a set of restrictions."""
EVERYWHERE: Final = 0
INSIDE: Final = 1
NOWHERE: Final = 2
LONG_LIVED: Final = 4
"""Only to peers with the long-lived graceful restart capability (RFC 9494 section 4.3), or to an internal one without
it that was configured so; there it is the last choice by LOCAL_PREF 0 (section 4.6)."""
OWN_NEXT_HOP: Final = 8
"""Only to peers that know us by an address the family can carry."""
SELF: Final = bytes(4)
"""A next hop of our own routes that is another one for each peer: `outlet.Peer.next_hops`."""


def scope_of(communities: tuple[int, ...]) -> Scope:
    if not communities:
        return EVERYWHERE
    if NO_ADVERTISE in communities:
        return NOWHERE
    inside = INSIDE if NO_EXPORT in communities or NO_EXPORT_SUBCONFED in communities else EVERYWHERE
    return inside | (LONG_LIVED if LLGR_STALE in communities else EVERYWHERE)


def permits(outlet: Outlet, source: Source, scope: Scope, reflector: bool) -> bool:
    """All rules but the memberships."""
    to = outlet.peer.source
    if to is source or scope & NOWHERE or (scope & INSIDE and not to.internal):
        return False
    if scope & LONG_LIVED and not (outlet.peer.long_lived or outlet.peer.long_lived_anyway):
        return False
    if source.local:
        return not scope & OWN_NEXT_HOP or outlet.table.family in outlet.peer.next_hops
    if outlet.table.family == RTC or not reflector:
        return False
    return source.client or to.client or not source.internal or not to.internal


def outgoing(block: Block, peer: Peer, identity: Identity) -> bytes:
    """The attributes of a block towards a peer; made once for internal and once for external peers."""
    attributes = block.attributes
    assert attributes is not None  # a rejected block has no routes
    if block.scope & LONG_LIVED and not peer.long_lived:
        made = attr.with_community(_made(attributes, block.source, peer, identity), NO_EXPORT)
        return attr.with_local_pref(made, 0)
    if not peer.as4:  # rare enough to be made each time, as the ones before
        return _made(attributes, block.source, peer, identity)
    if peer.source.internal:
        if block.out_internal is None:
            block.out_internal = _made(attributes, block.source, peer, identity)
        return block.out_internal
    if block.out_external is None:
        block.out_external = _made(attributes, block.source, peer, identity)
    return block.out_external


def _made(attributes: Attributes, source: Source, peer: Peer, identity: Identity) -> bytes:
    made = _towards(attributes, source, peer, identity)
    if source.local and identity.draining and attributes.family != RTC:
        # RFC 8326 section 4.1; LOCAL_PREF 0 for internal peers that do not know the community.
        made = attr.with_community(made, GRACEFUL_SHUTDOWN)
        return attr.with_local_pref(made, 0) if peer.source.internal else made
    return made


def _towards(attributes: Attributes, source: Source, peer: Peer, identity: Identity) -> bytes:
    if not peer.source.internal:
        return attr.export_ebgp(attributes, local_as=identity.local_as, as4=peer.as4)
    if source.internal and not source.local and identity.cluster_id is not None:
        return attr.reflect(attributes, originator_id=source.router_id, cluster_id=identity.cluster_id, as4=peer.as4)
    going = not source.internal and GRACEFUL_SHUTDOWN in attributes.communities
    return attr.export_ibgp(attributes, local_pref=0 if going else DEFAULT_LOCAL_PREF, as4=peer.as4)
