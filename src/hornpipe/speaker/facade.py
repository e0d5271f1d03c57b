"""What the speaker needs of the engine. `hornpipe.engine.engine.Engine` is one, the tests' scripted engine another."""

from __future__ import annotations

from typing import Protocol

from hornpipe.bgp.session.config import PeerConfig


class SpeakerEngine(Protocol):
    """All calls are synchronous and `now` is the loop's time. Peers are named by `PeerConfig.address`, connections by a
    number of the engine's that is not used again while the speaker may know it."""

    @property
    def ready_connections(self) -> set[int]:
        """Connections for which `take_bytes` has something; the speaker discards what it has drained."""

    @property
    def congested(self) -> bool:
        """Reading from peers should pause."""

    def take_connects(self) -> list[PeerConfig]:
        """Peers to connect to now. One named again replaces the attempt that still goes on."""

    def connected(self, peer: str, local_address: str, now: float) -> int | None:
        """An asked-for connection is open; None: it is not needed any more."""

    def connect_failed(self, peer: str, reason: str, now: float) -> None: ...

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        """A connection came in; None: refuse it."""

    def located(self, peer: str, address: str, now: float) -> None:
        """An unnumbered peer is at this link-local address, with its zone; also said when its link came back."""

    def link_lost(self, peer: str, reason: str, now: float) -> None:
        """Its link is gone. Its connections are reported by `closed` all the same, soon."""

    def received(self, conn: int, data: bytes, now: float) -> None: ...

    def rests_until(self, conn: int) -> float:
        """Before that nothing is to be read from it, asked after `received`."""

    def closed(self, conn: int, reason: str, now: float) -> None:
        """TCP is gone, whoever ended it; called once for every number, which is not heard of again."""

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        """What to write next, about `budget` bytes; empty: nothing now."""

    def take_closes(self) -> list[int]:
        """Connections to close once what `take_bytes` still gives for them is written."""
