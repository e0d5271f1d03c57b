"""The pump between the engine's forwarding state and a driver, in the asyncio loop.

Work is pulled: at most `DEPTH` batches are with the driver, one that the kernel executes and one that is packed while
it does. What is left waits as dirty keys, where a newer change costs nothing. Kernel events go the other way, straight
into the forwarding state (repair) and, where they are news for the VPN layer, to the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from hornpipe.dataplane.driver import Driver
from hornpipe.dataplane.ways import UnderlayPump
from hornpipe.forwarding.audit import Audit
from hornpipe.forwarding.batch import Batch, Results, Scan
from hornpipe.forwarding.entry import InterfaceAddress
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import Nexthop
from hornpipe.forwarding.question import Found, Question
from hornpipe.forwarding.rule import FibRule
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import BulkKind

DEPTH = 2
BUDGET = 4096
"""Bulk entries a batch: about 5 ms of packing and 12 ms of kernel work."""
MUTE_DELETES = 1024
"""From so many deletes in a batch on, their events are not listened to and the rest of the table is written again."""
_MUTED: frozenset[BulkKind] = frozenset(("fdb", "flood", "neigh", "local"))
"""Of routes and labels the kernel says whose deletes they were."""
AUDIT_SECONDS = 1.0


class Core(Protocol):
    """What the dataplane needs of the engine."""

    @property
    def forwarding(self) -> Forwarding: ...

    def links_changed(self, changes: Iterable[tuple[str, bool]], now: float) -> None: ...

    def kernel_macs(self, changes: Iterable[tuple[str, str, bytes, bool]], now: float) -> None: ...

    def kernel_scanned(self, now: float) -> None: ...

    def underlay_changed(self, addresses: Iterable[bytes], now: float) -> None:
        """`Forwarding.underlay.way` of these is another one now."""


class Dataplane:
    """`after_input` is called whenever the core was told something and wants to run."""

    def __init__(
        self, core: Core, driver: Driver, clock: Callable[[], float], after_input: Callable[[], None] = lambda: None
    ) -> None:
        self.core = core
        self.driver = driver
        self.batches = 0
        self.entries = 0
        """Bulk entries submitted so far."""
        self.resyncs = 0
        self.repairs = 0
        """Tables that the audit found damaged."""
        self._clock = clock
        self._after_input = after_input
        self._audit = Audit(core.forwarding)
        self._underlay = UnderlayPump(core.forwarding.underlay, driver.resolve, clock, self._ways_changed)
        self._in_flight = 0
        self._pumping = False
        self._muted: frozenset[int] = frozenset()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._overrun = False
        self._stopped = False

    @property
    def forwarding(self) -> Forwarding:
        return self.core.forwarding

    async def start(self, scanned: Callable[[Scan], None] = lambda scan: None) -> None:
        """Opens the driver, reads the kernel and tells the core; from then on batches flow. `scanned` is called between
        the two."""
        await self.driver.start(self)
        self.forwarding.features = await self.driver.features()
        scan = await self.driver.scan()
        scanned(scan)
        self.forwarding.adopt(scan)
        now = self._clock()
        self._tell(now)
        self.core.kernel_scanned(now)
        self._timer = asyncio.get_running_loop().call_later(AUDIT_SECONDS, self._every_second)
        self._after_input()
        self.pump(now)

    async def stop(self) -> None:
        """Waits for what the driver has in hand; what the kernel holds stays."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._underlay.stop()
        await self.driver.stop()

    async def flush(self) -> int:
        """Stops pumping and removes everything that is marked ours from the kernel."""
        self._stopped = True
        return await self.driver.flush()

    async def inspect(self, questions: Sequence[Question]) -> list[Found]:
        """What the kernel holds at this moment; OSError if it does not answer."""
        return await self.driver.inspect(questions)

    @property
    def idle(self) -> bool:
        return not self._in_flight and not self.forwarding.has_work

    def pump(self, now: float) -> None:
        """Gives the driver what it can take now; returns at once."""
        if self._pumping or self._stopped:
            return
        self._pumping = True
        try:
            while self._in_flight < DEPTH:
                batch = self.forwarding.take(BUDGET, now)
                if batch is not None:
                    self._submit(batch)
                elif self.forwarding.more:
                    asyncio.get_running_loop().call_soon(self._again)
                    break
                elif self._muted and not self._in_flight:
                    self._unmute()
                else:
                    break
        finally:
            self._pumping = False
        self._underlay.pump()

    def _submit(self, batch: Batch) -> None:
        deletes = batch.deletes
        if deletes >= MUTE_DELETES:
            self._muted |= {chunk.index for chunk in batch.chunks if chunk.deletes and chunk.kind in _MUTED}
            self.driver.mute(self._muted)
        self._in_flight += 1
        self.batches += 1
        self.entries += deletes + batch.adds
        self.driver.submit(batch, partial(self._done, batch))

    def _again(self) -> None:
        self.pump(self._clock())
        if self.idle:  # all was there already: no result of a batch will tell
            self._after_input()

    def _unmute(self) -> None:
        """What others deleted meanwhile was not heard, so what should be there is written again."""
        muted, self._muted = self._muted, frozenset()
        self.driver.mute(self._muted)
        for state in self.forwarding.tables():
            if state.ready is not None and state.kind in _MUTED and state.index in muted:
                state.touch_all()

    def _done(self, batch: Batch, results: Results) -> None:
        self._in_flight -= 1
        now = self._clock()
        self.forwarding.report(batch, results, now)
        self._tell(now)
        self._after_input()
        self.pump(now)

    def _ways_changed(self, addresses: list[bytes]) -> None:
        self.core.underlay_changed(addresses, self._clock())
        self._after_input()

    def _tell(self, now: float) -> None:
        self.forwarding.heard(now)
        presence = self.forwarding.take_presence()
        if presence:
            self.core.links_changed(presence, now)
        macs = self.forwarding.take_learnt()
        if macs:
            self.core.kernel_macs(macs, now)

    # ---- every second

    def _every_second(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(AUDIT_SECONDS, self._every_second)
        now = self._clock()
        self.forwarding.tick(now)
        if self._overrun:
            self.overrun()  # the kernel did not answer the last time
        elif self._task is None and not self._in_flight and not self.forwarding.more:  # what is left cannot be done now
            self._run(self._look())
        self.pump(now)

    async def _look(self) -> None:
        probes = self._audit.step()
        if probes:
            self.repairs += self._audit.judge(probes, await self.driver.probe(probes))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled() or self._stopped:
            return
        failure = task.exception()
        if failure is not None and not isinstance(failure, OSError):
            raise failure  # a mistake of ours: the loop's exception handler reports it
        # After an OSError the kernel did not answer a question: it is asked again a second later.
        self._tell(self._clock())
        if self._overrun and failure is None:
            self.overrun()
        self._after_input()
        self.pump(self._clock())

    # ---- EventSink

    def link(self, link: Link) -> None:
        self.forwarding.link_event(link)
        self._underlay.changed()

    def port_flags(self, index: int, learning: bool | None, suppress: bool | None) -> None:
        self.forwarding.port_event(index, learning, suppress)

    def link_gone(self, index: int) -> None:
        self.forwarding.link_gone(index)
        self._underlay.changed()

    def address(self, index: int, address: InterfaceAddress, present: bool) -> None:
        self.forwarding.address_event(index, address, present)
        self._underlay.changed()

    def neigh(self, index: int, ip: bytes, mac: bytes, intact: bool) -> None:
        self.forwarding.neigh_event(index, ip, mac, intact)

    def fdb(self, index: int, mac: bytes, vtep: bytes, vni: int, present: bool) -> None:
        self.forwarding.fdb_event(index, mac, vtep, vni, present)

    def bridge_fdb(self, bridge: int, port: int, mac: bytes, present: bool, permanent: bool = False) -> None:
        self.forwarding.bridge_fdb_event(bridge, port, mac, present, permanent)

    def route(self, table: int, key: bytes, nexthop: int | None, present: bool) -> None:
        self.forwarding.witness.route(table, key, nexthop, present)

    def vrf_default_gone(self, table: int) -> None:
        self.forwarding.witness.vrf_default_gone(table)

    def rule(self, found: FibRule, present: bool) -> None:
        self.forwarding.witness.rule(found, present)

    def rules_lost(self, family: int) -> None:
        self.forwarding.rare.rules_lost(family)

    def nexthop(self, number: int, content: Nexthop | None) -> None:
        self.forwarding.witness.nexthop(number, content)

    def label(self, key: bytes, index: int, gateway: bytes, present: bool) -> None:
        self.forwarding.witness.label(key, index, gateway, present)

    def mpls_input(self, index: int, on: bool) -> None:
        self.forwarding.witness.mpls_input(index, on)

    def closed(self, index: int, on: bool) -> None:
        self.forwarding.witness.closed(index, on)

    def main_changed(self) -> None:
        self._underlay.changed()

    def overrun(self) -> None:
        self._overrun = True
        if self._task is None and not self._stopped:
            self._overrun = False
            self._run(self._resync())

    async def _resync(self) -> None:
        self.resyncs += 1
        bridges = self.forwarding.learning_bridges()
        try:
            scan = await self.driver.survey(bridges)
        except OSError:
            self._overrun = True  # until it is answered, nothing known of the kernel can be relied on
            raise
        self._underlay.changed()
        self.forwarding.resync(scan.links, scan.addresses, scan.rules, scan.closed)
        for bridge in bridges:
            self.forwarding.learnt.keep_only(bridge, {mac for name, _, mac in scan.learnt if name == bridge})
        self.forwarding.learn(scan.learnt)

    def burst_end(self) -> None:
        now = self._clock()
        self._tell(now)
        self._after_input()
        self.pump(now)
