"""Detaching, many at a time: what leaves within a few milliseconds leaves in one batch.

Deleting a veth pair waits for the kernel to let all processors pass (synchronize_net), whether it is one pair or
thirty: the driver deletes those of a batch as a group. A single one leaves `GATHER` later than it could; those that
come while a group is being deleted wait for its end and those that come then, as they would wait for the kernel anyway.
"""

from __future__ import annotations

import asyncio
import contextlib

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.host import Host
from hornpipe.cni.record import SOURCE

GATHER = 0.003
HOLD = 1.0
"""Seconds that others wait for a group at most: a kernel that takes longer has other troubles."""
LIMIT = 20.0
"""Seconds for the kernel to remove an interface, behind others perhaps."""


class Departures:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._leaving: list[str] = []
        self._gone: asyncio.Future[None] | None = None
        self._is_busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def leave(self, name: str) -> str:
        """Returns, when the port is out of the intent and withdrawn, its interface; empty if there was no such port."""
        row = self._host.engine.port(SOURCE, name)
        if row is None:
            return ""
        if self._gone is None:
            self._gone = asyncio.get_running_loop().create_future()
            self._soon()
        self._leaving.append(name)
        await asyncio.shield(self._gone)
        return row.interface

    def _soon(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            asyncio.get_running_loop().call_later(GATHER, self._go)

    def _go(self) -> None:
        assert self._gone is not None
        names, self._leaving = self._leaving, []
        gone, self._gone = self._gone, None
        task = asyncio.get_running_loop().create_task(self._detach(names, gone))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _detach(self, names: list[str], gone: asyncio.Future[None]) -> None:
        """Whoever waits is told what went wrong, as some of it did not leave then."""
        interfaces = []
        try:
            for name in names:
                row = self._host.engine.port(SOURCE, name)
                if row is not None:  # asked for twice, it went with the first
                    interfaces.append(row.interface)
                    self._host.engine.detach(SOURCE, name, self._host.now())
            await self._host.changed()
        except Exception as error:
            gone.set_exception(error)
        else:
            gone.set_result(None)
        with contextlib.suppress(TimeoutError, CniFailure):
            async with asyncio.timeout(HOLD):
                for interface in interfaces:
                    await self.removed(interface)
        self._is_busy = False
        if self._gone is not None:
            self._soon()

    async def removed(self, interface: str) -> None:
        """Returns when the kernel has no such interface any more, or it is another port's now."""
        forwarding = self._host.engine.forwarding
        deadline = self._host.now() + LIMIT
        while interface in forwarding.links.by_name and forwarding.get(("port", interface)) is None:
            left = deadline - self._host.now()
            if left <= 0:
                raise CniFailure(failure.TRY_AGAIN, f"interface {interface} is not removed yet", "try again")
            await self._host.turn(left)
