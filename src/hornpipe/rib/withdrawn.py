"""What peers withdrew lately: for who asks since when a route is gone. Bounded, and one note an UPDATE.

A route that goes leaves nothing in the tables, so without this nobody could say whether it ever was there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

MOST_KEYS: Final = 16384
"""About a megabyte; the oldest notes go first."""


class Withdrawal(NamedTuple):
    at: float
    peer: str
    family: int
    key: bytes


class Withdrawals:
    __slots__ = ("_count", "_notes")

    def __init__(self) -> None:
        self._notes: deque[tuple[float, str, int, list[bytes]]] = deque()
        self._count = 0

    def note(self, at: float, peer: str, family: int, keys: list[bytes]) -> None:
        if not keys:
            return
        self._notes.append((at, peer, family, keys))
        self._count += len(keys)
        while self._count > MOST_KEYS and len(self._notes) > 1:
            self._count -= len(self._notes.popleft()[3])

    def find(self, concerns: Callable[[int, bytes], bool]) -> Withdrawal | None:
        """The latest one of a (family, key) that concerns the asker."""
        for at, peer, family, keys in reversed(self._notes):
            for key in keys:
                if concerns(family, key):
                    return Withdrawal(at, peer, family, key)
        return None
