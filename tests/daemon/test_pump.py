"""The order of a turn, its timers, and when bytes wait for company: under a loop whose clock is a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import pytest

from hornpipe.daemon.pump import COALESCE, Pump


class Handle:
    def __init__(self, at: float, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.at, self.call, self.arguments, self.cancelled = at, call, arguments, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Of an event loop: its clock and its two ways to be called later."""

    def __init__(self) -> None:
        self.now = 100.0
        self.queue: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[..., Any], *arguments: Any) -> Handle:
        return self.call_at(self.now, call, *arguments)

    def call_at(self, at: float, call: Callable[..., Any], *arguments: Any) -> Handle:
        self.queue.append(Handle(at, call, arguments))
        return self.queue[-1]

    def run_until(self, end: float) -> None:
        while True:
            due = [handle for handle in self.queue if not handle.cancelled and handle.at <= end]
            if not due:
                break
            first = min(due, key=lambda handle: handle.at)
            self.queue.remove(first)
            self.now = max(self.now, first.at)
            first.call(*first.arguments)
        self.now = end


class Engine:
    def __init__(self, loop: Loop, log: list[str]) -> None:
        self.loop, self.log = loop, log
        self.ready_connections: set[int] = set()
        self.deadline = math.inf
        self.work = 0
        """Turns it still needs."""

    def tick(self, now: float) -> None:
        self.log.append("tick")
        self.deadline = math.inf

    def run(self, now: float, budget: int) -> bool:
        self.log.append("run")
        self.work = max(0, self.work - 1)
        return self.work > 0

    def next_deadline(self) -> float:
        return self.deadline


class Bench:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.loop = Loop()
        self.engine = Engine(self.loop, self.log)
        self.pump = Pump(self.engine, cast(Any, self.loop))
        self.pump.flush = self.flush
        self.pump.program = lambda now: self.log.append("program")
        self.pump.progressed = lambda now: self.log.append("progressed")
        self.written: list[float] = []

    def flush(self, now: float) -> None:
        self.log.append("flush")
        if self.engine.ready_connections:
            self.written.append(now)
            self.engine.ready_connections.clear()

    def event(self) -> None:
        """An input that makes something to send."""
        self.engine.ready_connections.add(1)
        self.pump.wake()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_turn_runs_then_writes_then_programs_then_tells(bench: Bench) -> None:
    bench.event()
    bench.loop.run_until(bench.loop.now)
    assert bench.log == ["run", "flush", "program", "progressed"]


def test_many_inputs_make_one_turn(bench: Bench) -> None:
    for _ in range(50):
        bench.pump.wake()
    bench.loop.run_until(bench.loop.now)
    assert bench.log.count("run") == 1


def test_a_turn_now_takes_the_place_of_the_one_that_waited(bench: Bench) -> None:
    bench.event()
    bench.pump.turn()
    bench.loop.run_until(bench.loop.now + 1)
    assert bench.log.count("run") == 1


def test_more_work_is_another_turn_with_the_loop_between(bench: Bench) -> None:
    bench.engine.work = 3
    bench.pump.wake()
    bench.loop.run_until(bench.loop.now)
    assert bench.log.count("run") == 3
    assert bench.log.count("program") == 3


def test_a_single_event_leaves_at_once(bench: Bench) -> None:
    bench.event()
    bench.loop.run_until(100.0)
    assert bench.written == [100.0]


def test_a_burst_shares_what_is_written(bench: Bench) -> None:
    for step in range(10):
        bench.loop.run_until(100.0 + step * 0.0005)
        bench.event()
    bench.loop.run_until(101.0)
    assert bench.written == pytest.approx([100.0, 100.0 + COALESCE, 100.0 + 2 * COALESCE])


def test_after_a_quiet_moment_the_next_leaves_at_once_again(bench: Bench) -> None:
    bench.event()
    bench.loop.run_until(100.0 + 2 * COALESCE)
    bench.event()
    bench.loop.run_until(100.0 + 2 * COALESCE)
    assert bench.written == pytest.approx([100.0, 100.0 + 2 * COALESCE])


def test_the_kernel_does_not_wait_for_the_burst_to_end(bench: Bench) -> None:
    bench.event()
    bench.loop.run_until(100.0005)
    bench.event()
    bench.loop.run_until(100.0005)
    assert bench.log.count("program") == 2
    assert len(bench.written) == 1


def test_deadlines_tick_the_engine_in_time(bench: Bench) -> None:
    bench.engine.deadline = 105.0
    bench.pump.turn()
    bench.loop.run_until(104.9)
    assert "tick" not in bench.log
    bench.loop.run_until(105.0)
    assert bench.log.count("tick") == 1


def test_a_nearer_deadline_replaces_the_timer(bench: Bench) -> None:
    bench.engine.deadline = 150.0
    bench.pump.turn()
    bench.engine.deadline = 101.0
    bench.pump.turn()
    bench.loop.run_until(102.0)
    assert bench.log.count("tick") == 1
    assert len([handle for handle in bench.loop.queue if not handle.cancelled]) == 0


def test_a_fault_in_a_turn_does_not_stop_the_pump(bench: Bench) -> None:
    def fault(now: float, budget: int) -> bool:
        raise ZeroDivisionError

    good, bench.engine.run = bench.engine.run, fault  # type: ignore[method-assign]
    bench.pump.wake()
    with pytest.raises(ZeroDivisionError):
        bench.loop.run_until(bench.loop.now)
    bench.engine.run = good  # type: ignore[method-assign]
    bench.event()
    bench.loop.run_until(bench.loop.now)
    assert len(bench.written) == 1


def test_a_deadline_that_fails_is_tried_again_but_not_in_circles(bench: Bench) -> None:
    tries: list[float] = []

    def fault(now: float) -> None:
        tries.append(now)
        raise ZeroDivisionError

    bench.engine.deadline = 101.0
    bench.pump.turn()
    bench.engine.tick = fault  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            bench.loop.run_until(110.0)
    assert tries == pytest.approx([101.0, 102.0, 103.0])


def test_after_stop_nothing_moves(bench: Bench) -> None:
    bench.engine.deadline = 101.0
    bench.event()
    bench.pump.stop()
    bench.loop.run_until(200.0)
    bench.event()
    bench.pump.turn()
    bench.loop.run_until(200.0)
    assert bench.log == []
