"""Paths of a session that is over: how long they stay, and how they change and go without stopping the daemon.

A lost session's paths are *stale* for a while (RFC 4724). If the peer offered long-lived graceful restart (RFC 9494),
they are *long-lived stale* after that: marked with LLGR_STALE, the last choice, told only to peers that know what the
mark means, and for hours rather than minutes.

What concerns all routes of a lost session (ranking them behind live ones, marking them, forgetting them) is a *chore*:
an iterator that handles a slice of routes at each step and gives how many. `Intake.work` takes steps as the budget of a
turn allows, so that 100 000 routes that go at once never keep a turn from its timers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from hornpipe.bgp.attr.block import with_community
from hornpipe.bgp.attr.community import LLGR_STALE, NO_LLGR
from hornpipe.rib.path import Block, Path

if TYPE_CHECKING:
    from hornpipe.rib.source import Source
    from hornpipe.rib.table import Table

SLICE: Final = 256
"""Routes a step of a chore handles, a quarter of a millisecond's work."""


class Kept:
    """What is left of a former session. Times are monotonic seconds."""

    __slots__ = ("blocks", "extended", "long_lived", "long_until", "reason", "since", "until")

    def __init__(
        self, blocks: dict[tuple[bytes, bytes], Block], since: float, until: float, long_until: float, reason: str
    ) -> None:
        self.blocks = blocks
        self.since = since
        self.until = until
        self.long_until = long_until
        """When it goes at the latest if it becomes long-lived at `until`; 0: it does not."""
        self.reason = reason
        """Why the session ended."""
        self.extended = False
        """A new session has been given its time to say things again; the next one gets no more."""
        self.long_lived = False


def forgetting(table: Table, source: Source, blocks: Iterable[Block]) -> Iterator[int]:
    """The routes go."""
    for block in blocks:
        for path in list(block.paths.values()):
            while path.keys:
                keys = list(islice(path.keys, SLICE))
                table.forget(source, keys)
                yield len(keys)


def reranking(table: Table, blocks: Iterable[Block]) -> Iterator[int]:
    """The sort keys of these blocks changed."""
    for block in blocks:
        for path in list(block.paths.values()):
            keys = list(path.keys)
            for at in range(0, len(keys), SLICE):
                part = keys[at : at + SLICE]
                table.rerank(path, part)
                yield len(part)


def ageing(table: Table, source: Source, kept: Kept, admit: Callable[[bytes, bytes], Block]) -> Iterator[int]:
    """Stale becomes long-lived stale (RFC 9494 section 4.2): LLGR_STALE is attached, what has NO_LLGR goes. `admit`
    makes a block of a next hop and attribute bytes."""
    for mark, block in list(kept.blocks.items()):
        attributes = block.attributes
        if attributes is None or NO_LLGR in attributes.communities:
            yield from forgetting(table, source, [block])
            kept.blocks.pop(mark, None)
            continue
        aged = admit(mark[0], with_community(block.raw, LLGR_STALE))
        aged.stale = True
        for path in list(block.paths.values()):
            yield from _moving(table, path, aged)
        kept.blocks[mark] = aged


def _moving(table: Table, path: Path, block: Block) -> Iterator[int]:
    while path.keys:
        keys = list(islice(path.keys, SLICE))
        table.learn(block, [(key, path.payload) for key in keys])
        yield len(keys)


def releasing(blocks: dict[tuple[bytes, bytes], Block]) -> Iterator[int]:
    """Nothing is kept any more: what is live needs no stale counterpart."""
    for block in list(blocks.values()):
        block.predecessor = None
        for path in list(block.paths.values()):
            path.twin = None
        yield len(block.paths)
