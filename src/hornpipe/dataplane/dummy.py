"""A driver without a host: for tests, and for ``driver = "dummy"`` (control plane only).

`DummyDriver` puts a `DummyKernel` behind the driver contract, synchronously. Without any loop:
``connect(forwarding, kernel)`` once, then ``sync(forwarding, kernel, now)``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from hornpipe.dataplane.driver import EventSink
from hornpipe.dataplane.dummy_inspect import inspect
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.audit import Probe
from hornpipe.forwarding.batch import Batch, Results, Scan
from hornpipe.forwarding.entry import ALIAS, PORT_ALIAS
from hornpipe.forwarding.inside import Inside
from hornpipe.forwarding.question import Found, Question
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.underlay import Way


class DummyDriver:
    """The kernel in memory behind the driver contract; calls back at once."""

    def __init__(self, kernel: DummyKernel | None = None) -> None:
        self.kernel = kernel or DummyKernel()
        self.muted: frozenset[int] = frozenset()

    async def start(self, sink: EventSink) -> None:
        self.kernel.sink = sink

    async def scan(self) -> Scan:
        return self.kernel.scan()

    async def features(self) -> dict[str, str]:
        return dict(self.kernel.features)

    async def resolve(self, addresses: Collection[bytes]) -> dict[bytes, Way | None]:
        return {address: self.kernel.underlay.get(address) for address in addresses}

    async def inspect(self, questions: Sequence[Question]) -> list[Found]:
        return [inspect(self.kernel, question) for question in questions]

    async def survey(self, learning: Sequence[str]) -> Scan:
        scan = self.kernel.scan()
        scan.tables.clear()
        scan.learnt = [row for row in scan.learnt if row[0] in learning]
        return scan

    def lend(self, netns: str, descriptor: int) -> Callable[[], None]:
        """A namespace that somebody has exists."""
        self.kernel.namespaces.setdefault(netns, set())
        return lambda: None

    async def look_inside(self, netns: str) -> Inside:
        return self.kernel.inside(netns)

    def submit(self, batch: Batch, done: Callable[[Results], None]) -> None:
        done(self.kernel.apply(batch))

    async def probe(self, probes: list[Probe]) -> list[Any]:
        return [self.kernel.probe(probe) for probe in probes]

    def mute(self, indexes: frozenset[int]) -> None:
        self.muted = indexes

    async def flush(self) -> int:
        ours = [link for link in self.kernel.links.values() if link.alias.startswith((ALIAS, PORT_ALIAS))]
        for link in ours:
            if link.alias.startswith(ALIAS):
                self.kernel.delete_link(link.name)
            else:
                self.kernel.set_master(link.name, None)
        self.kernel.routing.rules.clear()
        return len(ours)

    async def stop(self) -> None:
        self.kernel.sink = None


class ForwardingSink:
    """Kernel events straight into a forwarding state, for tests without a loop."""

    def __init__(self, forwarding: Forwarding) -> None:
        self.link = forwarding.link_event
        self.port_flags = forwarding.port_event
        self.link_gone = forwarding.link_gone
        self.address = forwarding.address_event
        self.neigh = forwarding.neigh_event
        self.fdb = forwarding.fdb_event
        self.bridge_fdb = forwarding.bridge_fdb_event
        self.route = forwarding.witness.route
        self.vrf_default_gone = forwarding.witness.vrf_default_gone
        self.rule = forwarding.witness.rule
        self.rules_lost = forwarding.rare.rules_lost
        self.nexthop = forwarding.witness.nexthop
        self.label = forwarding.witness.label
        self.mpls_input = forwarding.witness.mpls_input
        self.closed = forwarding.witness.closed

    def main_changed(self) -> None:
        """Nobody looks the underlay up."""

    def overrun(self) -> None:
        raise AssertionError("a kernel in memory loses no events")

    def burst_end(self) -> None:
        """Nobody to wake."""


def connect(forwarding: Forwarding, kernel: DummyKernel) -> None:
    """What `Dataplane.start` does: events on, scan, adopt. The core is told by the caller (`kernel_scanned`)."""
    kernel.sink = ForwardingSink(forwarding)
    forwarding.adopt(kernel.scan())


def sync(forwarding: Forwarding, kernel: DummyKernel, now: float, budget: int = 4096, limit: int = 1000) -> int:
    """Applies batches until nothing is left to do; returns how many."""
    for count in range(limit):
        batch = forwarding.take(budget, now)
        while batch is None and forwarding.more:
            batch = forwarding.take(budget, now)
        if batch is None:
            return count
        forwarding.report(batch, kernel.apply(batch), now)
    raise AssertionError(f"still not settled after {limit} batches")
