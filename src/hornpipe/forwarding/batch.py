"""What goes to a driver and comes back: batches, results, the scan at start.

A driver executes a batch in this order: `puts`, but for rules; the adds of all chunks, but `nexthops` before the first
chunk of kind ``route`` (or after all adds, if there is none); the deletes of all chunks; `nexthop_deletes`; the rules
of `puts`; `removals`, `strays`, `learn`. The waist sorts each list so that what is used comes before its users, and
goes after them.
"""

from __future__ import annotations

from typing import Any

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.entry import Entry, EntryKey, InterfaceAddress
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import Nexthop
from hornpipe.forwarding.nexthop_state import NexthopState
from hornpipe.forwarding.rule import FibRule
from hornpipe.forwarding.table import BulkKind


class Chunk:
    """Bulk work on one table, all on one device: adds (or replaces) first, deletes later.

    kind ``route``: `index` is the routing table's number. `adds`: `route_key` -> number of the nexthop, or
    `UNREACHABLE` (0). A route of ours has our protocol and `ROUTE_METRIC`; an add replaces the route of the same prefix
    and metric in one message. `deletes`: `route_key` -> 0; prefix, metric and our protocol say which.

    kind ``mpls``: `index` is 0. `adds`: label (4 bytes, BE) -> (ifindex, gateway or empty). The label is popped, and
    the packet goes to the device (a VRF: to be looked up there) or by way of the gateway on it. `deletes`: label -> 0.
    """

    __slots__ = ("adds", "before", "deletes", "evict", "index", "state")

    def __init__(self, state: TableState, index: int) -> None:
        self.state = state
        self.index = index
        """The device's ifindex; for ``local`` every key has its own; a table's number for ``route``."""
        self.adds: dict[bytes, Any] = {}
        """key -> value; for ``local`` the value is the port's ifindex, for ``route`` the nexthop's number."""
        self.deletes: dict[bytes, int] = {}
        """key -> ifindex of the port (``local``) or 0."""
        self.evict: dict[bytes, int] = {}
        """MAC -> port: permanent bridge entries that somebody put in the place of ours; they go before the adds."""

        self.before: dict[bytes, NexthopState] = {}
        """``route``: what a changed or deleted key was written with before; the driver has no use for it."""

    @property
    def kind(self) -> BulkKind:
        return self.state.kind


class Batch:
    """What a driver executes at once; see above for the order."""

    __slots__ = (
        "changes",
        "chunks",
        "learn",
        "nexthop_deletes",
        "nexthops",
        "number",
        "puts",
        "removals",
        "strays",
        "taken",
    )

    def __init__(self, number: int, changes: int = 0, taken: float = 0.0) -> None:
        self.number = number
        self.taken = taken
        """When."""
        self.changes = changes
        """Changes to links and nexthops that were known when it was taken."""
        self.puts: list[Entry] = []
        self.nexthops: dict[int, Nexthop] = {}
        """number -> what it is to be: made, or replaced in place. Singles come before the groups that they are in."""
        self.chunks: list[Chunk] = []
        self.nexthop_deletes: list[int] = []
        """Groups come before their members. No route uses them any longer. Gone already is success."""
        self.removals: list[Entry] = []
        self.strays: list[Link] = []
        """Links marked ours that nobody wants: found at start, removed when the gates are open. A port that somebody
        else made only loses its master, the addresses that stand alone (/32, /128), the permanent neighbours on it and,
        last, our mark."""
        self.learn: list[str] = []
        """Bridges whose learnt MACs are to be read, after all else."""

    @property
    def is_empty(self) -> bool:
        return not (
            self.puts
            or self.nexthops
            or self.chunks
            or self.nexthop_deletes
            or self.removals
            or self.strays
            or self.learn
        )

    def has(self, state: TableState, key: bytes) -> bool:
        """Something is to be done about the key."""
        return any(chunk.state is state and (key in chunk.adds or key in chunk.deletes) for chunk in self.chunks)

    @property
    def size(self) -> int:
        """In single things to do."""
        rare = len(self.puts) + len(self.removals) + len(self.strays) + len(self.learn)
        return rare + len(self.nexthops) + len(self.nexthop_deletes) + self.adds + self.deletes

    @property
    def adds(self) -> int:
        return sum(len(chunk.adds) for chunk in self.chunks)

    @property
    def deletes(self) -> int:
        return sum(len(chunk.deletes) for chunk in self.chunks)


