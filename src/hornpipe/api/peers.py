"""/v1/peers: the BGP sessions."""

from __future__ import annotations

from hornpipe.api.operation import Call, Page
from hornpipe.api.problem import Problem
from hornpipe.engine.rows import PeerRow


def list_peers(call: Call) -> Page:
    return Page(items=list(call.context.engine.peers()))


def get_peer(call: Call) -> PeerRow:
    name = call.path["peer"].lower()
    for row in call.context.engine.peers():
        if row.peer == name:
            return row
    raise Problem("missing", f"no peer {name}", field="peer", remedy="see `hornpipe show peers`")


async def reset_peer(call: Call) -> PeerRow:
    """Ends the session with Cease / Administrative Reset (RFC 4486); it comes back by itself."""
    row = get_peer(call)
    if not call.context.engine.reset_peer(row.peer, call.context.now()):
        raise Problem("conflict", f"peer {row.peer} has no session to reset, it is {row.state}", field="peer")
    await call.context.changed()
    return get_peer(call)
