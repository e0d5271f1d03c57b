"""The gates of a start: nothing of the kernel's is removed before we know all that should be there.

CONFIGURED -> KERNEL_SCANNED -> INTENT_RESTORED -> PEERS_SYNCED -> PRUNE. The first three open when they are told;
PEERS_SYNCED when every configured peer has sent End-of-RIB, or when a start has waited long enough; PRUNE follows when
all others are open. A gate never closes again.
"""

from __future__ import annotations

from hornpipe.engine.rows import GateRow

CONFIGURED = "configured"
KERNEL_SCANNED = "kernel-scanned"
INTENT_RESTORED = "intent-restored"
PEERS_SYNCED = "peers-synced"
PRUNE = "prune"
ORDER = (CONFIGURED, KERNEL_SCANNED, INTENT_RESTORED, PEERS_SYNCED, PRUNE)

WAITS_FOR = {
    CONFIGURED: "the configuration",
    KERNEL_SCANNED: "the kernel's links and entries",
    INTENT_RESTORED: "the intent file",
    PEERS_SYNCED: "the peers' End-of-RIB",
    PRUNE: "all other gates",
}


class Gates:
    def __init__(self, now: float) -> None:
        self.since: dict[str, float] = {}
        """Gate -> when it opened."""
        self.started = now
        self.reasons: dict[str, str] = dict(WAITS_FOR)

    def open(self, gate: str, now: float) -> bool:
        """True if it was closed."""
        if gate in self.since:
            return False
        self.since[gate] = now
        return True

    def is_open(self, *gates: str) -> bool:
        return all(gate in self.since for gate in gates)

    def rows(self) -> tuple[GateRow, ...]:
        return tuple(
            GateRow(
                gate=gate,
                open=gate in self.since,
                since=self.since.get(gate, self.started),
                reason="" if gate in self.since else f"waits for {self.reasons[gate]}",
            )
            for gate in ORDER
        )
