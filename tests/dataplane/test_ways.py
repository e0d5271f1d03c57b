"""The underlay's pump: at once for what is new, at most ten times a second for everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import pytest

from hornpipe.dataplane import ways
from hornpipe.dataplane.ways import UnderlayPump
from hornpipe.forwarding.underlay import Underlay, Way
from tests.until import until

PE1, PE2 = bytes([10, 0, 0, 2]), bytes([10, 0, 0, 3])
ETH0, ETH1 = Way("eth0", b"", 1500), Way("eth1", b"", 1500)


class Bench:
    def __init__(self) -> None:
        self.now = 100.0
        self.kernel: dict[bytes, Way] = {PE1: ETH0, PE2: ETH0}
        self.asked: list[list[bytes]] = []
        self.told: list[bytes] = []
        self.fail = False
        self.meanwhile: Callable[[], None] | None = None
        self.underlay = Underlay()
        self.pump = UnderlayPump(self.underlay, self.resolve, lambda: self.now, self.told.extend)

    async def resolve(self, addresses: Collection[bytes]) -> dict[bytes, Way | None]:
        self.asked.append(sorted(addresses))
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        if self.fail:
            raise OSError("no answer")
        return {address: self.kernel.get(address) for address in addresses}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(ways, "REST_SECONDS", 0.01)
    return Bench()


async def test_what_is_new_is_asked_for_at_once(bench: Bench) -> None:
    bench.underlay.want(PE1)
    bench.pump.pump()
    await until(lambda: bench.told == [PE1])
    bench.underlay.want(PE2)
    bench.pump.pump()
    await until(lambda: bench.told == [PE1, PE2])
    assert bench.asked == [[PE1], [PE2]]
    await bench.pump.stop()


async def test_a_burst_of_changes_is_one_round_and_then_a_rest(bench: Bench) -> None:
    for address in (PE1, PE2):
        bench.underlay.want(address)
    bench.pump.pump()
    await until(lambda: len(bench.told) == 2)
    bench.kernel[PE1] = ETH1
    for _ in range(100):
        bench.pump.changed()
        bench.pump.pump()
    await until(lambda: len(bench.told) == 3)
    assert bench.told[-1] == PE1
    assert bench.asked[1:] == [[PE1, PE2]]
    del bench.kernel[PE2]
    bench.pump.changed()
    bench.pump.pump()
    await asyncio.sleep(0.03)
    assert len(bench.asked) == 2, "the clock stands still: it rests"
    bench.now += 1
    await until(lambda: bench.told[-1] == PE2)
    assert bench.underlay.way(PE2) is None
    assert bench.pump.rounds == 2
    await bench.pump.stop()


async def test_a_change_while_the_answer_is_on_its_way_is_not_lost(bench: Bench) -> None:
    bench.underlay.want(PE1)
    bench.meanwhile = bench.pump.changed
    bench.pump.pump()
    await until(lambda: len(bench.asked) == 2)
    await bench.pump.stop()


async def test_no_answer_is_asked_for_again(bench: Bench) -> None:
    bench.fail = True
    bench.underlay.want(PE1)
    bench.pump.pump()
    await until(lambda: len(bench.asked) == 1)
    bench.fail = False
    bench.now += 1
    await until(lambda: bench.told == [PE1])
    await bench.pump.stop()


async def test_nobody_wants_anything_so_nothing_is_asked(bench: Bench) -> None:
    bench.pump.changed()
    bench.pump.pump()
    await asyncio.sleep(0.01)
    assert bench.asked == []
    await bench.pump.stop()
