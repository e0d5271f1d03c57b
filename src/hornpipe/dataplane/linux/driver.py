"""The driver: packs in the loop, executes in the kernel thread, hears events in the loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeVar

from hornpipe.dataplane.driver import EventSink
from hornpipe.dataplane.linux.bulk import PackedChunks
from hornpipe.dataplane.linux.entries import Entries
from hornpipe.dataplane.linux.features import missing
from hornpipe.dataplane.linux.flush import flush_ours
from hornpipe.dataplane.linux.inside import look_inside
from hornpipe.dataplane.linux.inspect import inspect
from hornpipe.dataplane.linux.lookup import probe, resolve
from hornpipe.dataplane.linux.namespace import Lent
from hornpipe.dataplane.linux.reaper import Reaper
from hornpipe.dataplane.linux.scan import scan_all, scan_learnt, scan_links
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.dataplane.linux.watch import Watcher
from hornpipe.dataplane.linux.worker import Worker
from hornpipe.forwarding.audit import Probe
from hornpipe.forwarding.batch import Batch, Results, Scan, learn_key, stray_key
from hornpipe.forwarding.entry import EntryKey
from hornpipe.forwarding.inside import Inside
from hornpipe.forwarding.question import Found, Question
from hornpipe.forwarding.rule import Rule
from hornpipe.forwarding.underlay import Way
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.number import RT_TABLE_MAIN

T = TypeVar("T")
_SEQUENCES = 0x70000000
"""Bulk sequence numbers start again here; the upper half is for single requests."""


class LinuxDriver:
    """Works in the network namespace that the process is in when `start` is called."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._watcher: Watcher | None = None
        self._sock: RouteSocket | None = None
        self.reaper = Reaper()
        self._lent = Lent()
        self._sequence = 1

    async def start(self, sink: EventSink) -> None:
        loop = asyncio.get_running_loop()
        self._worker = Worker(loop)
        self._sock = await self._worker.call(RouteSocket)
        await self.reaper.start(loop)
        self._entries = Entries(self._sock, self._lent, self.reaper.reap)
        self._sink = sink
        self._watcher = Watcher(loop, sink, self._sock.port)

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        if self._worker is not None:
            await self._worker.stop()
            await self.reaper.stop()
            self._worker = None
        if self._sock is not None:
            self._entries.close()
            self._sock.close()
            self._sock = None

    def _running(self) -> tuple[Worker, RouteSocket]:
        if self._worker is None or self._sock is None:
            raise OSError("the dataplane driver is not started")
        return self._worker, self._sock

    async def scan(self) -> Scan:
        _, sock = self._running()
        return await self._read(lambda: scan_all(sock))

    async def _ask(self, question: Callable[[], T]) -> T:
        """In the kernel thread; what the kernel refuses is an OSError to who asked."""
        worker, _ = self._running()
        try:
            return await worker.call(question)
        except Failure as failure:
            raise OSError(failure.number, str(failure)) from failure

    async def features(self) -> dict[str, str]:
        return await self._ask(missing)

    async def resolve(self, addresses: Collection[bytes]) -> dict[bytes, Way | None]:
        _, sock = self._running()
        return await self._ask(lambda: resolve(sock, addresses))

    async def inspect(self, questions: Sequence[Question]) -> list[Found]:
        _, sock = self._running()
        return await self._ask(lambda: inspect(sock, questions))

    async def survey(self, learning: Sequence[str]) -> Scan:
        _, sock = self._running()

        def survey() -> Scan:
            scan = scan_links(sock)
            scan.learnt = scan_learnt(sock, learning, scan.links)
            return scan

        return await self._read(survey)

    async def _read(self, job: Callable[[], Scan]) -> Scan:
        """Events of the time of reading come after it: replaying what was seen already does no harm."""
        if self._watcher is not None:
            self._watcher.pause()
        try:
            return await self._ask(job)
        finally:
            if self._watcher is not None:
                self._watcher.resume()

    async def probe(self, probes: list[Probe]) -> list[Any]:
        _, sock = self._running()
        return await self._ask(lambda: probe(sock, probes))

    async def flush(self) -> int:
        worker, sock = self._running()
        return await worker.call(lambda: flush_ours(sock))

    def mute(self, indexes: frozenset[int]) -> None:
        if self._watcher is not None:
            self._watcher.mute(indexes)

    def lend(self, netns: str, descriptor: int) -> Callable[[], None]:
        """The copy is used and closed in the kernel thread, in the order of the batches that need it."""
        worker, _ = self._running()
        copy = os.dup(descriptor)
        worker.submit(partial(self._lent.put, netns, copy), _ignore)
        return lambda: worker.submit(partial(self._lent.drop, netns, copy), _ignore)

    async def look_inside(self, netns: str) -> Inside:
        return await self._ask(lambda: look_inside(netns, self._lent))

    def submit(self, batch: Batch, done: Callable[[Results], None]) -> None:
        worker, sock = self._running()
        packed = PackedChunks(batch, self._sequence)
        self._sequence += len(packed)
        if self._sequence >= _SEQUENCES:
            self._sequence = 1
        worker.submit(partial(self._execute, sock, batch, packed), partial(self._executed, batch, done))

    def _executed(
        self, batch: Batch, done: Callable[[Results], None], results: Results | None, raised: BaseException | None
    ) -> None:
        """Events of our own steps show links half made; what was read back at the end is newer, so it comes after them.
        Our own changes to the main table are not heard by the watcher, but the ways of the underlay follow it."""
        if self._watcher is not None:
            self._watcher.drain()
        if any(chunk.kind == "route" and chunk.index == RT_TABLE_MAIN for chunk in batch.chunks):
            self._sink.main_changed()
        _finish(batch, done, results, raised)

    def _execute(self, sock: RouteSocket, batch: Batch, packed: PackedChunks) -> Results:
        """In the kernel thread."""
        results = Results()
        for entry in batch.puts:
            if not isinstance(entry, Rule):
                _attempt(entry.key, partial(self._entries.put, entry, results), results)
        packed.execute(sock, results)
        self._entries.put_rules([entry for entry in batch.puts if isinstance(entry, Rule)], results)
        dismissed = self._entries.dismiss(batch.removals)
        removals = [entry for entry in batch.removals if entry.key not in dismissed]
        for entry in removals:
            _attempt(entry.key, partial(self._entries.remove, entry, results), results)
        for stray in batch.strays:
            _attempt(stray_key(stray), partial(self._entries.remove_stray, stray, results), results)
        self._entries.read_back((*batch.puts, *removals), results)
        for bridge in batch.learn:
            _attempt(learn_key(bridge), partial(_learn, sock, bridge, results), results)
        return results


