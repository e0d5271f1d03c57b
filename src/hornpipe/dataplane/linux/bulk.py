"""Bulk chunks: packed in the loop, written and judged in the kernel thread."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any, NamedTuple

from hornpipe.dataplane.linux.mirror import nexthop_payload
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Batch, Chunk, Results
from hornpipe.forwarding.table import ROUTE_METRIC, BulkKind
from hornpipe.netlink import mpls, neigh, nexthop, route
from hornpipe.netlink.failure import reason
from hornpipe.netlink.number import NTF_SELF

_ADDS: dict[BulkKind, Callable[[int, Any, int], list[bytes]]] = {
    "fdb": neigh.fdb_adds,
    "flood": neigh.flood_adds,
    "neigh": neigh.neigh_adds,
    "local": lambda _, adds, sequence: neigh.local_adds(adds, sequence),
    "route": lambda table, adds, sequence: route.route_adds(table, ROUTE_METRIC, adds, sequence),
    "mpls": lambda _, adds, sequence: mpls.label_adds(adds, sequence),
}
_DELETES: dict[BulkKind, Callable[[int, Any, int], list[bytes]]] = {
    "fdb": neigh.fdb_deletes,
    "flood": neigh.flood_deletes,
    "neigh": neigh.neigh_deletes,
    "local": lambda _, keys, sequence: neigh.local_deletes(keys, sequence),
    "route": lambda table, keys, sequence: route.route_deletes(table, ROUTE_METRIC, keys, sequence),
    "mpls": lambda _, keys, sequence: mpls.label_deletes(keys, sequence),
}
_DONE_ALREADY = frozenset((errno.EEXIST,))
_GONE_ALREADY = frozenset((errno.ENOENT, errno.ENODEV, errno.ESRCH))


class _Run(NamedTuple):
    """Messages in a row that are about one chunk, or (None) about nexthops."""

    start: int
    number: int
    chunk: Chunk | None
    deletes: bool
    keys: Collection[Any]


class PackedChunks:
    """The bulk part of a batch as messages, with what is needed to know which entry a refusal is about."""

    __slots__ = ("_evict", "_evicted", "_first", "_packed", "_runs")

    def __init__(self, batch: Batch, first: int) -> None:
        self._first = first
        self._packed: list[bytes] = []
        self._runs: list[_Run] = []
        self._evict: list[bytes] = []
        self._evicted: list[tuple[int, bytes]] = []
        """(number of the chunk, MAC) of each."""
        for number, chunk in enumerate(batch.chunks):
            self._evict += neigh.local_deletes(chunk.evict, 1 + len(self._evict))
            self._evicted += [(number, mac) for mac in chunk.evict]
        routes = next((at for at, chunk in enumerate(batch.chunks) if chunk.kind == "route"), len(batch.chunks))
        for number, chunk in enumerate(batch.chunks):
            if number == routes:
                self._nexthops(batch)
            if chunk.adds:
                packed = _ADDS[chunk.kind](chunk.index, chunk.adds, self._sequence())
                self._add(number, chunk, False, chunk.adds, packed)
        if routes == len(batch.chunks):
            self._nexthops(batch)
        for number, chunk in enumerate(batch.chunks):
            if chunk.deletes:
                packed = _DELETES[chunk.kind](chunk.index, chunk.deletes, self._sequence())
                self._add(number, chunk, True, chunk.deletes, packed)
        if batch.nexthop_deletes:
            packed = nexthop.nexthop_deletes(batch.nexthop_deletes, self._sequence())
            self._add(0, None, True, batch.nexthop_deletes, packed)

    def _nexthops(self, batch: Batch) -> None:
        if batch.nexthops:
            payloads = [nexthop_payload(number, content) for number, content in batch.nexthops.items()]
            self._add(0, None, False, batch.nexthops, nexthop.nexthop_adds(payloads, self._sequence()))

    def _sequence(self) -> int:
        return self._first + len(self._packed)

    def _add(self, number: int, chunk: Chunk | None, deletes: bool, keys: Collection[Any], packed: list[bytes]) -> None:
        self._runs.append(_Run(len(self._packed), number, chunk, deletes, keys))
        self._packed += packed

    def __len__(self) -> int:
        return len(self._packed)

    def execute(self, sock: RouteSocket, results: Results) -> None:
        """ENOENT on delete and EEXIST on add are success: what was asked for is the case."""
        for position, code, words in sock.bulk(self._evict, 1):
            if code not in _GONE_ALREADY:
                results.errors.append((*self._evicted[position], reason(code, words)))
        refused = sock.bulk(self._packed, self._first)
        again: dict[int, tuple[Chunk, list[bytes]]] = {}
        for position, code, words in refused:
            run = next(run for run in reversed(self._runs) if run.start <= position)
            key = next(islice(run.keys, position - run.start, None))
            chunk = run.chunk
            if run.deletes and chunk is not None and chunk.kind == "fdb" and code == errno.ENOENT:
                again.setdefault(run.number, (chunk, []))[1].append(key)
            elif code not in (_GONE_ALREADY if run.deletes else _DONE_ALREADY):
                if chunk is None:
                    results.nexthops[key] = reason(code, words)
                else:
                    results.errors.append((run.number, key, reason(code, words)))
        for number, (chunk, keys) in again.items():
            self._delete_self(sock, number, chunk, keys, results)

    def _delete_self(self, sock: RouteSocket, number: int, chunk: Chunk, keys: list[bytes], results: Results) -> None:
        """The bridge's entry has gone before or is another port's now; the device's, which has its turn only after
        success with the bridge's, may still be there."""
        packed = neigh.fdb_deletes(chunk.index, dict.fromkeys(keys, 0), self._first, NTF_SELF)
        for position, code, words in sock.bulk(packed, self._first):
            if code not in _GONE_ALREADY:
                results.errors.append((number, keys[position], reason(code, words)))
