"""The blocks this host holds of one pool: claimed when leases need them, given back when they are empty.

The store is asked before the ledger notes a claim, and after it has noted that one ends. So what the ledger says is
always ours; a crash in between leaves a claim in the store that nobody uses, which the next look at the store finds by
this host's name, and takes or gives back. One claim or release of a pool is under way at a time, in a task of its own:
who asked may go away, a half-made claim may not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hornpipe.ipam.ledger import Ledger
from hornpipe.ipam.pool import Pool, overlapping
from hornpipe.ipam.store import BlockStore
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

LOG = logging.getLogger("hornpipe.ipam")

RETRY_SECONDS = 30.0
"""Until a release that failed is tried again; nobody waits for it."""
TIDY_SECONDS = 0.05
"""Deletes come in bursts."""
T = TypeVar("T")


class Holdings:
    def __init__(self, name: str, ledger: Ledger, store: BlockStore, host: str, wall: Callable[[], float]) -> None:
        self.name, self.ledger = name, ledger
        self.growth = 0
        """How often a block was added; who found none free may compare before asking for another."""
        self._store, self._host, self._wall = store, host, wall
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unreleased: set[Prefix] = set()
        """Noted as ended, but still in the store as far as is known."""
        self._in_doubt = True
        """Whether the store may have claims of this host that the ledger does not know: after a start or an error."""
        self._timer: asyncio.TimerHandle | None = None

    async def grow(self, pool: Pool, version: int, growth: int) -> bool:
        """Another block, unless there were some since `growth`; False: nobody's is left. OSError: the store."""
        return await self._own(self._grow(pool, version, growth))

    async def with_blocks_of(
        self, pool: Pool, addresses: tuple[Address, ...], work: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Does `work` while this host holds the blocks of these addresses; `Refused` names the host that has one."""
        return await self._own(self._with_blocks_of(pool, addresses, work))

    async def can_grow(self, pool: Pool, version: int) -> bool:
        return pool.choose(version, await self._store.list(self.name), self._host) is not None

    def tidy_soon(self, seconds: float = TIDY_SECONDS) -> None:
        """Looks for empty blocks; again by itself as long as quarantines end."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._start_tidy)

    async def tidy(self) -> float | None:
        """Gives empty blocks back; seconds until there may be more to do."""
        return await self._own(self._tidy())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _grow(self, pool: Pool, version: int, growth: int) -> bool:
        async with self._lock:
            while self.growth == growth:
                claims = await self._agree(pool)
                if self.growth != growth:
                    break  # the store knew of some that are ours
                block = pool.choose(version, claims, self._host)
                if block is None:
                    return False
                await self._claim(pool, block)  # if another host was faster: the next one
            return True

    async def _with_blocks_of(
        self, pool: Pool, addresses: tuple[Address, ...], work: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        async with self._lock:
            for index, address in enumerate(addresses):
                await self._cover(pool, address, f"requested[{index}]")
            return await work()

    async def _cover(self, pool: Pool, address: Address, field: str) -> None:
        block = pool.block_of(address)
        if block is None or not pool.hands_out(address):
            subnets = ", ".join(str(subnet.prefix) for subnet in pool.subnets)
            raise Refused(field, f"{address} cannot be handed out", f"pool {pool.name} is {subnets}", "conflict")
        held = await self.ledger.run(lambda book: frozenset(book.blocks))
        if any(each.contains(address) for each in held):
            return
        claims = await self._agree(pool)
        owner = claims.get(block)
        if owner is None:
            other = overlapping(block, claims, self._host)
            owner = claims[other] if other is not None else await self._claim(pool, block)
        if owner != self._host:
            raise Refused(field, f"{address} is in block {block} of host {owner}", "ask for it there", "conflict")

    async def _agree(self, pool: Pool) -> dict[Prefix, str]:
        """What the store says, after the differences about this host were settled."""
        claims = dict(await self._store.list(self.name))
        held = await self.ledger.run(lambda book: frozenset(book.blocks))
        ours = {block for block, owner in claims.items() if owner == self._host}
        for block in sorted(ours ^ held):
            claims[block] = await self._claim(pool, block)
        return claims

    async def _claim(self, pool: Pool, block: Prefix) -> str:
        doubt, self._in_doubt = self._in_doubt, True
        try:
            owner = await self._store.claim(self.name, block, self._host)
        except OSError:
            self.tidy_soon(RETRY_SECONDS)
            raise
        self._unreleased.discard(block)
        if owner == self._host:
            by_request = pool.is_by_request(block)
            await self.ledger.run(lambda book: book.claim(block, by_request))
            self.growth += 1
            LOG.info("ipam.claimed pool=%s block=%s", self.name, block)
        elif await self.ledger.run(lambda book: block in book.blocks):
            await self.ledger.run(lambda book: book.disclaim(block))
            LOG.error("ipam.lost pool=%s block=%s to=%s: removed from the store by somebody", self.name, block, owner)
        self._in_doubt = doubt
        return owner

    async def _tidy(self) -> float | None:
        async with self._lock:
            gone = await self.ledger.run(lambda book: book.disclaim_empty(self._wall()))
            self._unreleased.update(gone)
            if self._in_doubt:
                held = await self.ledger.run(lambda book: frozenset(book.blocks))
                claims = await self._store.list(self.name)
                self._unreleased.update(b for b, owner in claims.items() if owner == self._host and b not in held)
                self._in_doubt = False
            for block in sorted(self._unreleased):
                await self._store.release(self.name, block, self._host)
                self._unreleased.discard(block)
                LOG.info("ipam.released pool=%s block=%s", self.name, block)
            return await self.ledger.run(lambda book: book.next_end(self._wall()))

    def _start_tidy(self) -> None:
        self._timer = None
        task = self._task(self._tidy())
        task.add_done_callback(self._tidied)

    def _tidied(self, task: asyncio.Task[float | None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            LOG.warning("ipam.not-released pool=%s: %s", self.name, error)
        again = RETRY_SECONDS if error is not None else task.result()
        if again is not None:
            self.tidy_soon(max(again, TIDY_SECONDS))

    def _task(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _own(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._task(work))
