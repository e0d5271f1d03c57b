"""What goes to a driver and comes back: batches, results, the scan at start."""

from __future__ import annotations

from typing import Any

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.entry import Entry, EntryKey, InterfaceAddress
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.table import BulkKind


class Chunk:
    """Bulk work on one table, all on one device: adds (or replaces) first, deletes later."""

    __slots__ = ("adds", "deletes", "evict", "index", "state")

    def __init__(self, state: TableState, index: int) -> None:
        self.state = state
        self.index = index
        """The device's ifindex; 0 for ``local``, where every key has its own."""
        self.adds: dict[bytes, Any] = {}
        """key -> value; for ``local`` the value is the port's ifindex."""
        self.deletes: dict[bytes, int] = {}
        """key -> ifindex of the port (``local``) or 0."""
        self.evict: dict[bytes, int] = {}
        """MAC -> port: permanent bridge entries that somebody put in the place of ours; they go before the adds."""

    @property
    def kind(self) -> BulkKind:
        return self.state.kind


class Batch:
    """In the order of execution: `puts`, the adds of all chunks, the deletes of all chunks, the rest."""

    __slots__ = ("chunks", "learn", "number", "puts", "removals", "strays")

    def __init__(self, number: int) -> None:
        self.number = number
        self.puts: list[Entry] = []
        self.chunks: list[Chunk] = []
        self.removals: list[Entry] = []
        self.strays: list[Link] = []
        """Links marked ours that nobody wants: found at start, removed when the gates are open."""
        self.learn: list[str] = []
        """Bridges whose learnt MACs are to be read, after all else."""

    @property
    def is_empty(self) -> bool:
        return not (self.puts or self.chunks or self.removals or self.strays or self.learn)

    @property
    def adds(self) -> int:
        return sum(len(chunk.adds) for chunk in self.chunks)

    @property
    def deletes(self) -> int:
        return sum(len(chunk.deletes) for chunk in self.chunks)


class Results:
    """What became of a batch. What is not named in `entries` or `errors` succeeded."""

    __slots__ = ("addresses", "entries", "errors", "gone", "learnt", "links")

    def __init__(self) -> None:
        self.links: list[Link] = []
        """Links as they are after the batch: made or changed by it."""
        self.gone: list[int] = []
        """Indexes of links that the batch removed."""
        self.addresses: list[tuple[int, InterfaceAddress, bool]] = []
        """(link, address, present) that the batch changed."""
        self.entries: dict[EntryKey, str] = {}
        """Rare entries that failed, with the kernel's words."""
        self.errors: list[tuple[int, bytes, str]] = []
        """(number of the chunk, key, reason)"""
        self.learnt: list[tuple[str, str, bytes]] = []
        """(bridge, port, MAC) already known to the kernel on a port or bridge whose MACs we are to learn."""


class Scan:
    """The kernel as found at start, what is marked ours and what was learnt."""

    __slots__ = ("addresses", "learnt", "links", "permanent", "tables")

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.addresses: list[tuple[int, InterfaceAddress]] = []
        self.tables: dict[tuple[BulkKind, str], dict[bytes, Any]] = {}
        """(kind, device) -> key -> value; a value of None: it is there but not as we would write it."""
        self.permanent: list[tuple[str, int, bytes]] = []
        """(bridge, ifindex of the port, MAC) of bridge entries that are permanent, the ports' own among them."""
        self.learnt: list[tuple[str, str, bytes]] = []
