"""A VPN instance as the RIB sees it: the route targets it imports, and the keys whose best path changed for it."""

from __future__ import annotations


class Importer:
    """One (instance, family). `dirty` is a set of keys, not a queue: a key that changes twice is looked at once."""

    __slots__ = ("dirty", "family", "id", "targets")

    def __init__(self, id: int, family: int) -> None:
        self.id = id
        self.family = family
        self.targets: frozenset[bytes] = frozenset()
        self.dirty: dict[bytes, None] = {}
