"""What the daemon lends the CNI server: the engine, its pump, and the driver's hold of a namespace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from hornpipe.engine.rows import InstanceRow, PortRow, StatusRow
from hornpipe.forwarding.inside import Inside
from hornpipe.forwarding.state import Forwarding
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec


class CniEngine(Protocol):
    """Changes raise `hornpipe.vpn.spec.Refused` and then have changed nothing."""

    forwarding: Forwarding

    @property
    def sources(self) -> Mapping[str, SourceSpec]: ...
    def attach(self, source: str, instance: InstanceSpec | None, port: PortSpec, now: float) -> object: ...
    def detach(self, source: str, port: str, now: float) -> object: ...
    def instances(self) -> Sequence[InstanceRow]: ...
    def port(self, source: str, name: str) -> PortRow | None: ...
    def status(self) -> StatusRow: ...


class Host(NamedTuple):
    engine: CniEngine
    now: Callable[[], float]
    may_change: Callable[[], Awaitable[None]]
    """Raises `Refused` if what is attached now could not be kept on disk."""
    changed: Callable[[], Awaitable[None]]
    """Pumps the engine, and returns when the intent is on disk."""
    turn: Callable[[float], Awaitable[bool]]
    """Sleeps until the pump has turned, at most so many seconds."""
    lend: Callable[[str, int], Callable[[], None]]
    """Lets the driver use a descriptor for a namespace's path, which it may not see itself; returns what ends that."""
    holder: Callable[[str, str], str | None]
    """(instance, address): who announces the address there by BGP; None: nobody but perhaps this host."""
    look_inside: Callable[[str], Awaitable[Inside]]
    """OSError if the namespace is not there."""
