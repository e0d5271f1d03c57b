"""A VPN instance as the RIB sees it: the route targets it imports, and the keys whose best path changed for it."""

from __future__ import annotations

from typing import Final

EVERYTHING: Final[frozenset[bytes]] = frozenset((b"",))
"""Instead of route targets: all routes of a family that has none (unicast)."""


class Importer:
    """One (instance, family). `dirty` is a set of keys, not a queue: a key that changes twice is looked at once."""

    __slots__ = ("dirty", "family", "id", "multipath", "targets")

    def __init__(self, id: int, family: int, multipath: bool = False) -> None:
        self.id = id
        self.family = family
        self.multipath = multipath
        """It wants to know when the set of equal paths changes, too (`Rib.equal`)."""
        self.targets: frozenset[bytes] = frozenset()
        self.dirty: dict[bytes, None] = {}