class Results:
    """What became of a batch. What is not named in `entries`, `nexthops` or `errors` succeeded."""

    __slots__ = (
        "addresses",
        "closed",
        "entries",
        "errors",
        "gone",
        "learnt",
        "links",
        "mpls_input",
        "nexthops",
        "rules",
    )

    def __init__(self) -> None:
        self.links: list[Link] = []
        """Links as they are after the batch: made or changed by it."""
        self.gone: list[int] = []
        """Indexes of links that the batch removed."""
        self.addresses: list[tuple[int, InterfaceAddress, bool]] = []
        """(link, address, present) that the batch changed."""
        self.entries: dict[EntryKey, str] = {}
        """Rare entries that failed, with the kernel's words; `stray_key` and `learn_key` name the other things."""
        self.nexthops: dict[int, str] = {}
        """Nexthops that could not be put or deleted, with the kernel's words."""
        self.mpls_input: list[tuple[int, bool]] = []
        """(link, labelled packets are taken) that the batch changed, or found when it looked."""
        self.closed: list[tuple[int, bool]] = []
        """(link, nothing comes in) that the batch changed, or found when it looked."""
        self.rules: list[tuple[FibRule, bool]] = []
        """(rule, present) that the batch changed, or found when it looked."""
        self.errors: list[tuple[int, bytes, str]] = []
        """(number of the chunk, key, reason)"""
        self.learnt: list[tuple[str, str, bytes]] = []
        """(bridge, port, MAC) already known to the kernel on a port or bridge whose MACs we are to learn."""

    @property
    def refused(self) -> int:
        """How many things failed."""
        return len(self.entries) + len(self.nexthops) + len(self.errors)


def stray_key(link: Link) -> EntryKey:
    """In `Results.entries`."""
    return "stray", link.name


def learn_key(bridge: str) -> EntryKey:
    return "learn", bridge


class Scan:
    """The kernel as found at start, what is marked ours and what was learnt."""

    __slots__ = (
        "addresses",
        "closed",
        "learnt",
        "links",
        "mpls_input",
        "nexthops",
        "permanent",
        "routes",
        "rules",
        "tables",
    )

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.addresses: list[tuple[int, InterfaceAddress]] = []
        self.tables: dict[tuple[BulkKind, str], dict[bytes, Any]] = {}
        """(kind, device) -> key -> value; a value of None: it is there but not as we would write it.

        For ``mpls`` the device is "" and the value a `LabelValue`: (device's name, gateway). Routes are in `routes`."""
        self.routes: dict[int, dict[bytes, int | None]] = {}
        """Routing table -> `route_key` -> number of the nexthop (`UNREACHABLE`: of type unreachable; None: not as we
        would write it). Of all tables, also without a VRF: the routes with our protocol and `ROUTE_METRIC`."""
        self.nexthops: dict[int, Nexthop | None] = {}
        """Those with our protocol. None: somebody else's in our range of numbers, or not as we would write it."""
        self.rules: list[FibRule] = []
        """Ours."""
        self.mpls_input: list[int] = []
        """Links that take labelled packets."""
        self.closed: list[int] = []
        """Links by which nothing comes in."""
        self.permanent: list[tuple[str, int, bytes]] = []
        """(bridge, ifindex of the port, MAC) of bridge entries that are permanent, the ports' own among them."""
        self.learnt: list[tuple[str, str, bytes]] = []
