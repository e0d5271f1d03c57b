"""One TCP connection of a session: its state, timers, framer and bytes to send. `Session` drives it by the table.

Timers are points in time, infinity when they do not run.
"""

from __future__ import annotations

from math import inf

from hornpipe.bgp.frame import Framer
from hornpipe.bgp.open import Open
from hornpipe.bgp.session.negotiation import Negotiated
from hornpipe.bgp.session.table import State

NO_CONNECTION = 0


class Machine:
    __slots__ = (
        "blocked_since",
        "conn",
        "connect_retry_at",
        "framer",
        "hold_at",
        "incoming",
        "keepalive_at",
        "negotiated",
        "offered",
        "out",
        "peer_closed",
        "replaces",
        "state",
    )

    def __init__(self, incoming: bool) -> None:
        self.incoming = incoming
        self.state = State.IDLE
        self.release()

    def release(self) -> None:
        """As without a connection; the state is the table's business."""
        self.conn: int = NO_CONNECTION
        self.framer: Framer = Framer()
        self.offered: Open | None = None
        self.negotiated: Negotiated | None = None
        self.out: list[bytes] = []
        self.connect_retry_at: float = inf
        self.hold_at: float = inf
        self.keepalive_at: float = inf
        self.blocked_since: float = inf
        """Since when bytes wait that nobody fetched, because TCP does not take any (RFC 9687)."""
        self.peer_closed: bool = False
        """TCP is gone already: nothing can be sent and nothing is left to close."""
        self.replaces: bool = False
        """It came in while the session had been established for a while: the peer may have restarted."""

    @property
    def live(self) -> bool:
        """Has a connection on which an OPEN was sent."""
        return self.state >= State.OPENSENT

    def write(self, message: bytes, now: float) -> None:
        if not self.out:
            self.blocked_since = now
        self.out.append(message)

    def take(self) -> bytes:
        """All there is to send."""
        data = self.out[0] if len(self.out) == 1 else b"".join(self.out)
        self.out = []
        self.blocked_since = inf
        return data
