"""A kernel thread: jobs in order, results back in the asyncio loop.

Taking RTNL can last (deleting twenty bridges: a second), so nothing that does is called in the loop.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], Callable[[Any, BaseException | None], None]]


class Worker:
    def __init__(self, loop: asyncio.AbstractEventLoop, name: str = "hornpipe-kernel") -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], T], done: Callable[[T, BaseException | None], None]) -> None:
        """`done` is called in the loop, with the result or (None and) what was raised."""
        self._jobs.put((job, done))

    def call(self, job: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: T, raised: BaseException | None) -> None:
            if future.cancelled():
                return
            if raised is not None:
                future.set_exception(raised)
            else:
                future.set_result(result)

        self.submit(job, done)
        return future

    async def stop(self) -> None:
        """After the jobs that were submitted before."""
        await self.call(lambda: None)
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            result, raised = None, None
            try:
                result = job()
            except BaseException as exception:
                raised = exception  # it crosses to the loop, where `done` deals with it
            try:
                self._loop.call_soon_threadsafe(done, result, raised)
            except RuntimeError:
                return  # the loop is closed: nobody waits for results any more