def _attempt(key: EntryKey, action: Callable[[], None], results: Results) -> None:
    try:
        action()
    except Failure as failure:
        results.entries[key] = str(failure)
    except OSError as error:
        results.entries[key] = f"{key[1]}: {error.strerror or error}"


def _learn(sock: RouteSocket, bridge: str, results: Results) -> None:
    results.learnt += scan_learnt(sock, (bridge,), scan_links(sock).links)


def _ignore(_result: None, raised: BaseException | None) -> None:
    """Bookkeeping has no result; what it raised is a mistake of ours, for the loop to report."""
    if raised is not None:
        raise raised


def _finish(
    batch: Batch, done: Callable[[Results], None], results: Results | None, raised: BaseException | None
) -> None:
    """What was raised instead of results (a lost acknowledgement, a closed socket) is every entry's reason."""
    if results is None:
        results = Results()
        reason = str(raised) or type(raised).__name__
        keys = [entry.key for entry in (*batch.puts, *batch.removals)]
        keys += [*map(stray_key, batch.strays), *map(learn_key, batch.learn)]
        results.entries = dict.fromkeys(keys, reason)
        results.nexthops = dict.fromkeys((*batch.nexthops, *batch.nexthop_deletes), reason)
        results.errors = [
            (number, key, reason) for number, chunk in enumerate(batch.chunks) for key in (*chunk.adds, *chunk.deletes)
        ]
        done(results)
        if raised is not None and not isinstance(raised, OSError | Failure):
            raise raised
        return
    done(results)
