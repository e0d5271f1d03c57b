"""Whose timer is due: a heap, so that a turn costs what is due and not what there is.

A session's deadline is a lower bound that its inputs only ever lower; that a timer was put off is noticed when it would
have been due. So most calls of `note` change nothing.
"""

from __future__ import annotations

import heapq
from math import inf

from hornpipe.engine.neighbour import Neighbour


class Deadlines:
    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Neighbour]] = []
        self._count = 0

    def note(self, neighbour: Neighbour, at: float) -> None:
        """It is to be looked at then, or before if that was noted already."""
        if at < neighbour.due:
            neighbour.due = at
            self._count += 1
            heapq.heappush(self._heap, (at, self._count, neighbour))

    @property
    def next(self) -> float:
        heap = self._heap
        while heap and heap[0][0] != heap[0][2].due:  # noted for an earlier time since
            heapq.heappop(heap)
        return heap[0][0] if heap else inf

    def take(self, now: float) -> list[Neighbour]:
        """Those that are due; each is to be noted again."""
        due: list[Neighbour] = []
        while self.next <= now:
            _, _, neighbour = heapq.heappop(self._heap)
            neighbour.due = inf
            due.append(neighbour)
        return due

    def forget(self, neighbour: Neighbour) -> None:
        neighbour.due = inf
