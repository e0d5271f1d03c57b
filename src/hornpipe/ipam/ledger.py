"""A book with its file, for many who use it at once: what is asked in the same moment is written and synced together.

A piece of work reads and changes the book without awaiting anything. Pieces that arrive while a write is under way
wait, are then done one after the other, and their changes go to disk as one batch (group commit); each gets its
outcome when that is durable. So the book is never ahead of the disk by more than one batch, and a failed write is
undone by reading the file again. A batch that fails is tried again piece by piece, so that on a full disk an
attachment can still be deleted beside one that cannot be made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar

from hornpipe.ipam.book import Book
from hornpipe.ipam.journal import Journal

T = TypeVar("T")
_Waiting = tuple[Callable[[Book], Any], "asyncio.Future[Any]"]


class Ledger:
    def __init__(self, path: Path, executor: Executor | None) -> None:
        self.book = Book()
        self._journal = Journal(path)
        self._executor = executor
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._is_loaded = False

    async def run(self, work: Callable[[Book], T]) -> T:
        """What `work` returns or raises; OSError if its changes could not be made durable, and then they are undone
        (or found on disk later: then the runtime's DEL, which follows a failed ADD, ends them)."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, outcome))
        if self._worker is None:
            self._worker = asyncio.create_task(self._serve())
        return await outcome

    async def close(self) -> None:
        while self._worker is not None:
            await asyncio.wait([self._worker])
        self._journal.close()
        self._is_loaded = False

    async def _serve(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                if not await self._commit(batch) and len(batch) > 1:
                    for each in batch:
                        await self._commit([each])
        finally:
            self._worker = None

    async def _commit(self, batch: list[_Waiting]) -> bool:
        """False: nothing of the batch counts; its futures are open if it has more than one, for another try."""
        try:
            await self._load()
            outcomes = [(future, *_attempt(work, self.book)) for work, future in batch]
            await self._write()
        except Exception as error:  # handed to who asked: a worker that dies would leave them waiting
            self._is_loaded = False
            if len(batch) == 1:
                _settle(batch[0][1], None, error)
            return False
        for outcome in outcomes:
            _settle(*outcome)
        return True

    async def _load(self) -> None:
        if not self._is_loaded:
            records = await self._outside(self._journal.load)
            self.book = Book()
            self.book.replay(records)
            self._is_loaded = True

    async def _write(self) -> None:
        changes = self.book.take_changes()
        if changes:
            await self._outside(self._journal.append, changes)
            if self._journal.is_mostly_history:
                await self._rewrite()

    async def _rewrite(self) -> None:
        try:
            await self._outside(self._journal.rewrite, list(self.book.snapshot()))
        except OSError:
            return  # the disk is full: the old file is complete, and tried again at the next change

    async def _outside(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


def _attempt(work: Callable[[Book], Any], book: Book) -> tuple[Any, Exception | None]:
    try:
        return work(book), None
    except Exception as error:  # handed to who asked
        return None, error


def _settle(future: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if future.done():
        return  # who asked has gone; what was done stands, and is deleted or asked for again
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
