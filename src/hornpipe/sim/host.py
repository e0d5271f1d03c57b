"""One simulated host: an engine, a kernel in memory, an intent that survives a kill."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.engine.engine import Engine
from hornpipe.engine.intent import Intent
from hornpipe.engine.settings import Settings
from hornpipe.vpn.spec import InstanceSpec, PortSpec


class Host:
    """`engine` is None while the daemon is not running; kernel and intent outlive it."""

    def __init__(self, settings: Settings, seed: int = 0) -> None:
        self.settings = settings
        self.kernel = DummyKernel()
        self.engine: Engine | None = None
        self.stored: bytes | None = None
        """The intent file."""
        self._jitter = random.Random(seed).random
        self._stored_revision = -1

    @property
    def address(self) -> str:
        return self.settings.local_address or self.settings.router_id

    @property
    def running(self) -> Engine:
        if self.engine is None:
            raise RuntimeError(f"{self.address} is not running")
        return self.engine

    def start(self, now: float) -> Engine:
        """As the daemon does: intent, kernel, then sessions."""
        engine = self.make(now)
        self.engine = engine
        self._stored_revision = -1
        stored, lost = None, ""
        try:
            stored = msgspec.json.decode(self.stored, type=Intent) if self.stored is not None else None
        except msgspec.DecodeError as error:
            lost = f"damaged: {error}"
        engine.restore(stored, now, lost)
        connect(engine.forwarding, self.kernel)
        engine.forwarding.features = dict(self.kernel.features)
        engine.links_changed(engine.forwarding.take_presence(), now)
        engine.kernel_macs(engine.forwarding.take_learnt(), now)
        engine.kernel_scanned(now)
        return engine

    def make(self, now: float) -> Engine:
        """A subclass may have another one."""
        return Engine(self.settings, now, self._jitter)

    def kill(self) -> None:
        self.engine = None
        self.kernel.sink = None

    def turn(self, now: float) -> None:
        """One turn of the pump, until nothing is left to do."""
        engine = self.engine
        if engine is None:
            return
        if now >= engine.next_deadline():
            engine.tick(now)
        engine.forwarding.tick(now)
        for _ in range(100):
            engine.links_changed(engine.forwarding.take_presence(), now)
            engine.kernel_macs(engine.forwarding.take_learnt(), now)
            underlay = engine.forwarding.underlay
            ways = {address: self.kernel.underlay.get(address) for address in underlay.wanted()}
            engine.underlay_changed(underlay.tell(ways), now)
            more = engine.run(now)
            if not sync(engine.forwarding, self.kernel, now) and not more:
                break
        if engine.intent_revision != self._stored_revision:
            self._stored_revision = engine.intent_revision
            self.stored = msgspec.json.encode(engine.intent())

    # ---- what an orchestrator does

    def attach(
        self,
        now: float,
        interface: str,
        instance: InstanceSpec,
        mac: str,
        addresses: tuple[str, ...] = (),
        *,
        sticky: bool = False,
        source: str = "sim",
        **more: Any,
    ) -> None:
        """Makes the interface, then attaches it."""
        if interface not in self.kernel.links:
            self.kernel.add_link(interface)
        fields: dict[str, Any] = {"name": interface, "interface": interface, "sticky": sticky, **more}
        port = PortSpec(instance=instance.name, mac=mac, addresses=addresses, **fields)
        self.running.attach(source, instance, port, now)

    def detach(self, now: float, interface: str, *, source: str = "sim") -> None:
        self.running.detach(source, interface, now)
