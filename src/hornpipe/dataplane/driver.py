"""The contract of a dataplane driver. Everything here is called in, and calls back in, the asyncio loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hornpipe.forwarding.audit import Probe
from hornpipe.forwarding.batch import Batch, Results, Scan
from hornpipe.forwarding.entry import InterfaceAddress
from hornpipe.forwarding.link import Link


class EventSink(Protocol):
    """Where a driver says what changed in the kernel without our doing."""

    def link(self, link: Link) -> None: ...

    def port_flags(self, index: int, learning: bool | None, suppress: bool | None) -> None:
        """A bridge port's flags changed; None: not told."""

    def link_gone(self, index: int) -> None: ...

    def address(self, index: int, address: InterfaceAddress, present: bool) -> None: ...

    def neigh(self, index: int, ip: bytes, mac: bytes, intact: bool) -> None: ...

    def fdb(self, index: int, mac: bytes, vtep: bytes, vni: int, present: bool) -> None: ...

    def bridge_fdb(self, bridge: int, port: int, mac: bytes, present: bool, permanent: bool = False) -> None: ...

    def overrun(self) -> None:
        """Events were lost: nothing known of the kernel can be relied on."""

    def burst_end(self) -> None:
        """No more events for now."""


class Driver(Protocol):
    async def start(self, sink: EventSink) -> None:
        """Opens what is needed; events are reported from now on. OSError with a reason if it cannot be."""

    async def scan(self) -> Scan:
        """All links and addresses, and all entries marked ours."""

    async def survey(self, learning: Sequence[str]) -> Scan:
        """All links and addresses, and what was learnt on these bridges: what `overrun` makes necessary."""

    def submit(self, batch: Batch, done: Callable[[Results], None]) -> None:
        """Executes a batch after those submitted before; never blocks (a synchronous driver calls `done` at once)."""

    async def probe(self, probes: list[Probe]) -> list[tuple[bytes, int] | None]:
        """Reads single FDB entries: (VTEP, VNI or 0), None if there is none."""

    def mute(self, indexes: frozenset[int]) -> None:
        """Do not report entries of ours that disappear from these devices: we are deleting them by the thousand."""

    async def flush(self) -> int:
        """Removes everything marked ours; returns the number of devices. For taking the daemon off a host."""

    async def stop(self) -> None:
        """Closes what is open; the kernel keeps what it has."""
