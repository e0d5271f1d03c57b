"""Virtual time: calls at times, carried out in order; calls at one time in the order they were made."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._calls, (max(when, self.now), self._count, call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        self.at(self.now + seconds, call)

    @property
    def next(self) -> float:
        return self._calls[0][0] if self._calls else inf

    def advance(self, until: float) -> None:
        """Moves on to `until`, which is not after `next`, and carries out what is due."""
        self.now = max(self.now, until)
        while self._calls and self._calls[0][0] <= self.now:
            heapq.heappop(self._calls)[2]()
