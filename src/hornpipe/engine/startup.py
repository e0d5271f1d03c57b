"""What a start waits for, and what it does when that has come.

Sessions start once the kernel is scanned and the intent restored. A reflector does not send End-of-RIB at once: a
client that hears it drops what the reflector has not sent again, and the other clients may not be back yet (RFC 4724
section 4.1 has the restarting speaker wait for End-of-RIB of all). It knows its static clients; dynamic ones get
`PATIENCE`.

If the intent was lost (a damaged file), what the kernel holds of ours is all that is left of what clients asked for. So
nothing is pruned and no End-of-RIB sent, which would have the peers drop our routes, before clients have had
`LOST_PATIENCE` to ask again, or an operator says that they have (`hornpipe prune`). One client that speaks does not
shorten it: nobody knows how many there were. Peers keep our routes for their own restart time meanwhile. The numbers of
instances, which the kernel shows (`hornpipe.vpn.recall`), are kept for those names as long. A restart within that time
begins it anew, for the intent says that it is not whole.
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
LOST_PATIENCE = 600.0
"""Neutron's agents, the CNI and the Kubernetes controller all repeat what they want within five minutes."""


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
        self.lost_until = -inf
        """Until when clients may repeat what a lost intent held."""
        self.lost_why = ""
        """Empty: the intent is whole."""
        self._wake = inf
        self._sync_until = inf
        self._patient_until = -inf
        self._restarting = 0
        """Peers known to have restarted themselves."""
        self._settled = False
        """What the peers sent before their End-of-RIB has been carried through."""

    @property
    def deadline(self) -> float:
        return self._wake if self._settled or self.lost_until < 0 else min(self._wake, self.lost_until)

    def lost(self, now: float, why: str) -> None:
        """The intent of the former process is not known."""
        self.restored = True
        self.lost_why = why
        self.lost_until = now + LOST_PATIENCE
        self.gates.reasons[PRUNE] = "clients to repeat what a lost intent file held, or for `hornpipe prune`"

    def trust(self, now: float) -> bool:
        """An operator says that what clients want is known now; False if nothing waits for that."""
        if self._settled or self.lost_until <= now:
            return False
        self.lost_until = now
        self._check(now)
        return True

    def opened(self, gate: str, now: float) -> None:
        self._open(gate, now)
        if not self.peers.running and self.gates.is_open(KERNEL_SCANNED, INTENT_RESTORED):
            self._begin(now)

    def _open(self, gate: str, now: float) -> None:
        if self.gates.open(gate, now):
            self.notify("gate.open", gate, "")

    def _begin(self, now: float) -> None:
        settings = self.peers.settings
        self._sync_until = self._wake = now + settings.sync_time
        if settings.reflector is not None or self.lost_until > now:
            self.rib.hold_end_of_rib(max(self._sync_until, self.lost_until))
            if settings.reflector is not None and settings.reflector.clients:
                self._patient_until = now + PATIENCE
                self._wake = min(self._wake, self._patient_until)
        self.peers.start(now, self.restored)
        self._check(now)

    def end_of_rib(self, neighbour: Neighbour, family: int, now: float) -> None:
        peer = neighbour.peer
        if not neighbour.synced and peer is not None and neighbour.end_of_rib >= peer.families:
            neighbour.synced = True
            self._check(now)

    def tick(self, now: float) -> None:
        if now >= self._wake:
            self._wake = self._sync_until if now < self._sync_until else inf
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
            self._release(now)
        if now < self._sync_until and (waiting or now < self._patient_until):
            return
        self._wake = inf
        self._release(now)
        self._open(PEERS_SYNCED, now)

    def _release(self, now: float) -> None:
        if self.lost_until <= now:
            self.rib.release_end_of_rib()

    def turned(self, now: float, more: bool) -> None:
        """At the end of a turn: after PEERS_SYNCED, once all that was received is carried through, prune the kernel."""
        if self.rib.holds_end_of_rib:
            restarting = sum(neighbour.restarting for neighbour in self.peers)
            if restarting != self._restarting:
                self._restarting = restarting
                self._check(now)
        if self._settled or more or now < self.lost_until or not self.gates.is_open(PEERS_SYNCED):
            return
        self._settled = True
        self.lost_why = ""
        self._release(now)
        self.edge.settle(now)
        self._open(PRUNE, now)
        self.forwarding.prune()
