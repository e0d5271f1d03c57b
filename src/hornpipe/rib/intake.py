"""Adj-RIB-In of one source and family: its attribute blocks, interned by their bytes.

When a session ends and its paths are kept (RFC 4724), the blocks move aside as they are and the next session starts
with an empty cache. What is announced again moves, route by route, to new paths; what is still on the old ones at
End-of-RIB is what the peer did not announce again. No route carries a mark, and nothing is walked at once but the
blocks; what must touch the routes is done slice by slice (`hornpipe.rib.stale`).

RFC 4724 section 4.2 wants paths that are already stale deleted when the next session ends too. They are kept here,
until the time that was set for them (a new session extends it once): a reflector that comes up and falls again must
not take down forwarding that is still right, and the time bounds it as the rule intends.

What all this holds is estimated (`Intake.held`) from the blocks and the numbers of paths and routes, so nothing is done
for a route.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from math import inf
from typing import Final

from hornpipe.rib.best import staled
from hornpipe.rib.path import Block
from hornpipe.rib.source import Source
from hornpipe.rib.stale import Kept, ageing, forgetting, releasing, reranking
from hornpipe.rib.table import Table

IDLE = 256
"""Blocks without routes that stay interned: decoding one costs more than keeping it, and withdrawn routes come back."""

ROUTE: Final = 120
"""Bytes of a route: its key, an entry in the table and one in its path. Measured, as what follows."""
PATH: Final = 380
"""Of a path, without its routes."""
BLOCK: Final = 1200
"""Of a block, without what depends on its attributes."""
DECODED: Final = 10
"""Of every byte of attributes, decoded and encoded again; so much of communities, of most others less."""
TARGET: Final = 600
"""Of a route target, in the indexes; so much if no other block has it."""


def weight(block: Block) -> int:
    return BLOCK + DECODED * len(block.raw) + TARGET * len(block.targets)


class Intake:
    __slots__ = (
        "blocks", "chores", "count", "end_of_rib", "idle", "kept", "leaving", "paths", "size", "source", "table",
    )  # fmt: skip

    def __init__(self, source: Source, table: Table) -> None:
        self.source = source
        self.table = table
        self.blocks: dict[tuple[bytes, bytes], Block] = {}
        """(next hop of MP_REACH_NLRI, attribute bytes) -> block, of the present session."""
        self.kept: list[Kept] = []
        self.leaving: list[Collection[Block]] = []
        """What is being forgotten: views, for what is kept may still be ageing when it is dropped."""
        self.chores: deque[Iterator[int]] = deque()
        self.count = 0
        """Routes held, stale ones included."""
        self.paths = 0
        """Likewise."""
        self.size = 0
        """Bytes of `blocks`, estimated."""
        self.idle = 0
        self.end_of_rib = False
        """End-of-RIB was received in this session."""

    def enter(self, key: tuple[bytes, bytes], block: Block) -> None:
        """Intern a new block and find the one it follows, if the selection would treat them alike."""
        if len(key[1]) > self.source.attribute_limit:
            return
        self.blocks[key] = block
        self.size += weight(block)
        if block.rejected:
            self.emptied()  # it will never have routes: a peer that sends nothing else must not fill the memory
            return
        for kept in self.kept:
            former = kept.blocks.get(key)
            # A long-lived one (RFC 9494) has other bytes by now: what follows it is news.
            if former is None or not former.paths or former.raw != block.raw:
                continue
            if former.sort_key[1:] == block.sort_key[1:]:
                block.predecessor = former

    def emptied(self) -> None:
        """One more block has no routes."""
        self.idle += 1
        if self.idle > IDLE and self.idle > len(self.blocks) // 2:
            self.blocks = {key: block for key, block in self.blocks.items() if block.paths}
            self.size = sum([weight(block) for block in self.blocks.values()])
            self.idle = 0

    # ---- what is kept

    def keep(self, since: float, until: float, long_until: float, reason: str) -> None:
        """The session is over; its paths stay, stale, until then or until the next session's End-of-RIB; long-lived
        after that until `long_until`, if that is later."""
        blocks = {key: block for key, block in self.blocks.items() if block.paths}
        self.blocks = {}
        self.idle = self.size = 0
        if not blocks:
            return
        self.kept.append(Kept(blocks, since, until, long_until, reason))
        for block in blocks.values():
            block.stale = True
            block.sort_key = staled(block.sort_key)
            for path in block.paths.values():
                path.stale = True
                path.sort_key = block.sort_key
        if self.table.contended:
            self.chores.append(reranking(self.table, list(blocks.values())))

    def extend(self, until: float) -> None:
        """A new session began: what is kept may stay until then. Only once, or a peer that flaps keeps it for ever."""
        for kept in self.kept:
            if not kept.extended:
                kept.extended = True
                kept.until = max(kept.until, until)

    def drop(self) -> None:
        """Forget every path."""
        blocks, self.blocks = self.blocks, {}
        self.idle = self.size = 0
        self._forget(blocks.values())
        self.sweep()

    def sweep(self) -> None:
        """Forget what is kept."""
        for kept in self.kept:
            self._forget(kept.blocks.values())
        self._release(bool(self.kept))
        self.kept = []

    def age(self, now: float, live: bool, admit: Callable[[bytes, bytes], Block]) -> None:
        """What was kept until `now` goes, or becomes long-lived. Not while a session is up (`live`): then its time to
        say everything again is what has passed."""
        for kept in [kept for kept in self.kept if kept.until <= now]:
            if not live and not kept.long_lived and kept.long_until > now:
                kept.long_lived, kept.until = True, kept.long_until
                self.chores.append(ageing(self.table, self.source, kept, admit))
            else:
                self.kept.remove(kept)
                self._forget(kept.blocks.values())
                self._release(not self.kept)

    def _forget(self, blocks: Collection[Block]) -> None:
        if blocks:
            self.leaving.append(blocks)
            self.chores.append(forgetting(self.table, self.source, blocks))

    def _release(self, over: bool) -> None:
        if over:
            self.chores.append(releasing(self.blocks))

    @property
    def deadline(self) -> float:
        """When `age` has something to do."""
        return min([kept.until for kept in self.kept], default=inf)

    def kept_of(self, block: Block) -> Kept | None:
        """What a stale block was kept with; None if it is live, or going right now."""
        for kept in self.kept:
            if block in kept.blocks.values():
                return kept
        return None

    # ---- chores

    def work(self, budget: int) -> int:
        """Carries on with what concerns all routes of a lost session; about `budget` of them, returns how many."""
        done = 0
        while self.chores and done < budget:
            handled = next(self.chores[0], None)
            if handled is None:
                self.chores.popleft()
            else:
                done += handled + 1
        if not self.chores:
            self.leaving.clear()
        return done

    # ---- reading

    def all_blocks(self) -> Iterator[Block]:
        yield from self.blocks.values()
        for kept in self.kept:
            yield from kept.blocks.values()
        for blocks in self.leaving:
            yield from blocks

    @property
    def held(self) -> int:
        """Bytes, about: blocks of the present session, all routes."""
        return self.size + self.paths * PATH + self.count * ROUTE

    def held_stale(self) -> int:
        """How much of that belongs to former sessions."""
        paths = sum([len(block.paths) for kept in self.kept for block in kept.blocks.values()])
        return paths * PATH + self.stale() * ROUTE

    def stale(self) -> int:
        return sum(
            [len(path.keys) for kept in self.kept for block in kept.blocks.values() for path in block.paths.values()]
        )
