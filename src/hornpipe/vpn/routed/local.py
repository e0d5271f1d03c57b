"""Prefixes that this host itself has in a VRF: stations, routes behind ports, subnets of bridges.

Each is contributed by a port or a broadcast domain, and several may contribute the same one: then they are equal ways.
A subnet of a bridge is *connected*: the kernel has its route from the address on the bridge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from hornpipe.forwarding.table import Hop, Hops

Contributor: TypeAlias = tuple[str, str]
"""A port, or ("", broadcast domain)."""


class Way(NamedTuple):
    hop: Hop
    connected: bool = False


class Local:
    def __init__(self) -> None:
        self.ways: dict[bytes, dict[Contributor, Way]] = {}
        """Prefix -> by contributor."""
        self._of: dict[Contributor, dict[bytes, Way]] = {}

    def set(self, contributor: Contributor, ways: Mapping[bytes, Way]) -> list[bytes]:
        """What a contributor has now; returns the prefixes that changed."""
        old = self._of.get(contributor, {})
        changed = [prefix for prefix in {**old, **ways} if old.get(prefix) != ways.get(prefix)]
        for prefix in changed:
            there = self.ways.setdefault(prefix, {})
            if prefix in ways:
                there[contributor] = ways[prefix]
            else:
                del there[contributor]
                if not there:
                    del self.ways[prefix]
        if ways:
            self._of[contributor] = dict(ways)
        else:
            self._of.pop(contributor, None)
        return changed

    def hops(self, prefix: bytes) -> Hops:
        """For another VRF of this host; empty: there are none."""
        return tuple(sorted({way.hop for way in self.ways.get(prefix, {}).values()}))

    def is_connected(self, prefix: bytes) -> bool:
        return any(way.connected for way in self.ways.get(prefix, {}).values())

    def contributors(self) -> list[Contributor]:
        return list(self._of)
