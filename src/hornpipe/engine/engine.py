"""The synchronous facade of the pure core: every input is a call, every output is taken.

Shells (speaker, dataplane, api) push what happened with the time it happened, then call `run` until it returns False,
then take what is to be done: bytes, connects, closes, kernel batches. Nothing here waits, sleeps or reads a clock.

Order at start: construct, `restore` (with None if there is no intent file), feed the kernel's links, `kernel_scanned`.
Sessions start when both are done, because an End-of-RIB promises that all local routes have been sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.engine.intent import Intent
from hornpipe.engine.rows import EntryRow, EventRow, InstanceRow, PeerRow, PortRow, RouteRow, StatusRow
from hornpipe.engine.settings import Settings
from hornpipe.engine.sources import SourceResult
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec


class Engine:
    """`jitter` returns a float in [0, 1); it is the only chance in the core."""

    def __init__(self, settings: Settings, now: float, jitter: Callable[[], float], version: str = "") -> None:
        raise NotImplementedError

    # ---- clients: all-or-nothing, `Refused` changes nothing

    def put_source(self, source: str, spec: SourceSpec, now: float) -> SourceResult:
        """Replaces one client's whole desired set."""
        raise NotImplementedError

    def delete_source(self, source: str, now: float) -> SourceResult:
        raise NotImplementedError

    def attach(self, source: str, instance: InstanceSpec | None, port: PortSpec, now: float) -> SourceResult:
        """Adds or replaces one port; `instance`, if given, is defined or updated first and goes with its last port."""
        raise NotImplementedError

    def detach(self, source: str, port: str, now: float) -> SourceResult:
        raise NotImplementedError

    def configure(self, settings: Settings, now: float) -> list[str]:
        """Applies a changed configuration; returns what changed. What did not change is not touched."""
        raise NotImplementedError

    @property
    def sources(self) -> Mapping[str, SourceSpec]:
        raise NotImplementedError

    def source_revision(self, source: str) -> int:
        raise NotImplementedError

    # ---- speaker

    def take_connects(self) -> list[PeerConfig]:
        """Peers to which a TCP connection is to be opened now."""
        raise NotImplementedError

    def connected(self, peer: str, local_address: str, now: float) -> int:
        """An asked-for connection is open; returns its number."""
        raise NotImplementedError

    def connect_failed(self, peer: str, reason: str, now: float) -> None:
        raise NotImplementedError

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        """A connection came in; None: close it."""
        raise NotImplementedError

    def received(self, conn: int, data: bytes, now: float) -> None:
        raise NotImplementedError

    def closed(self, conn: int, reason: str, now: float) -> None:
        raise NotImplementedError

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        """What to write next, about `budget` bytes; empty: nothing now."""
        raise NotImplementedError

    ready_connections: set[int]
    """Connections for which `take_bytes` has something; the shell discards what it has drained."""

    def take_closes(self) -> list[int]:
        """Connections to close once what `take_bytes` still gives for them is written."""
        raise NotImplementedError

    @property
    def congested(self) -> bool:
        """Reading from peers should pause: too much is dirty."""
        raise NotImplementedError

    # ---- kernel

    def links_changed(self, changes: Iterable[tuple[str, bool]], now: float) -> None:
        """(interface, present); the first call after start gives all that are present."""
        raise NotImplementedError

    def kernel_macs(self, changes: Iterable[tuple[str, str, bytes, bool]], now: float) -> None:
        """(bridge, port, MAC, present): addresses the kernel learnt on ports of ours."""
        raise NotImplementedError

    def kernel_scanned(self, now: float) -> None:
        raise NotImplementedError

    # ---- time

    def next_deadline(self) -> float:
        """When `tick` must be called at the latest; infinity if never."""
        raise NotImplementedError

    def tick(self, now: float) -> None:
        raise NotImplementedError

    def run(self, now: float, budget: int = 2000) -> bool:
        """Carries changes through, about `budget` routes of them; True: there is more."""
        raise NotImplementedError

    def stop(self, now: float) -> None:
        """Ends all sessions, silently where graceful restart was negotiated; forwarding stays."""
        raise NotImplementedError

    # ---- intent

    intent_revision: int
    """Counts changes of what `intent` returns; when it moved, the intent is to be written."""

    def intent(self) -> Intent:
        raise NotImplementedError

    def restore(self, intent: Intent | None, now: float) -> None:
        raise NotImplementedError

    # ---- views

    def peers(self) -> Sequence[PeerRow]:
        raise NotImplementedError

    def instances(self) -> Sequence[InstanceRow]:
        raise NotImplementedError

    def ports(self) -> Sequence[PortRow]:
        raise NotImplementedError

    def port(self, source: str, name: str) -> PortRow | None:
        raise NotImplementedError

    def routes(
        self, family: str | None = None, peer: str | None = None, instance: str | None = None
    ) -> Iterable[RouteRow]:
        raise NotImplementedError

    def entries(
        self, kind: str | None = None, instance: str | None = None, status: str | None = None
    ) -> Iterable[EntryRow]:
        raise NotImplementedError

    def status(self) -> StatusRow:
        raise NotImplementedError

    def events(self, since: int = 0) -> Sequence[EventRow]:
        raise NotImplementedError

    def clear_duplicate(self, instance: str, mac: str, now: float) -> bool:
        raise NotImplementedError

    def reset_peer(self, peer: str, now: float) -> bool:
        raise NotImplementedError
