"""The real engine with a kernel in memory, turned by hand."""

from __future__ import annotations

from collections.abc import Iterable

from hornpipe.api.facade import ApiEngine
from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.engine.engine import Engine
from hornpipe.engine.settings import Settings


class RealEngine(Engine):
    """As a daemon has it after its start: restored, scanned, with the links its tests name."""

    def __init__(self, links: Iterable[str] = ()) -> None:
        settings = Settings(local_as=64512, router_id="10.0.0.1", vtep="10.0.0.1", encapsulations=("mpls-gre",))
        super().__init__(settings, 1.0, lambda: 0.5, "1.2.3")
        self.kernel = DummyKernel()
        self.restore(None, 1.0)
        connect(self.forwarding, self.kernel)
        for name in links:
            self.kernel.add_link(name)
        self.links_changed(self.forwarding.take_presence(), 1.0)
        self.kernel_scanned(1.0)
        self.turn()

    def turn(self, now: float = 2.0) -> None:
        """What the daemon's pump does."""
        for _ in range(10):
            while self.run(now):
                pass
            if not sync(self.forwarding, self.kernel, now):
                return
            self.links_changed(self.forwarding.take_presence(), now)


def as_api_engine(engine: Engine) -> ApiEngine:
    """mypy holds the engine against the Protocol here."""
    return engine
