"""Paths are shared: one object for all routes that have the same source, attributes and payload.

A `Block` is one distinct attribute block (with its next hop) from one source in one family, decoded once, with all
that follows from it: the sort key of the best path selection, its route targets, who is to hear of it, the bytes
towards other peers. A `Path` is a block plus a payload (the part of the NLRI that is no key: ESI and labels). A
route costs an entry in the table and one in `Path.keys`, no object of its own; the keys let a lost peer, a
membership or an import that changes touch its routes without a walk over the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.attr.pmsi import Pmsi

if TYPE_CHECKING:
    from hornpipe.rib.audience import Audience
    from hornpipe.rib.best import SortKey
    from hornpipe.rib.source import Source


class Block:
    """One attribute block of one source and family. `attributes` is None where the block was not accepted."""

    __slots__ = (
        "attributes",
        "audience",
        "family",
        "fault",
        "neighbour_as",
        "next_hop",
        "out_external",
        "out_internal",
        "paths",
        "predecessor",
        "raw",
        "rejected",
        "says",
        "scope",
        "sort_key",
        "source",
        "stale",
        "targets",
    )

    def __init__(self, source: Source, family: int, next_hop: bytes, raw: bytes) -> None:
        self.source = source
        self.family = family
        self.next_hop = next_hop
        """That of MP_REACH_NLRI, or of NEXT_HOP for plain IPv4 routes."""
        self.raw = raw
        self.attributes: Attributes | None = None
        self.rejected = ""
        """Why routes with this block are not accepted; they count as withdrawn then."""
        self.fault = ""
        """What RFC 7606 had to react to in it."""
        self.targets: tuple[bytes, ...] = ()
        """What RT-Constraint and imports match: route targets, and the ES-Import RT of E-VPN type 4."""
        self.scope = 0
        """How far well-known communities let it go, see `export.scope_of`."""
        self.neighbour_as = 0
        self.sort_key: SortKey = ()
        self.says: tuple[bytes, tuple[bytes, ...], Pmsi | None] = (b"", (), None)
        """All that forwarding of a MAC depends on: next hop, extended communities, PMSI tunnel."""
        self.stale = False
        """Kept from a session that is over (RFC 4724)."""
        self.paths: dict[bytes, Path] = {}
        self.audience: Audience | None = None
        self.predecessor: Block | None = None
        """The same bytes in a former session, while its paths are kept stale."""
        self.out_internal: bytes | None = None
        self.out_external: bytes | None = None
        """Attributes towards other peers, see `export.outgoing`."""


class Path:
    """What a route key points at. Compared by identity."""

    __slots__ = ("attributes", "block", "keys", "payload", "sort_key", "source", "stale", "twin", "value")

    def __init__(self, block: Block, attributes: Attributes, payload: bytes) -> None:
        self.block = block
        self.source: Source = block.source
        self.attributes = attributes
        self.payload = payload
        self.sort_key = block.sort_key
        self.keys: dict[bytes, bytes] = {}
        """The routes that use this path, as a set (a dict needs half a set's memory) that also gives the one bytes
        object of a key that all tables share."""
        self.stale = block.stale
        self.value: object = None
        """Free for the vpn layer: the forwarding value made from this path. A path that replaces its stale twin takes
        the value over."""
        self.twin: Path | None = None
        """The stale path with the same bytes of the former session, if it is still there."""

    @property
    def next_hop(self) -> bytes:
        return self.block.next_hop

    @property
    def targets(self) -> tuple[bytes, ...]:
        return self.block.targets

    def __repr__(self) -> str:
        return f"Path({self.source.name}, {self.payload.hex()}, {len(self.keys)} keys{', stale' if self.stale else ''})"
