"""What a namespace has inside, as a driver found it: for whoever checks an attachment from the container's side."""

from __future__ import annotations

import msgspec


class InsideLink(msgspec.Struct, frozen=True, kw_only=True):
    mac: bytes
    mtu: int
    up: bool
    addresses: frozenset[tuple[bytes, int]] = frozenset()
    """Packed, with prefix length."""
    routes: frozenset[tuple[bytes, int, bytes]] = frozenset()
    """Of the main table: packed prefix, its length, the gateway (empty: on the link)."""


Inside = dict[str, InsideLink]
"""By interface name."""
