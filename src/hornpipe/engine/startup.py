"""What a start waits for, and what it does when that has come.

Sessions start once the kernel is scanned and the intent restored. A reflector does not send End-of-RIB at once: a
client that hears it drops what the reflector has not sent again, and the other clients may not be back yet (RFC 4724
section 4.1 has the restarting speaker wait for End-of-RIB of all). It knows its static clients; dynamic ones get
`PATIENCE`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from hornpipe.engine.gates import INTENT_RESTORED, KERNEL_SCANNED, PEERS_SYNCED, PRUNE, Gates
from hornpipe.engine.neighbour import Neighbour
from hornpipe.engine.peers import Peers
from hornpipe.forwarding.state import Forwarding
from hornpipe.rib.rib import Rib
from hornpipe.vpn.edge import Edge

PATIENCE = 15.0
"""Three times the usual connect retry time of our own sessions and of the old agents (5 s)."""


class Startup:
    def __init__(
        self,
        gates: Gates,
        peers: Peers,
        rib: Rib,
        edge: Edge,
        forwarding: Forwarding,
        notify: Callable[[str, str, str], None],
    ) -> None:
        self.gates, self.peers, self.rib, self.edge, self.forwarding = gates, peers, rib, edge, forwarding
        self.notify = notify
        self.restored = False
        """State of a former process was restored, so this is a restart (RFC 4724)."""
        self.deadline = inf
        self._sync_until = inf
        self._patient_until = -inf
        self._restarting = 0
        """Peers known to have restarted themselves."""
        self._settled = False
        """What the peers sent before their End-of-RIB has been carried through."""

    def opened(self, gate: str, now: float) -> None:
        self._open(gate, now)
        if not self.peers.running and self.gates.is_open(KERNEL_SCANNED, INTENT_RESTORED):
            self._begin(now)

    def _open(self, gate: str, now: float) -> None:
        if self.gates.open(gate, now):
            self.notify("gate.open", gate, "")

    def _begin(self, now: float) -> None:
        settings = self.peers.settings
        self._sync_until = self.deadline = now + settings.sync_time
        if settings.reflector is not None:
            self.rib.hold_end_of_rib(self._sync_until)
            if settings.reflector.clients:
                self._patient_until = now + PATIENCE
                self.deadline = min(self.deadline, self._patient_until)
        self.peers.start(now, self.restored)
        self._check(now)

    def end_of_rib(self, neighbour: Neighbour, family: int, now: float) -> None:
        peer = neighbour.peer
        if not neighbour.synced and peer is not None and neighbour.end_of_rib >= peer.families:
            neighbour.synced = True
            self._check(now)

    def tick(self, now: float) -> None:
        if now >= self.deadline:
            self.deadline = self._sync_until if now < self._sync_until else inf
            self._check(now)

    def _check(self, now: float) -> None:
        """Have all peers said what they have?"""
        if self.gates.is_open(PEERS_SYNCED) or not self.peers.running:
            return
        awaited = [n for n in self.peers if not n.synced and (n.clients is None or n.established)]
        waiting = [n.name for n in awaited]
        self.gates.reasons[PEERS_SYNCED] = f"End-of-RIB of {', '.join(waiting) or 'clients that may still come'}"
        if now < self._sync_until and now >= self._patient_until and all(n.restarting for n in awaited):
            # RFC 4724 section 4.1: who restarted itself waits for our End-of-RIB, so ours does not wait for its.
            self.rib.release_end_of_rib()
        if now < self._sync_until and (waiting or now < self._patient_until):
            return
        self.deadline = inf
        self.rib.release_end_of_rib()
        self._open(PEERS_SYNCED, now)

    def turned(self, now: float, more: bool) -> None:
        """At the end of a turn: after PEERS_SYNCED, once all that was received is carried through, prune the kernel."""
        if self.rib.holds_end_of_rib:
            restarting = sum(neighbour.restarting for neighbour in self.peers)
            if restarting != self._restarting:
                self._restarting = restarting
                self._check(now)
        if self._settled or more or not self.gates.is_open(PEERS_SYNCED):
            return
        self._settled = True
        self.edge.settle(now)
        self._open(PRUNE, now)
        self.forwarding.prune()
