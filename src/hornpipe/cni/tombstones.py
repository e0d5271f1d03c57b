"""What the executable recorded while the daemon did not answer: requests whose attachments are to be taken away.

They are carried out at the start, before the socket is there, every second from then on, for those of the moments
between, and before each ADD: a runtime that tries again after an ADD without an answer does so after its executable has
left the record, so the new attachment is never taken for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from hornpipe.cni.client import LEFT
from hornpipe.cni.request import Request

LOG = logging.getLogger("hornpipe.cni")


class Tombstones:
    """`carry_out` deletes what a request is about."""

    def __init__(self, directory: Path, carry_out: Callable[[Request], Awaitable[None]]) -> None:
        self._directory = directory / LEFT
        self._carry_out = carry_out
        self._sweeping = asyncio.Lock()

    async def sweep(self) -> int:
        """How many were carried out. One that fails stays for the next time."""
        if not self._present():
            return 0
        async with self._sweeping:
            outcomes = await asyncio.gather(*(self._one(path) for path in self._present()))
        return sum(outcomes)

    def _present(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return sorted(path for path in self._directory.iterdir() if path.suffix != ".new")
        return []

    async def _one(self, path: Path) -> bool:
        request = _read(path)
        if request is None:
            return False
        try:
            await self._carry_out(request)
        except Exception as error:
            LOG.warning("%s: %s: tried again later", path, error)
            return False
        _drop(path)
        return True


def _read(path: Path) -> Request | None:
    try:
        return Request.parse(path.read_bytes())
    except FileNotFoundError:
        return None  # carried out by the sweep before
    except ValueError as error:
        LOG.warning("%s: %s: dropped", path, error)
        _drop(path)
        return None


def _drop(path: Path) -> None:
    path.unlink(missing_ok=True)
