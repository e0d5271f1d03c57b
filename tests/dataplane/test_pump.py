"""The pump with a driver that holds results back: depth, order, repair, resync, the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from hornpipe.dataplane import pump
from hornpipe.dataplane.dummy import DummyDriver
from hornpipe.dataplane.pump import DEPTH, Dataplane
from hornpipe.forwarding.batch import Batch, Results
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.underlay import Way
from tests.forwarding.world import BRIDGE, PORT, VTEP2, VXLAN, Table, ip, mac


class Core:
    def __init__(self) -> None:
        self.forwarding = Forwarding()
        self.presence: list[tuple[str, bool]] = []
        self.macs: list[tuple[str, str, bytes, bool]] = []
        self.rerouted: list[bytes] = []
        self.scanned: list[float] = []
        self.woken = 0

    def links_changed(self, changes: Iterable[tuple[str, bool]], now: float) -> None:
        self.presence += changes

    def kernel_macs(self, changes: Iterable[tuple[str, str, bytes, bool]], now: float) -> None:
        self.macs += changes

    def underlay_changed(self, addresses: Iterable[bytes], now: float) -> None:
        self.rerouted += addresses

    def kernel_scanned(self, now: float) -> None:
        self.scanned.append(now)

    def wake(self) -> None:
        self.woken += 1


class HeldDriver(DummyDriver):
    """Finishes a batch only when told."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[Batch, Callable[[Results], None]]] = []
        self.hold = False
        self.muted_ever: list[frozenset[int]] = []

    def submit(self, batch: Batch, done: Callable[[Results], None]) -> None:
        if self.hold:
            self.held.append((batch, done))
        else:
            super().submit(batch, done)

    def finish(self) -> Batch:
        batch, done = self.held.pop(0)
        done(self.kernel.apply(batch))
        return batch

    def mute(self, indexes: frozenset[int]) -> None:
        super().mute(indexes)
        self.muted_ever.append(indexes)


class Bench:
    def __init__(self) -> None:
        self.core = Core()
        self.driver = HeldDriver()
        self.now = 100.0
        self.dataplane = Dataplane(self.core, self.driver, lambda: self.now, self.core.wake)
        self.fdb = Table("fdb", "hp-vx100")
        self.neigh = Table("neigh", "hp-br100")

    async def start(self) -> Bench:
        await self.dataplane.start()
        forwarding = self.core.forwarding
        for entry in (BRIDGE, VXLAN):
            forwarding.set(entry)
        for table in (self.fdb, self.neigh):
            forwarding.add_table(table)
        self.pump()
        return self

    def pump(self) -> None:
        self.dataplane.pump(self.now)

    def want(self, table: Table, key: bytes, value: Any) -> None:
        if value is None:
            table.rows.pop(key, None)
        else:
            table.rows[key] = value
        self.core.forwarding.touch(table, key)

    def remotes(self, *numbers: int) -> None:
        for number in numbers:
            self.want(self.fdb, mac(number), (VTEP2, 0, False))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not in five seconds")


@pytest.fixture
async def bench() -> Any:
    bench = Bench()
    yield await bench.start()
    await bench.dataplane.stop()


async def test_start_scans_and_tells_the_core() -> None:
    bench = Bench()
    bench.driver.kernel.add_link("eth0")
    await bench.start()
    assert bench.core.presence[0] == ("eth0", True)
    assert bench.core.scanned == [100.0]
    assert bench.core.woken > 0
    assert bench.dataplane.idle
    await bench.dataplane.stop()


async def test_at_most_two_batches_are_with_the_driver(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "BUDGET", 2)
    bench.driver.hold = True
    bench.remotes(*range(10))
    bench.pump()
    assert len(bench.driver.held) == DEPTH
    bench.pump()
    assert len(bench.driver.held) == DEPTH
    assert not bench.dataplane.idle
    order = []
    while bench.driver.held:
        order += [key for chunk in bench.driver.finish().chunks for key in chunk.adds]
        assert len(bench.driver.held) <= DEPTH
    assert order == [mac(number) for number in range(10)]
    assert bench.dataplane.idle


async def test_what_changes_while_a_batch_is_out_goes_with_the_next(bench: Bench) -> None:
    bench.driver.hold = True
    bench.remotes(1)
    bench.pump()
    bench.want(bench.fdb, mac(1), (b"\x0a\0\0\x09", 0, False))
    assert bench.core.forwarding.status(bench.fdb, mac(1)) == ("pending", "")
    bench.pump()
    bench.driver.finish()
    assert bench.core.forwarding.status(bench.fdb, mac(1)) == ("pending", "")
    bench.driver.finish()
    assert bench.core.forwarding.status(bench.fdb, mac(1)) == ("done", "")
    assert bench.driver.kernel.snapshot()["fdb"]["hp-vx100", mac(1)][0] == b"\x0a\0\0\x09"


