"""One simulated host: an engine, a kernel in memory, an intent that survives a kill."""

from __future__ import annotations

import random
from math import inf
from typing import Any

import msgspec

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.engine.engine import Engine
from hornpipe.engine.intent import Intent
from hornpipe.engine.settings import Settings
from hornpipe.sim.wire import Speaking
from hornpipe.vpn.recall import Recalled, recall
from hornpipe.vpn.spec import InstanceSpec, PortSpec

ROUNDING = 1e-6
"""Seconds added to what is converted from a host's clock to the fleet's, so that it is not before its time there."""


class Host:
    """`engine` is None while the daemon is not running; kernel and intent outlive it.

    `epoch` is what its monotonic clock is ahead of the fleet's: no two hosts were booted at the same time, and a reboot
    sets it anew. So no time may leave a host and mean something, nor survive a reboot in the intent."""

    def __init__(
        self, settings: Settings, seed: int = 0, kernel: DummyKernel | None = None, epoch: float = 0.0
    ) -> None:
        self.settings = settings
        self.kernel = kernel if kernel is not None else DummyKernel()
        self.epoch = epoch
        self.engine: Engine | None = None
        self.endpoint: Speaking | None = None
        """What the network sees of the engine."""
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

    def start(self, at: float) -> Speaking:
        """As the daemon does: intent, kernel, then sessions."""
        now = at + self.epoch
        engine = self.make(now)
        self.engine = engine
        self.endpoint = Shifted(engine, self.epoch) if self.epoch else engine
        self._stored_revision = -1
        stored, lost = None, ""
        try:
            stored = msgspec.json.decode(self.stored, type=Intent) if self.stored is not None else None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            lost = f"damaged: {error}"
        lost = lost or (stored.lost if stored is not None else "")
        engine.restore(stored, now, lost, self._recall() if lost else None)
        connect(engine.forwarding, self.kernel)
        engine.forwarding.features = dict(self.kernel.features)
        engine.links_changed(engine.forwarding.take_presence(), now)
        engine.kernel_macs(engine.forwarding.take_learnt(), now)
        engine.kernel_scanned(now)
        return self.endpoint

    def _recall(self) -> Recalled:
        scan = self.kernel.scan()
        return recall(scan.links, scan.tables.get(("mpls", ""), {}))

    def make(self, now: float) -> Engine:
        """A subclass may have another one."""
        return Engine(self.settings, now, self._jitter)

    def kill(self) -> None:
        self.engine = self.endpoint = None
        self.kernel.sink = None

    def slept(self, seconds: float) -> None:
        """Its clock has stood still: a virtual machine that was paused."""
        self.epoch -= seconds
        if isinstance(self.endpoint, Shifted):
            self.endpoint.epoch -= seconds

    def next_deadline(self) -> float:
        """When it is to have a turn at the latest, in the fleet's time."""
        if self.engine is None:
            return inf
        deadline = min(self.engine.next_deadline(), self.engine.forwarding.rare.retry_at or inf)
        return deadline - self.epoch + (ROUNDING if self.epoch else 0.0)

    def turn(self, at: float) -> None:
        """One turn of the pump, until nothing is left to do."""
        engine, now = self.engine, at + self.epoch
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
        self.running.attach(source, instance, port, now + self.epoch)

    def detach(self, now: float, interface: str, *, source: str = "sim") -> None:
        self.running.detach(source, interface, now + self.epoch)


class Shifted:
    """An engine for the network when its clock is not the fleet's."""

    __slots__ = ("_engine", "epoch")

    def __init__(self, engine: Engine, epoch: float) -> None:
        self._engine = engine
        self.epoch = epoch

    @property
    def ready_connections(self) -> set[int]:
        return self._engine.ready_connections

    def take_connects(self) -> list[PeerConfig]:
        return self._engine.take_connects()

    def connected(self, peer: str, local_address: str, now: float) -> int | None:
        return self._engine.connected(peer, local_address, now + self.epoch)

    def connect_failed(self, peer: str, reason: str, now: float) -> None:
        self._engine.connect_failed(peer, reason, now + self.epoch)

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        return self._engine.accept(remote_address, local_address, now + self.epoch)

    def received(self, conn: int, data: bytes, now: float) -> None:
        self._engine.received(conn, data, now + self.epoch)

    def rests_until(self, conn: int) -> float:
        return self._engine.rests_until(conn) - self.epoch

    def closed(self, conn: int, reason: str, now: float) -> None:
        self._engine.closed(conn, reason, now + self.epoch)

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        return self._engine.take_bytes(conn, budget, now + self.epoch)

    def take_closes(self) -> list[int]:
        return self._engine.take_closes()

    def next_deadline(self) -> float:
        return self._engine.next_deadline() - self.epoch + ROUNDING

    def tick(self, now: float) -> None:
        self._engine.tick(now + self.epoch)
