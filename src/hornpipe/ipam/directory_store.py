"""Block claims as files in a directory: ``POOL/BLOCK`` holds the host's name. For one host, or on a shared file system.

A claim is written to a file of its own and then linked to its name, which fails if the name is there: link(2) is one
step on the server in NFS 3 and 4, CephFS, GFS2 and OCFS2, where O_EXCL once was not, and nobody reads half a name.
Two claims of different size have different names, so a claim is followed by a look at the others and taken back if it
shares addresses with one: of two that do so at once perhaps both give up, never none. That look must not come from a
cache: mount NFS with ``lookupcache=none,actimeo=0``. Hosts whose `block_size` and `reserved` agree do not need it.
Not for file systems without hard links, nor for replicated folders that merge later.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from hornpipe.ipam.journal import sync_directory
from hornpipe.ipam.pool import Claims, overlapping
from hornpipe.ipam.store import block_of, key_of
from hornpipe.net.prefix import Prefix

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
T = TypeVar("T")


class DirectoryStore:
    def __init__(self, directory: Path, executor: Executor | None = None) -> None:
        self._directory, self._executor = directory, executor

    async def list(self, pool: str) -> Claims:
        return await self._outside(lambda: self.list_now(pool))

    async def claim(self, pool: str, block: Prefix, host: str) -> str:
        return await self._outside(lambda: self.claim_now(pool, block, host))

    async def release(self, pool: str, block: Prefix, host: str) -> None:
        await self._outside(lambda: self.release_now(pool, block, host))

    async def close(self) -> None: ...

    def list_now(self, pool: str) -> dict[Prefix, str]:
        claims: dict[Prefix, str] = {}
        folder = self._directory / pool
        for name in _names(folder):
            if not name.startswith("."):
                owner = _read(folder / name)
                if owner:
                    claims[_block(folder / name)] = owner
        return claims

    def claim_now(self, pool: str, block: Prefix, host: str) -> str:
        if not _PLAIN.fullmatch(host):
            raise ValueError(f"{host!r} cannot be a host's name in a file name")
        folder = self._directory / pool
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name, draft = folder / key_of(block), folder / f".{host}.new"
        _write_durably(draft, host)
        try:
            os.link(draft, name)
        except FileExistsError:
            owner = _read(name)
            if owner != host:
                return owner or self.claim_now(pool, block, host)  # released just now
        finally:
            draft.unlink(missing_ok=True)
        sync_directory(folder)
        claims = self.list_now(pool)
        other = overlapping(block, claims, host)
        if other is None:
            return host
        self.release_now(pool, block, host)
        return claims[other]

    def release_now(self, pool: str, block: Prefix, host: str) -> None:
        name = self._directory / pool / key_of(block)
        if _read(name) == host:
            name.unlink()
            sync_directory(name.parent)

    async def _outside(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)


def _block(name: Path) -> Prefix:
    try:
        return block_of(name.name)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"{name} is not a block's file; move it away") from error


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _read(name: Path) -> str:
    """The owner; empty if there is no such file (any more)."""
    try:
        return name.read_text().strip()
    except FileNotFoundError:
        return ""


def _write_durably(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # after a crash it may be a second name of a claim, which must not be written to
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
