"""Deletes links in a thread of its own, because the kernel lets go of them slowly.

A link has left its namespace and its name is free long before the request that deletes it returns: that waits until all
processors have passed twice (10 to 30 ms), for one link or for thirty. Nothing else needs to wait for it: the watcher
hears that the links are gone when they are, and the kernel thread goes on. What is to be deleted has been put into a
group of its own, so a link of the same name that is made meanwhile is safe.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Sequence

from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.dataplane.linux.worker import Worker
from hornpipe.netlink import link
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.group import delete_group
from hornpipe.netlink.number import RTM_DELLINK

LOG = logging.getLogger("hornpipe.dataplane")
Reap = Callable[[int, Sequence[int]], None]
"""(group, indexes of its links): to be called in the kernel thread; does not wait."""


class Reaper:
    """Works in the network namespace that the process is in when `start` is called."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._sock: RouteSocket | None = None

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._worker = Worker(loop, "hornpipe-reaper")
        self._sock = await self._worker.call(RouteSocket)

    async def stop(self) -> None:
        """When all that was handed over is gone."""
        if self._worker is not None:
            await self._worker.stop()
        if self._sock is not None:
            self._sock.close()
        self._worker = self._sock = None

    async def rest(self) -> None:
        """Returns when all that was handed over is gone."""
        if self._worker is not None:
            await self._worker.call(lambda: None)

    def reap(self, group: int, indexes: Sequence[int]) -> None:
        worker, sock = self._worker, self._sock
        if worker is None or sock is None:
            raise OSError("the dataplane driver is not started")
        worker.submit(lambda: delete(sock, group, indexes), _reported)


def delete(sock: RouteSocket, group: int, indexes: Sequence[int]) -> None:
    """A group that the kernel does not delete as one is deleted one after another."""
    if not sock.attempt(RTM_DELLINK, 0, delete_group(group), errno.ENODEV, errno.EBUSY, errno.EOPNOTSUPP):
        for index in indexes:
            sock.attempt(RTM_DELLINK, 0, link.header(index), errno.ENODEV)


def _reported(_result: None, raised: BaseException | None) -> None:
    """If it does not go with its namespace, it is one of ours that nobody wants (`hornpipe.forwarding.strays`)."""
    if isinstance(raised, Failure | OSError):
        LOG.warning("a link that is to go stays: %s", raised)
    elif raised is not None:
        raise raised
