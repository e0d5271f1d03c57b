"""How long the paths of a lost session stay, by who its peer is.

A lost session does not mean lost forwarding. A peer of ours is a reflector or another PE: its paths are kept, stale,
for `stale_time` or the peer's own restart time, whichever is longer, even where it offered no graceful restart, because
what forwards is somebody else (the VTEPs), and entries that are still right must not be touched. A reflector's client
*is* the VTEP: its paths are kept only if it negotiated graceful restart for the family (RFC 4724 section 4.2). So are
unicast paths of any peer, for that is a router of the underlay; and not even then if it was the link that was lost.

Where both sides know long-lived graceful restart (RFC 9494), the time the peer asks for follows. It is for whoever may
expect its forwarding to go on, so it holds under the same conditions as graceful restart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from hornpipe.bgp.family import (
    IPV4_LABELLED,
    IPV4_MULTICAST,
    IPV4_UNICAST,
    IPV6_LABELLED,
    IPV6_MULTICAST,
    IPV6_UNICAST,
)
from hornpipe.bgp.session.negotiation import Negotiated
from hornpipe.engine.neighbour import Neighbour

FORWARDED_BY_PEER = frozenset(
    (IPV4_UNICAST, IPV6_UNICAST, IPV4_MULTICAST, IPV6_MULTICAST, IPV4_LABELLED, IPV6_LABELLED)
)
"""Families of the underlay: the peer is the router that forwards, so a lost session says that it may not any more."""


class Retention(NamedTuple):
    until: float | None
    """None: not as stale paths."""
    families: Collection[int] | None
    """None: all."""
    long_lived: dict[int, float]
    """Family -> how long after that."""


def retention(neighbour: Neighbour, stale_time: float, graceful: bool, now: float) -> Retention:
    """`graceful`: the way the session ended says that the peer's forwarding goes on."""
    if neighbour.config.role == "client":
        if not graceful:
            return Retention(None, None, {})
        until, families = now + neighbour.restart_time, neighbour.graceful_families
        return Retention(until, families, _long_lived(neighbour, until, families, now))
    if not stale_time:
        return Retention(None, None, {})
    until = now + max(stale_time, neighbour.restart_time if graceful else 0.0)
    through = neighbour.graceful_families if graceful and not neighbour.link_lost else frozenset()
    kept = frozenset(f for f in neighbour.source.intakes if f not in FORWARDED_BY_PEER or f in through)
    return Retention(until, kept, _long_lived(neighbour, until, kept, now) if graceful else {})


def _long_lived(neighbour: Neighbour, until: float, families: frozenset[int], now: float) -> dict[int, float]:
    if neighbour.link_lost:
        return {}
    # RFC 9494 section 4.2: of a family that has no restart time the long-lived time begins at once.
    return {f: (until if f in families else now) + row.time for f, row in neighbour.long_lived.items()}


def without_forwarding(neighbour: Neighbour, negotiated: Negotiated) -> Iterable[int]:
    """Families of a peer that came back without its forwarding state (the F bit): it is not to be sent to."""
    restart = negotiated.graceful_restart
    if restart is None:
        return ()
    forwards = negotiated.families if neighbour.config.role == "client" else FORWARDED_BY_PEER
    long_lived = {family for family, row in negotiated.long_lived.items() if row.preserved}
    return [family for family in forwards if not restart.families.get(family, family in long_lived)]
