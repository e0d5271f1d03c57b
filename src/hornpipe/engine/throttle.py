"""How fast one peer may speak (`update_limit`): who is faster is not cut off, he is read more slowly.

A route that is announced or withdrawn costs one token, and so does a message, whatever is in it; the bucket gets
`update_limit` tokens a second. Nothing is refused or dropped: a peer in debt is not read until it has none any more.
Its bytes wait in the kernel, TCP's window closes (soon, as its receive buffer is small), and the rest stays with it.

The KEEPALIVEs of such a peer stand behind its UPDATEs, so that it is not heard during a pause is our doing and not its
silence: the hold timer runs from the end of the pause. We send our own KEEPALIVEs as ever.

What a session says first, up to End-of-RIB of all its families, costs nothing, for `FIRST_TABLE` seconds at most: after
a restart on either side, what is not said again in time is forgotten (RFC 4724), and that must not be for this limit.

All this only counts. What is read is an input of the engine when it is read, with its time, so a record of the inputs
has all of it; whoever reads asks `Engine.rests_until` when to go on.
"""

from __future__ import annotations

from collections.abc import Callable

from hornpipe.engine.neighbour import Neighbour
from hornpipe.engine.pace import Pace

FIRST_TABLE = 60.0
"""Seconds; some ten million routes."""


def throttle(
    neighbour: Neighbour, pace: Pace, tokens: int, now: float, notify: Callable[[str, str, str], None]
) -> None:
    """After what was read in one go from an established session."""
    if _says_first_table(neighbour, now) or not pace.spend(tokens, now):
        return
    neighbour.session.unread(pace.until)
    if pace.since is None:
        pace.since = now
        text = f"more than {pace.limit} routes and messages a second: it is read more slowly"
        notify("peer.throttled", neighbour.name, text)


def unthrottle(neighbour: Neighbour, pace: Pace, now: float, notify: Callable[[str, str, str], None]) -> None:
    """If it has been quiet for long enough."""
    if pace.deadline <= now:
        pace.since = None
        notify("peer.unthrottled", neighbour.name, f"it was made to wait {pace.seconds:.1f} s in all")


def _says_first_table(neighbour: Neighbour, now: float) -> bool:
    peer = neighbour.peer
    if peer is None or now - neighbour.session.since >= FIRST_TABLE:
        return False
    return not neighbour.end_of_rib >= peer.families
