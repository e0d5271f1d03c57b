"""Keeps `Underlay` up to date: what is newly wanted is looked up at once, all of it when routes may have changed.

Changes come in bursts (a link that goes takes many routes), so all is looked up again at most ten times a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from hornpipe.forwarding.underlay import Underlay, Way

REST_SECONDS = 0.1
"""Between two rounds over everything wanted."""

Resolve = Callable[[Collection[bytes]], Awaitable[dict[bytes, Way | None]]]


class UnderlayPump:
    """`tell` is called with the addresses whose way changed."""

    def __init__(
        self, underlay: Underlay, resolve: Resolve, clock: Callable[[], float], tell: Callable[[list[bytes]], None]
    ) -> None:
        self.rounds = 0
        """How often everything was looked up."""
        self._underlay = underlay
        self._resolve = resolve
        self._clock = clock
        self._tell = tell
        self._stale = False
        self._rest_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[list[bytes]] | None = None
        self._stopped = False

    def changed(self) -> None:
        """Links, addresses or routes changed: what was found may be true no longer."""
        if self._underlay:
            self._stale = True

    def pump(self) -> None:
        """Asks the driver if there is something to ask; returns at once."""
        if self._task is not None or self._stopped:
            return
        wait = self._rest_until - self._clock()
        if self._underlay.has_new or (self._stale and wait <= 0):
            self._task = asyncio.get_running_loop().create_task(self._look())
            self._task.add_done_callback(self._looked)
        elif self._stale and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._rested)

    def _rested(self) -> None:
        self._timer = None
        self.pump()

    async def _look(self) -> list[bytes]:
        asked = self._underlay.take_wanted()
        if self._stale and self._clock() >= self._rest_until:
            self._stale = False
            self._rest_until = self._clock() + REST_SECONDS
            self.rounds += 1
            asked = self._underlay.wanted()
        return self._underlay.tell(await self._resolve(asked)) if asked else []

    def _looked(self, task: asyncio.Task[list[bytes]]) -> None:
        self._task = None
        if task.cancelled() or self._stopped:
            return
        failure = task.exception()
        if isinstance(failure, OSError):  # the kernel did not answer: asked again after a rest
            self._stale = True
            self._rest_until = self._clock() + REST_SECONDS
        elif failure is not None:
            raise failure  # a mistake of ours: the loop's exception handler reports it
        else:
            changed = task.result()
            if changed:
                self._tell(changed)
        self.pump()

    async def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
