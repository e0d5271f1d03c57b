"""When Python looks for objects that refer to each other in a circle and are of no use any more.

Tables are millions of long-lived tuples and bytes without circles: a full pass over 100 000 routes would cost tens of
milliseconds and find nothing, so there is almost never one. What makes circles is small and steady (asyncio's transport
and socket of each request to the API). In a quiet daemon hours would pass until there are enough of them for Python to
look, and memory would grow by some megabytes until then: so the young are looked at now and then.
"""

from __future__ import annotations

import asyncio
import gc

THRESHOLDS = (50_000, 20, 100)
INTERVAL = 30.0
"""Seconds between two looks at the young: there are 50 000 of them at most, a millisecond or two."""
MIDDLE_AGED = 20
"""Every so many of those, what has outlived one is looked at too: a request that was under way just then."""


class Garbage:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self._looks = 0

    def start(self) -> None:
        """What is here now stays: no later look needs to pass it."""
        gc.collect()
        gc.freeze()
        self._arm()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        self._handle = self._loop.call_later(INTERVAL, self._look)

    def _look(self) -> None:
        self._looks += 1
        gc.collect(0 if self._looks % MIDDLE_AGED else 1)
        self._arm()
