"""Adj-RIB-Out without a table: `Peer` is a session's sending side, `Outlet` one family of it.

What a peer was sent is what the Loc-RIB holds, seen through the peer's filter, except for the keys in `dirty`, which
say what was sent last. So a peer in sync costs no memory a route, and a route that changes and changes back before
the peer takes it costs nothing on the wire.
"""

from __future__ import annotations

from hornpipe.rib.membership import Membership
from hornpipe.rib.path import Path
from hornpipe.rib.source import Source
from hornpipe.rib.table import Table


class Peer:
    """What a session negotiated that matters for sending. A new session is a new `Peer` with the same source."""

    __slots__ = (
        "as4",
        "families",
        "limit",
        "long_lived",
        "long_lived_anyway",
        "membership",
        "next_hops",
        "outlets",
        "rtc",
        "rtc_deadline",
        "rtc_ready",
        "source",
        "too_long",
    )

    def __init__(
        self,
        source: Source,
        families: frozenset[int],
        *,
        limit: int = 4096,
        rtc: bool = False,
        as4: bool = True,
        next_hops: dict[int, bytes] | None = None,
        long_lived: bool = False,
        long_lived_anyway: bool = False,
    ) -> None:
        self.source = source
        self.families = families
        self.limit = limit
        """Bytes a message: 65535 with extended messages (RFC 8654)."""
        self.rtc = rtc
        """RT-Constraint is negotiated: constrained families are sent to this peer by membership only."""
        self.as4 = as4
        self.long_lived = long_lived
        """It knows long-lived graceful restart (RFC 9494) and may be told routes that are kept so."""
        self.long_lived_anyway = long_lived_anyway
        """It is told them even if it does not (section 4.6): an internal peer that was configured so."""
        self.next_hops: dict[int, bytes] = next_hops if next_hops is not None else {}
        """Family -> our address as this peer knows it, for routes whose next hop is `export.SELF`."""
        self.membership = Membership()
        self.rtc_ready = not rtc
        """The peer's memberships are complete: its End-of-RIB for RTC came, or it was waited for long enough."""
        self.rtc_deadline = 0.0
        self.too_long = 0
        """How often a route was not sent because it does not fit a message."""
        self.outlets: dict[int, Outlet] = {}

    def __repr__(self) -> str:
        return f"Peer({self.source.name})"

    @property
    def sent(self) -> int:
        """Routes in the Adj-RIB-Out, as far as they were handed out by `Rib.take_updates`."""
        return sum([outlet.sent for outlet in self.outlets.values()])

    @property
    def pending(self) -> int:
        """Routes that changed and were not handed out yet."""
        return sum([len(outlet.dirty) for outlet in self.outlets.values()])


class Outlet:
    __slots__ = ("constrained", "dirty", "forced", "initial", "peer", "plan", "queue", "sent", "table")

    def __init__(self, peer: Peer, table: Table) -> None:
        self.peer = peer
        self.table = table
        self.constrained = peer.rtc and table.constrained
        self.dirty: dict[bytes, Path | None] = {}
        """Key -> the path as it was sent last, None: it was not. Keys that are not here are in sync."""
        self.forced: set[bytes] = set()
        """Keys the peer asked to have again (ROUTE-REFRESH), sent even when they are the same."""
        self.plan: list[bytes] = []
        """A large backlog in the order it is sent, the next key last."""
        self.queue: list[bytes] = []
        """Messages made and not taken yet, the next one last; they count as sent. At most one chunk of keys."""
        self.sent = 0
        self.initial = True
        """End-of-RIB is still owed (RFC 4724 section 2)."""

    def __repr__(self) -> str:
        return f"Outlet({self.peer.source.name}, {self.table.family})"
