"""Adj-RIB-In of one source and family: its attribute blocks, interned by their bytes.

When a session ends and its paths are kept (RFC 4724), the blocks move aside as they are and the next session starts
with an empty cache. What is announced again moves, route by route, to new paths; what is still on the old ones at
End-of-RIB is what the peer did not announce again. No route carries a mark, and nothing is walked but the blocks.

RFC 4724 section 4.2 wants paths that are already stale deleted when the next session ends too. They are kept here,
until the time that was set for them (a new session extends it once): a reflector that comes up and falls again must
not take down forwarding that is still right, and the time bounds it as the rule intends.
"""

from __future__ import annotations

from collections.abc import Iterator

from hornpipe.rib.best import staled
from hornpipe.rib.path import Block
from hornpipe.rib.source import Source
from hornpipe.rib.table import Table

IDLE = 256
"""Blocks without routes that stay interned: decoding one costs more than keeping it, and withdrawn routes come back."""


class Kept:
    """What is left of a former session."""

    __slots__ = ("blocks", "extended", "until")

    def __init__(self, blocks: dict[tuple[bytes, bytes], Block], until: float) -> None:
        self.blocks = blocks
        self.until = until
        self.extended = False
        """A new session has been given its time to say things again; the next one gets no more."""


class Intake:
    __slots__ = ("blocks", "end_of_rib", "idle", "kept", "source", "table")

    def __init__(self, source: Source, table: Table) -> None:
        self.source = source
        self.table = table
        self.blocks: dict[tuple[bytes, bytes], Block] = {}
        """(next hop of MP_REACH_NLRI, attribute bytes) -> block, of the present session."""
        self.kept: list[Kept] = []
        self.idle = 0
        self.end_of_rib = False
        """End-of-RIB was received in this session."""

    def enter(self, key: tuple[bytes, bytes], block: Block) -> None:
        """Intern a new block and find the one it follows, if the selection would treat them alike."""
        self.blocks[key] = block
        for kept in self.kept:
            former = kept.blocks.get(key)
            if former is not None and former.paths and former.sort_key[1:] == block.sort_key[1:]:
                block.predecessor = former

    def emptied(self) -> None:
        """One more block has no routes."""
        self.idle += 1
        if self.idle > IDLE and self.idle > len(self.blocks) // 2:
            self.blocks = {key: block for key, block in self.blocks.items() if block.paths}
            self.idle = 0

    def keep(self, until: float) -> None:
        """The session is over; its paths stay, stale, until then or until the next session's End-of-RIB."""
        blocks = {key: block for key, block in self.blocks.items() if block.paths}
        self.blocks = {}
        self.idle = 0
        if not blocks:
            return
        self.kept.append(Kept(blocks, until))
        for block in blocks.values():
            block.sort_key = staled(block.sort_key)
            for path in list(block.paths.values()):
                path.stale = True
                path.sort_key = block.sort_key
        for block in blocks.values():
            for path in list(block.paths.values()):
                self.table.rerank(path)

    def extend(self, until: float) -> None:
        """A new session began: what is kept may stay until then. Only once, or a peer that flaps keeps it for ever."""
        for kept in self.kept:
            if not kept.extended:
                kept.extended = True
                kept.until = max(kept.until, until)

    def drop(self) -> None:
        """Forget every path."""
        blocks, self.blocks = self.blocks, {}
        self.idle = 0
        self._forget(blocks)
        self.sweep()

    def sweep(self, now: float | None = None) -> None:
        """Forget what is kept: all of it, or what was kept until `now`."""
        over = [kept for kept in self.kept if now is None or kept.until <= now]
        self.kept = [kept for kept in self.kept if kept not in over]
        for kept in over:
            self._forget(kept.blocks)
        if not self.kept:
            for block in self.blocks.values():
                block.predecessor = None
                for path in block.paths.values():
                    path.twin = None

    def _forget(self, blocks: dict[tuple[bytes, bytes], Block]) -> None:
        for block in blocks.values():
            for path in list(block.paths.values()):
                self.table.forget(self.source, list(path.keys))

    def all_blocks(self) -> Iterator[Block]:
        yield from self.blocks.values()
        for kept in self.kept:
            yield from kept.blocks.values()

    def received(self) -> int:
        """Routes held, stale ones included."""
        return sum([len(path.keys) for block in self.all_blocks() for path in block.paths.values()])

    def stale(self) -> int:
        return sum(
            [len(path.keys) for kept in self.kept for block in kept.blocks.values() for path in block.paths.values()]
        )