async def test_many_deletes_are_not_listened_to_and_the_rest_is_written_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "MUTE_DELETES", 5)
    bench.remotes(*range(10))
    bench.pump()
    for number in range(8):
        bench.want(bench.fdb, mac(number), None)
    bench.driver.hold = True
    bench.pump()
    index = bench.driver.kernel.links["hp-vx100"].index
    assert bench.driver.muted == frozenset({index})
    bench.driver.hold = False
    bench.driver.finish()
    assert bench.driver.muted == frozenset()
    assert bench.driver.kernel.writes[-2:] == [("add", "fdb")] * 2
    assert bench.dataplane.idle


async def test_few_deletes_are_listened_to(bench: Bench) -> None:
    bench.remotes(1)
    bench.pump()
    bench.want(bench.fdb, mac(1), None)
    bench.pump()
    assert bench.driver.muted_ever == []


async def test_looking_at_many_keys_that_need_nothing_is_spread_over_turns(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "BUDGET", 3)
    for number in range(10):
        bench.want(bench.fdb, mac(number), None)
    bench.pump()
    assert bench.core.forwarding.backlog() == 10, "seven to look at, three to delete"
    await until(lambda: bench.dataplane.idle)
    assert bench.driver.kernel.writes.count(("delete", "fdb")) == 10


async def test_damage_is_repaired_at_once(bench: Bench) -> None:
    bench.remotes(1)
    bench.pump()
    bench.driver.kernel.delete_fdb("hp-vx100", mac(1))
    bench.dataplane.burst_end()
    assert bench.dataplane.idle
    assert ("hp-vx100", mac(1)) in bench.driver.kernel.snapshot()["fdb"]


async def test_the_core_hears_of_interfaces_and_learnt_macs(bench: Bench) -> None:
    kernel = bench.driver.kernel
    kernel.add_link("tap0")
    bench.dataplane.burst_end()
    assert bench.core.presence[-1] == ("tap0", True)
    port = type(PORT)(interface="tap0", bridge="hp-br100", instance="red", learn=True)
    bench.core.forwarding.set(port)
    bench.pump()
    kernel.learn("hp-br100", "tap0", mac(4))
    woken = bench.core.woken
    bench.dataplane.burst_end()
    assert bench.core.macs == [("hp-br100", "tap0", mac(4), True)]
    assert bench.core.woken > woken
    kernel.delete_link("tap0")
    bench.dataplane.burst_end()
    assert bench.core.presence[-1] == ("tap0", False)
    assert bench.core.macs[-1] == ("hp-br100", "tap0", mac(4), False)


async def test_lost_events_are_made_up_for(bench: Bench) -> None:
    kernel = bench.driver.kernel
    kernel.add_link("tap0")
    port = type(PORT)(interface="tap0", bridge="hp-br100", instance="red", learn=True)
    bench.core.forwarding.set(port)
    bench.remotes(1, 2)
    bench.want(bench.neigh, ip(1), (mac(1), False))
    kernel.learn("hp-br100", "tap0", mac(7))
    bench.pump()
    before = kernel.snapshot()
    sink, kernel.sink = kernel.sink, None
    kernel.flush_fdb("hp-vx100")
    kernel.delete_neigh("hp-br100", ip(1))
    kernel.delete_master("hp-br100", mac(7))
    kernel.learn("hp-br100", "tap0", mac(8))
    kernel.add_link("tap9")
    kernel.sink = sink
    bench.dataplane.overrun()
    bench.dataplane.overrun()
    await until(lambda: bench.dataplane.idle and bench.dataplane.resyncs == 2)
    after = kernel.snapshot()
    assert (after["fdb"], after["neigh"]) == (before["fdb"], before["neigh"])
    assert ("hp-br100", "tap0", mac(7), False) in bench.core.macs
    assert ("hp-br100", "tap0", mac(8), True) in bench.core.macs
    assert ("tap9", True) in bench.core.presence


async def test_the_audit_notices_a_flush_that_no_event_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "AUDIT_SECONDS", 0.01)
    bench = await Bench().start()
    bench.remotes(*range(500))
    bench.pump()
    before = bench.driver.kernel.snapshot()
    bench.driver.kernel.flush_fdb("hp-vx100")
    await until(lambda: bench.driver.kernel.snapshot() == before)
    assert bench.dataplane.repairs >= 1
    await bench.dataplane.stop()


