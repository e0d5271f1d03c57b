"""The kernel thread: order, results and exceptions in the loop, no loop stalled by a slow job."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from hornpipe.dataplane.linux.worker import Worker


async def test_jobs_run_in_order_in_one_other_thread() -> None:
    worker = Worker(asyncio.get_running_loop())
    seen: list[tuple[int, int]] = []
    futures = [worker.call(lambda n=n: seen.append((n, threading.get_ident()))) for n in range(20)]
    await asyncio.gather(*futures)
    assert [number for number, _ in seen] == list(range(20))
    assert {thread for _, thread in seen} != {threading.get_ident()}
    assert len({thread for _, thread in seen}) == 1
    await worker.stop()


async def test_results_and_exceptions_come_back_in_the_loop() -> None:
    worker = Worker(asyncio.get_running_loop())
    got: list[tuple[object, BaseException | None, int]] = []
    worker.submit(lambda: 7, lambda result, raised: got.append((result, raised, threading.get_ident())))
    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 // 0)
    assert got == [(7, None, threading.get_ident())]
    await worker.stop()


async def test_a_slow_job_does_not_stall_the_loop() -> None:
    worker = Worker(asyncio.get_running_loop())
    go_on = threading.Event()
    slow = worker.call(lambda: go_on.wait(60))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not slow.done()
    go_on.set()
    assert await slow
    await worker.stop()


async def test_stop_waits_for_what_was_submitted() -> None:
    worker = Worker(asyncio.get_running_loop())
    done: list[int] = []
    worker.submit(lambda: time.sleep(0.05) or done.append(1), lambda result, raised: done.append(2))
    await worker.stop()
    assert done[:1] == [1]


async def test_a_call_that_nobody_waits_for_any_more() -> None:
    worker = Worker(asyncio.get_running_loop())
    future = worker.call(lambda: time.sleep(0.02))
    future.cancel()
    assert await worker.call(lambda: "next") == "next"
    await worker.stop()
