"""When links and ways of the underlay last changed: what a trace says to "since when". Bounded.

The tables hold what is, not since when; these two are what the kernel most often takes away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST: Final = 4096
"""Names of containers' interfaces come and go for ever; the longest unchanged ones are forgotten."""


class Sightings:
    __slots__ = ("_links", "_ways")

    def __init__(self) -> None:
        self._links: dict[str, tuple[bool, float]] = {}
        self._ways: dict[bytes, float] = {}

    def links(self, changes: Iterable[tuple[str, bool]], now: float) -> None:
        """(name, present)"""
        for name, present in changes:
            known = self._links.pop(name, None)
            self._links[name] = known if known is not None and known[0] == present else (present, now)
        while len(self._links) > MOST:
            del self._links[next(iter(self._links))]

    def ways(self, addresses: Iterable[bytes], now: float) -> None:
        for address in addresses:
            self._ways.pop(address, None)
            self._ways[address] = now
        while len(self._ways) > MOST:
            del self._ways[next(iter(self._ways))]

    def link_gone(self, name: str) -> float | None:
        """When it went; None: it is there, or never was."""
        present, at = self._links.get(name, (True, 0.0))
        return None if present else at

    def way_changed(self, address: bytes) -> float | None:
        return self._ways.get(address)
