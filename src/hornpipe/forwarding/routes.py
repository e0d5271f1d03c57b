"""Where the keys of ``route`` tables are: on which nexthop they are written, and for which they wait.

A route stays on its former nexthop until the kernel has taken the new one; only then that one loses a user. A route
whose new nexthop cannot be written waits, and what is in the kernel meanwhile stays.

Several tables may be about the main table (device ""): the host's own instances and the underlay. What two of them want
is the first one's, in the order of their instances' names; the other waits until it is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hornpipe.forwarding.batch import Batch, Chunk
from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.nexthop_state import NexthopState
from hornpipe.forwarding.nexthops import Nexthops

Peers = Callable[[TableState], Sequence[TableState]]
"""The tables in use that are about the same table of the kernel, in their order."""

_NOT_FOUND = -1


class Routes:
    def __init__(self, nexthops: Nexthops, peers: Peers) -> None:
        self._nexthops = nexthops
        self._peers = peers
        self._doubtful: dict[NexthopState, None] = {}
        """Nexthops that routes could not be written with."""

    # ---- adds

    def place(self, chunk: Chunk, adds: dict[bytes, Any], batch: Batch) -> None:
        """Fills the chunk with what can be written. Hot: called for each route."""
        state = chunk.state
        peers = self._peers(state)
        if len(peers) > 1:
            adds = self._first_come(state, peers, adds, chunk, batch.taken)
        ways, scanned, chunk_adds = state.ways, state.scanned, chunk.adds
        usable4: dict[int, NexthopState] = {}  # by the identity of hops, which costs no hash of all that is in them
        usable6: dict[int, NexthopState] = {}
        for key, hops in adds.items():
            usable = usable4 if len(key) == 5 else usable6
            way = usable.get(id(hops))
            if way is None:
                way = self._nexthops.get(4 if usable is usable4 else 6, hops)
                if not self._nexthops.usable(way, batch):
                    self._await(state, key, way)
                    continue
                usable[id(hops)] = way
            old = ways.get(key)
            ways[key] = way
            way.users += 1
            if old is not None:  # the same one, if the route is only written again: it may be there all the same
                self._before(chunk, key, old)
            if state.awaiting:
                self._stop_waiting(state, key)
            found = scanned.pop(key, _NOT_FOUND) if scanned else _NOT_FOUND
            if found == way.number:
                state.errors.pop(key, None)
                continue
            chunk_adds[key] = way.number
            if old is None and found != _NOT_FOUND:
                self._found_on(chunk, key, found)

    def _first_come(
        self, state: TableState, peers: Sequence[TableState], adds: dict[bytes, Any], chunk: Chunk, now: float
    ) -> dict[bytes, Any]:
        """Those that no table before this one wants; those after it give way."""
        rank = peers.index(state)
        ours: dict[bytes, Any] = {}
        for key, hops in adds.items():
            first = next((peer for peer in peers[:rank] if peer.table.wanted(key) is not None), None)
            if first is not None:
                self._stop_waiting(state, key)
                state.wait(key, "", f"instance {first.instance} has a route for the same prefix", now)
                continue
            state.waiting.pop(key, None)
            ours[key] = hops
            for peer in peers[rank + 1 :]:
                way = peer.ways.pop(key, None)
                if way is not None:
                    self._before(chunk, key, way)
                    peer.touch(key)
        return ours

    def _before(self, chunk: Chunk, key: bytes, way: NexthopState) -> None:
        """It is used until this chunk is done."""
        if key in chunk.before:
            self._nexthops.release(way)
        else:
            chunk.before[key] = way

    def _found_on(self, chunk: Chunk, key: bytes, number: int | None) -> None:
        """It is in the kernel already, with a nexthop that may be another route's by now."""
        way = self._nexthops.numbered(number) if number is not None else None
        if way is not None:
            way.users += 1
            self._before(chunk, key, way)

    def _await(self, state: TableState, key: bytes, way: NexthopState) -> None:
        way.lost = True
        self._nexthops.missed(way)
        if state.awaiting.get(key) is not way:
            self._stop_waiting(state, key)
            state.awaiting[key] = way
            way.users += 1

    def _stop_waiting(self, state: TableState, key: bytes) -> None:
        way = state.awaiting.pop(key, None)
        if way is not None:
            self._nexthops.release(way)

    def rewrite(self, states: Iterable[TableState]) -> None:
        """Makes dirty what uses nexthops that were lost and are there again."""
        back, self._nexthops.back = self._nexthops.back, {}
        for state in states:
            for table in (state.ways, state.awaiting):
                state.touch_keys({key: None for key, way in table.items() if way in back})
            state.touch_keys(dict.fromkeys(state.errors))

    # ---- deletes

    def unplace(self, chunk: Chunk, keys: Iterable[bytes]) -> None:
        """Fills the chunk with what is to go, unless it becomes another table's."""
        state = chunk.state
        heirs = [peer for peer in self._peers(state) if peer is not state]
        for key in keys:
            way = state.ways.pop(key, None)
            self._stop_waiting(state, key)
            state.waiting.pop(key, None)
            there = state.scanned is not None and state.scanned.pop(key, _NOT_FOUND) != _NOT_FOUND
            there = state.errors.pop(key, None) is not None or there or way is not None
            heir = next((heir for heir in heirs if heir.table.wanted(key) is not None), None) if heirs else None
            if heir is not None:
                heir.touch(key)
                if way is not None:
                    self._release_or_keep(heir, key, way)
            elif there:
                chunk.deletes[key] = 0
                if way is not None:
                    chunk.before[key] = way

    def _release_or_keep(self, state: TableState, key: bytes, way: NexthopState) -> None:
        if key in state.ways:
            self._nexthops.release(way)
        else:
            state.ways[key] = way

    def give_up(self, state: TableState) -> None:
        """The table is dropped: nothing of it waits any longer."""
        for way in state.awaiting.values():
            self._nexthops.release(way)
        state.awaiting.clear()

    # ---- what became of it

    def report(self, chunk: Chunk, failed: Iterable[bytes] = (), later: Sequence[Chunk] = ()) -> None:
        """What failed is still where it was; what succeeded no longer needs its former nexthop.

        `later` are the table's chunks that are still on their way.
        """
        ways = chunk.state.ways
        for key in failed:
            old = chunk.before.pop(key, None)
            number = chunk.adds.get(key)
            way = self._nexthops.numbered(number) if number is not None else None
            if way is not None:
                self._doubtful[way] = None
            successor = next((one for one in later if key in one.adds or key in one.deletes), None)
            if successor is not None:
                self._pass_on(successor, key, old)
                continue
            if way is not None and ways.get(key) is way:
                del ways[key]
                self._nexthops.release(way)
            if old is not None:
                self._release_or_keep(chunk.state, key, old)
        for way in chunk.before.values():
            self._nexthops.release(way)
        chunk.before = {}

    def _pass_on(self, chunk: Chunk, key: bytes, old: NexthopState | None) -> None:
        """What the chunk finds in the kernel is not what was to be written before it."""
        if old is not None:
            never = chunk.before.pop(key, None)
            if never is not None:
                self._nexthops.release(never)
            chunk.before[key] = old

    def retry(self) -> None:
        doubtful, self._doubtful = self._doubtful, {}
        self._nexthops.retry(doubtful)