async def test_errors_are_tried_again_by_the_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "AUDIT_SECONDS", 0.01)
    bench = await Bench().start()
    bench.driver.kernel.fail(1)
    bench.remotes(1)
    bench.pump()
    assert bench.core.forwarding.status(bench.fdb, mac(1))[0] == "error"
    bench.now += 10
    await until(lambda: bench.core.forwarding.status(bench.fdb, mac(1))[0] == "done")
    await bench.dataplane.stop()


async def test_nothing_is_pumped_after_stop_and_the_kernel_keeps_what_it_has() -> None:
    bench = await Bench().start()
    bench.remotes(1)
    bench.pump()
    await bench.dataplane.stop()
    bench.remotes(2)
    bench.pump()
    assert {key for _, key in bench.driver.kernel.fdb} == {mac(1)}


async def test_flush_takes_everything_of_ours_out(bench: Bench) -> None:
    bench.driver.kernel.add_link("eth0")
    bench.remotes(1)
    bench.pump()
    assert await bench.dataplane.flush() == 2
    bench.pump()
    assert set(bench.driver.kernel.links) == {"eth0"}


async def test_a_mistake_in_the_driver_is_not_swallowed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))

    async def broken(_: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.driver, "survey", broken)
    bench.dataplane.overrun()
    await asyncio.sleep(0.01)
    assert isinstance(heard[0]["exception"], ZeroDivisionError)


# ---- routed


async def test_features_are_told_before_the_core_hears_of_the_kernel() -> None:
    bench = Bench()
    bench.driver.kernel.features = {"vrf": "module vrf (CONFIG_NET_VRF)"}
    told: list[str] = []
    bench.core.kernel_scanned = lambda now: told.append(bench.core.forwarding.lacks("vrf"))  # type: ignore[method-assign]
    await bench.start()
    assert told == ["module vrf (CONFIG_NET_VRF)"]
    await bench.dataplane.stop()


async def test_the_core_hears_of_ways_and_of_their_changes(bench: Bench) -> None:
    bench.driver.kernel.underlay[VTEP2] = Way("eth0", b"", 1500)
    bench.core.forwarding.underlay.want(VTEP2)
    bench.pump()
    await until(lambda: bench.core.rerouted == [VTEP2])
    bench.driver.kernel.underlay[VTEP2] = Way("eth1", b"", 1500)
    bench.dataplane.main_changed()
    bench.pump()
    await until(lambda: bench.core.rerouted == [VTEP2, VTEP2])
    del bench.driver.kernel.underlay[VTEP2]
    bench.now += 1
    bench.driver.kernel.add_link("eth7")
    bench.dataplane.burst_end()
    await until(lambda: len(bench.core.rerouted) == 3)
    assert bench.core.forwarding.underlay.way(VTEP2) is None


async def test_questions_go_to_the_kernel(bench: Bench) -> None:
    found = await bench.dataplane.inspect([("link", "hp-br100", b""), ("link", "nix", b"")])
    assert [one.present for one in found] == [True, False]


async def test_what_waits_does_not_keep_the_audit_from_looking(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "AUDIT_SECONDS", 0.01)
    waiting = Table("fdb", "hp-vx999")
    bench.core.forwarding.add_table(waiting)
    bench.want(waiting, mac(1), (VTEP2, 0, False))
    bench.remotes(1)
    bench.pump()
    bench.driver.kernel.flush_fdb("hp-vx100")
    bench.dataplane._every_second()
    await until(lambda: len(bench.driver.kernel.fdb) == 1)


async def test_a_resync_that_is_not_answered_is_asked_for_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events were lost and the dump failed: nothing else would tell of what happened meanwhile."""
    monkeypatch.setattr(pump, "AUDIT_SECONDS", 0.01)
    answered, survey = [False, False, True], bench.driver.survey

    async def unsure(learning: Any) -> Any:
        if not answered.pop(0):
            raise OSError("interrupted")
        return await survey(learning)

    monkeypatch.setattr(bench.driver, "survey", unsure)
    kernel = bench.driver.kernel
    sink, kernel.sink = kernel.sink, None
    kernel.delete_link("hp-vx100")
    kernel.sink = sink
    bench.dataplane.overrun()
    await until(lambda: "hp-vx100" in kernel.links)
    assert not answered
    assert bench.dataplane.resyncs == 3
