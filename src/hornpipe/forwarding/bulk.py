"""The reconciler's side of a bulk table: which keys are dirty, which failed.

Values are asked for when a batch is made, never stored.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from hornpipe.forwarding.nexthop_state import NexthopState
from hornpipe.forwarding.table import BulkKind, BulkTable

_NOT_WAITING = ("", "", 0.0)


class TableState:
    """Keys move from `dirty` into a batch, either at once (to be written) or by way of `deletes` (to go, later)."""

    __slots__ = (
        "active",
        "awaiting",
        "by_port",
        "deletes",
        "device",
        "dirty",
        "dropped",
        "errors",
        "held",
        "index",
        "instance",
        "kind",
        "ready",
        "reason",
        "refused",
        "scanned",
        "table",
        "unready",
        "waiting",
        "ways",
    )

    def __init__(self, table: BulkTable, active: dict[TableState, None]) -> None:
        self.table = table
        self.kind: BulkKind = table.kind
        self.device = table.device
        self.instance = table.instance
        self.active = active
        """Shared by all tables: those that have something dirty or to delete."""
        self.dirty: dict[bytes, None] = {}
        self.deletes: dict[bytes, None] = {}
        self.errors: dict[bytes, str] = {}
        self.refused: dict[bytes, float] = {}
        """When those were refused first."""
        self.scanned: dict[bytes, Any] | None = None
        """Found in the kernel at start and not looked at yet: what matches is not written again."""
        self.ready: tuple[int, ...] | None = None
        """What identifies the device as it must be (ifindex, master); when it changes, all is written again."""
        self.index = 0
        """`Chunk.index`, as last known."""
        self.reason = ""
        """Why the table cannot be written now."""
        self.unready: float | None = None
        """Since when, if that is known."""
        self.held: dict[bytes, str] = {}
        """``local`` and ``mpls``: the port each key was written on."""
        self.waiting: dict[bytes, tuple[str, str, float]] = {}
        """Keys that cannot be written yet: for which port (empty: none), why, and since when."""
        self.by_port: dict[str, set[bytes]] = {}
        """``local`` and ``mpls``: keys by the port that they are or should be on."""
        self.ways: dict[bytes, NexthopState] = {}
        """``route``: the nexthop each key was written with."""
        self.awaiting: dict[bytes, NexthopState] = {}
        """``route``: keys whose nexthop cannot be written yet."""
        self.dropped = False

    def touch(self, key: bytes) -> None:
        """The key may have changed. Hot: called once a route."""
        self.dirty[key] = None
        self.active[self] = None

    def touch_keys(self, keys: dict[bytes, None]) -> None:
        """`touch` for many at once."""
        if keys:
            self.dirty.update(keys)
            self.active[self] = None

    def touch_all(self) -> None:
        self.dirty.update(dict.fromkeys(self.table.keys()))
        if self.dirty:
            self.active[self] = None

    def take_keys(self, budget: int) -> list[bytes]:
        dirty = self.dirty
        if len(dirty) <= budget:
            self.dirty = {}
            return list(dirty)
        keys = list(islice(dirty, budget))
        for key in keys:
            del dirty[key]
        return keys

    def split(self, budget: int) -> tuple[dict[bytes, Any], int]:
        """Looks at up to `budget` dirty keys: returns those to write and how many it looked at.

        Keys to go are kept in `deletes`; keys that were found as wanted at start need nothing.
        """
        adds: dict[bytes, Any] = {}
        wanted = self.table.wanted
        deletes = self.deletes
        scanned = self.scanned
        keys = self.take_keys(budget)
        for key in keys:
            value = wanted(key)
            if value is None:
                deletes[key] = None
                continue
            if deletes:
                deletes.pop(key, None)
            if scanned and self.kind != "route":
                found = scanned.pop(key, None)
                if found is not None and self.kind in ("local", "mpls"):
                    # Also if it is to move: it may have to be deleted there.
                    self.hold(key, found if self.kind == "local" else found[0])
                if found is not None and found == value:
                    self.errors.pop(key, None)
                    continue
            adds[key] = value
        return adds, len(keys)

    def hold(self, key: bytes, port: str) -> None:
        """``local`` and ``mpls``: the key is written on this port."""
        self.release(key)
        self.held[key] = port
        self.by_port.setdefault(port, set()).add(key)

    def wait(self, key: bytes, port: str, reason: str, now: float) -> None:
        """The key is to be on a port that is not ready (empty: it waits for something else); until then it stays where
        it is held."""
        since = self.waiting[key][2] if key in self.waiting else now
        self._stop_waiting(key)
        self.waiting[key] = (port, reason, since)
        if port:
            self.by_port.setdefault(port, set()).add(key)

    def release(self, key: bytes) -> str:
        """``local`` and ``mpls``: forgets the key; returns the port that it was on."""
        self._stop_waiting(key)
        port = self.held.pop(key, "")
        self._leave(port, key)
        return port

    def _stop_waiting(self, key: bytes) -> None:
        port, _, _ = self.waiting.pop(key, _NOT_WAITING)
        if port and self.held.get(key) != port:
            self._leave(port, key)

    def _leave(self, port: str, key: bytes) -> None:
        keys = self.by_port.get(port)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self.by_port[port]

    def is_pending(self, key: bytes) -> bool:
        if key in self.dirty or key in self.deletes or key in self.waiting or key in self.awaiting:
            return True
        way = self.ways.get(key)
        return way is not None and way.written is None

    def waits_for(self, key: bytes) -> str:
        """Why the key cannot be written yet, if that is known."""
        way = self.awaiting.get(key) or self.ways.get(key)
        if way is not None and way.written is None:
            return way.reason
        return self.waiting.get(key, _NOT_WAITING)[1]

    def since(self, key: bytes, after: int) -> float | None:
        """When what keeps the key from being written began, as far as is known; or kept it, until one of the reports
        after the first `after`."""
        if self.ready is None:
            return self.unready
        way = self.awaiting.get(key) or self.ways.get(key)
        if way is not None and way.written is None:
            return way.since
        if way is not None and way.mended[1] > after:
            return way.mended[0]
        if key in self.waiting:
            return self.waiting[key][2]
        return self.refused.get(key) if key in self.errors else None

    def stranded(self) -> list[bytes]:
        """``route``: keys that went with their nexthop."""
        lost = {way for way in set(self.ways.values()) if way.written is None}
        return [key for key, way in self.ways.items() if way in lost] if lost else []

    def settle(self) -> None:
        """Leaves the set of active tables if nothing is left to do."""
        if not self.dirty and not self.deletes:
            self.active.pop(self, None)


class Leftovers:
    """A table of nothing: entries of ours found at start on a device for which nobody brought a table."""

    __slots__ = ("device", "instance", "kind")

    def __init__(self, kind: BulkKind, device: str) -> None:
        self.kind: BulkKind = kind
        self.device = device
        self.instance = ""

    def wanted(self, key: bytes) -> None:
        return None

    def keys(self) -> tuple[bytes, ...]:
        return ()

    def __len__(self) -> int:
        return 0
