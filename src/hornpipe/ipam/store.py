"""Where hosts write down which blocks of a pool are theirs: the interface, and what every store has to keep.

A claim is made or refused as one step (compare and swap): of two hosts that want the same block one gets it, also if
they ask at once, one dies, or the answer is lost. What a store says is the truth about other hosts; about itself a host
may know more: between its claim and its own note a crash leaves a claim that it finds in the store, and takes.
"""

from __future__ import annotations

from typing import Protocol

from hornpipe.ipam.pool import Claims
from hornpipe.net.prefix import Prefix


class BlockStore(Protocol):
    """OSError (TimeoutError and ConnectionError are some) means that it is not known whether it was done."""

    async def list(self, pool: str) -> Claims:
        """Every block of the pool that somebody holds."""

    async def claim(self, pool: str, block: Prefix, host: str) -> str:
        """The holder afterwards: `host`, also if it had it already, or who was faster with one that shares addresses.

        A claim that succeeds defeats every release of this block that was under way, so that a late one cannot take it
        away again."""

    async def release(self, pool: str, block: Prefix, host: str) -> None:
        """Nobody's afterwards, unless it is not `host`'s."""

    async def close(self) -> None: ...


def key_of(block: Prefix) -> str:
    """A block as a file's name, or a key of a ConfigMap: ``10.42.1.0-26``, ``fd00_42__-122``."""
    return str(block).replace("/", "-").replace(":", "_")


def block_of(key: str) -> Prefix:
    """ValueError if it is not one."""
    address, _, length = key.rpartition("-")
    return Prefix.parse(f"{address.replace('_', ':')}/{length}")
