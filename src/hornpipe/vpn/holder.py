"""Who has an address, as BGP says: for whoever hands out addresses, so that none is given twice in a VPN."""

from __future__ import annotations

from hornpipe.bgp.nlri.next_hop import vtep_of
from hornpipe.forwarding.table import route_key
from hornpipe.vpn.edge import Edge
from hornpipe.vpn.routed.router import Router


def holder(edge: Edge, instance: str, address: bytes) -> bytes | None:
    """The next hop of another host's route for the address alone. None: there is none, or no such instance."""
    chosen = edge.standing(instance)
    if isinstance(chosen, Router):
        prefix = route_key(address, 8 * len(address))
        for imported in chosen.imported.values():
            for path, _, _ in imported.candidates(prefix):
                if not path.source.local:
                    return vtep_of(path.next_hop)
    elif chosen is not None:
        found = chosen.imported.neighbour(address)
        if found is not None and not found[1].local:
            return found[1].vtep
    return None
