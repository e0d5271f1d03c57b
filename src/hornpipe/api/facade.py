"""What the API uses of the engine, as a Protocol: these methods and no other.

`hornpipe.engine.engine.Engine` satisfies it; the API's own tests satisfy it with an engine in memory, so that the two
can be built and tested apart. All calls are synchronous and done in the daemon's loop: a handler asks, gets rows,
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from hornpipe.engine.rows import EntryRow, EventRow, InstanceRow, PeerRow, PortRow, RouteRow, StatusRow
from hornpipe.engine.trace.tracing import Tracing
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec


class Outcome(Protocol):
    """What a change did: `changed` lists what is new, other or gone; empty if everything was so already."""

    @property
    def changed(self) -> Sequence[str]: ...
    @property
    def generation(self) -> int: ...
    @property
    def revision(self) -> int: ...


class ApiEngine(Protocol):
    """Changes raise `hornpipe.vpn.spec.Refused` and then have changed nothing."""

    @property
    def sources(self) -> Mapping[str, SourceSpec]:
        """The desired sets as last accepted, by source name."""
        ...

    def source_revision(self, source: str) -> int:
        """Counts the accepted changes of one source; 0 if there is no such source. It is the ETag."""
        ...

    def put_source(self, source: str, spec: SourceSpec, now: float) -> Outcome: ...
    def delete_source(self, source: str, now: float) -> Outcome: ...
    def attach(self, source: str, instance: InstanceSpec | None, port: PortSpec, now: float) -> Outcome: ...
    def detach(self, source: str, port: str, now: float) -> Outcome: ...
    def clear_duplicate(self, instance: str, mac: str, now: float) -> bool: ...
    def reset_peer(self, peer: str, now: float) -> bool: ...
    def drain(self, draining: bool, now: float) -> bool: ...
    def prune(self, now: float) -> bool: ...

    def peers(self) -> Sequence[PeerRow]: ...
    def instances(self) -> Sequence[InstanceRow]: ...
    def ports(self) -> Sequence[PortRow]: ...
    def port(self, source: str, name: str) -> PortRow | None: ...
    def routes(
        self,
        family: str | None = None,
        peer: str | None = None,
        instance: str | None = None,
        where: Callable[[int, bytes], bool] | None = None,
        to: str | None = None,
        why: bool = False,
    ) -> Iterable[RouteRow]:
        """Lazily: a caller that wants a page stops early. Not to be held across a change. `where` is asked of the
        family's number and the key before a row is made. `to`: what this peer is sent; `why`: with who is sent it."""
        ...

    def trace(self, port: str, address: str) -> Tracing: ...

    def entries(
        self, kind: str | None = None, instance: str | None = None, status: str | None = None, skip: int = 0
    ) -> Iterable[EntryRow]:
        """`skip`: pass over so many."""
        ...

    def status(self) -> StatusRow: ...
    def events(self, since: int = 0) -> Sequence[EventRow]:
        """Those with a higher sequence than `since` that are still kept."""
        ...
