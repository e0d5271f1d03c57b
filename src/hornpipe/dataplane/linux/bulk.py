"""Bulk chunks: packed in the loop, written and judged in the kernel thread."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Batch, Chunk, Results
from hornpipe.forwarding.table import BulkKind
from hornpipe.netlink import neigh
from hornpipe.netlink.failure import reason
from hornpipe.netlink.number import NTF_SELF

_ADDS: dict[BulkKind, Callable[[int, Any, int], list[bytes]]] = {
    "fdb": neigh.fdb_adds,
    "flood": neigh.flood_adds,
    "neigh": neigh.neigh_adds,
    "local": lambda _, adds, sequence: neigh.local_adds(adds, sequence),
}
_DELETES: dict[BulkKind, Callable[[int, Any, int], list[bytes]]] = {
    "fdb": neigh.fdb_deletes,
    "flood": neigh.flood_deletes,
    "neigh": neigh.neigh_deletes,
    "local": lambda _, keys, sequence: neigh.local_deletes(keys, sequence),
}
_DONE_ALREADY = frozenset((errno.EEXIST,))
_GONE_ALREADY = frozenset((errno.ENOENT, errno.ENODEV))


class PackedChunks:
    """The bulk part of a batch as messages, with what is needed to know which entry a refusal is about."""

    __slots__ = ("_evict", "_first", "_owners", "_packed")

    def __init__(self, batch: Batch, first: int) -> None:
        self._first = first
        self._packed: list[bytes] = []
        self._owners: list[tuple[int, int, Chunk, bool]] = []
        """(position of the first message, number of the chunk, chunk, deletes)"""
        self._evict: list[bytes] = []
        for chunk in batch.chunks:
            self._evict += neigh.local_deletes(chunk.evict, 1 + len(self._evict))
        for number, chunk in enumerate(batch.chunks):
            if chunk.adds:
                self._add(number, chunk, False, _ADDS[chunk.kind](chunk.index, chunk.adds, self._sequence()))
        for number, chunk in enumerate(batch.chunks):
            if chunk.deletes:
                self._add(number, chunk, True, _DELETES[chunk.kind](chunk.index, chunk.deletes, self._sequence()))

    def _sequence(self) -> int:
        return self._first + len(self._packed)

    def _add(self, number: int, chunk: Chunk, deletes: bool, packed: list[bytes]) -> None:
        self._owners.append((len(self._packed), number, chunk, deletes))
        self._packed += packed

    def __len__(self) -> int:
        return len(self._packed)

    def execute(self, sock: RouteSocket, results: Results) -> None:
        """ENOENT on delete and EEXIST on add are success: what was asked for is the case."""
        if self._evict:
            sock.bulk(self._evict, 1)  # what is refused is no longer there
        refused = sock.bulk(self._packed, self._first)
        again: dict[int, list[bytes]] = {}
        for position, code, words in refused:
            start, number, chunk, deletes = next(owner for owner in reversed(self._owners) if owner[0] <= position)
            key = _nth(chunk, deletes, position - start)
            if deletes and chunk.kind == "fdb" and code == errno.ENOENT:
                again.setdefault(number, []).append(key)
            elif code not in (_GONE_ALREADY if deletes else _DONE_ALREADY):
                results.errors.append((number, key, reason(code, words)))
        for number, keys in again.items():
            self._delete_self(sock, number, keys, results)

    def _delete_self(self, sock: RouteSocket, number: int, keys: list[bytes], results: Results) -> None:
        """The bridge's entry has gone before or is another port's now; the device's, which has its turn only after
        success with the bridge's, may still be there."""
        chunk = next(chunk for _, owner, chunk, _ in self._owners if owner == number)
        packed = neigh.fdb_deletes(chunk.index, dict.fromkeys(keys, 0), self._first, NTF_SELF)
        for position, code, words in sock.bulk(packed, self._first):
            if code not in _GONE_ALREADY:
                results.errors.append((number, keys[position], reason(code, words)))


def _nth(chunk: Chunk, deletes: bool, position: int) -> bytes:
    keys = chunk.deletes if deletes else chunk.adds
    for at, key in enumerate(keys):
        if at == position:
            return key
    raise IndexError(position)
