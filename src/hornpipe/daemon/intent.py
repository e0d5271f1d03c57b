"""The intent file: what clients asked for, kept so that kill -9 or an upgrade loses nothing.

One JSON document, replaced atomically: written beside, synced, renamed, the directory synced. Whoever reads it finds
the old or the new intent and nothing between. It lives in the runtime directory, for what it describes (interfaces,
namespaces) does not outlive a boot either.

`IntentKeeper` makes it durable before the API answers. Writing happens in a thread, one write at a time, and a write
that starts late covers every change made until then, so a burst of attachments costs a few writes (group commit).

A damaged file is renamed and the daemon starts without it: the configuration's own ports and the clients' repetitions
rebuild the intent, and `hornpipe.engine.startup` removes nothing from the kernel before they had their chance.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hornpipe.daemon import intentformat
from hornpipe.engine.intent import Intent

FILE_NAME = "intent.json"
SPARE_NAME = "intent.spare"
SPARE_BYTES = 64 << 10
FULL = (errno.ENOSPC, errno.EDQUOT)


class IntentUnreadable(Exception):
    """The file may be good, but it cannot be read (permissions, a broken disk). Going on without it would be a choice
    nobody made, so the daemon does not start; what the kernel forwards stays as it is meanwhile."""

    REMEDY = "make it readable, or move it away to start with nothing attached"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason} ({self.REMEDY})")


class Loaded(NamedTuple):
    intent: Intent | None
    """None: there is none, or it is lost."""
    lost: str = ""
    """Why the intent is not known, and where the damaged file is now; empty if it is known."""
    left_out: tuple[str, ...] = ()
    """What a later version wrote that this one does not understand."""


class IntentFile:
    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self.spare = directory / SPARE_NAME

    def load(self, wall: float) -> Loaded:
        """A damaged file is set aside under the time `wall` (seconds since 1970), and so is one of which something is
        left out. Raises `IntentUnreadable`."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return Loaded(None)
        except OSError as error:
            raise IntentUnreadable(self.path, error.strerror or str(error)) from error
        try:
            read = intentformat.read(text)
        except intentformat.Unreadable as error:
            aside = self._set_aside("damaged", wall)
            return Loaded(None, f"{self.path} was damaged ({error}) and is now {aside}")
        if read.left_out:
            self._set_aside("later", wall)
        return Loaded(read.intent, left_out=read.left_out)

    def _set_aside(self, why: str, wall: float) -> Path:
        stamp = datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self.path.with_name(f"{FILE_NAME}.{why}-{stamp}")
        try:
            if why == "damaged":
                os.replace(self.path, aside)
            else:
                shutil.copy2(self.path, aside)  # what is understood of it goes on being the intent
        except OSError as error:
            raise IntentUnreadable(self.path, f"cannot be set aside: {error.strerror or error}") from error
        return aside

    def save(self, intent: Intent) -> None:
        """Durable when it returns; OSError leaves the old file in place. On a full disk the reserve gives room for one
        more: `reserve` says whether there is room for the next."""
        text = intentformat.write(intent)
        try:
            self._write(text)
        except OSError as error:
            if error.errno not in FULL or not self.spare.exists():
                raise
            self.spare.unlink()
            self._write(text)
        _sync_directory(self.path.parent)

    def _write(self, text: bytes) -> None:
        beside = self.path.with_suffix(".new")
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        except OSError:
            beside.unlink(missing_ok=True)  # a full disk needs the space more than we a torn file
            raise

    def reserve(self) -> None:
        """Room for the next `save`, whatever fills the disk until then. OSError: there is none."""
        wanted = max(SPARE_BYTES, 2 * self.path.stat().st_size if self.path.exists() else 0)
        descriptor = os.open(self.spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < wanted:
                os.posix_fallocate(descriptor, 0, wanted)
        except OSError:
            self.spare.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _noticed(task: asyncio.Task[None]) -> None:
    """Its error is kept in `IntentKeeper.error` and raised to whoever still waits, perhaps nobody."""
    if not task.cancelled():
        task.exception()


class IntentKeeper:
    """`commit` returns when all changes made before the call are on disk, and raises OSError if they could not be."""

    def __init__(
        self,
        file: IntentFile,
        executor: Executor,
        *,
        revision: Callable[[], int],
        intent: Callable[[], Intent],
        saved_revision: int,
    ) -> None:
        self._file, self._executor = file, executor
        self._revision, self._intent = revision, intent
        self.saved_revision = saved_revision
        self.error = ""
        """Why the last write failed; empty when the file is good."""
        self._writing: asyncio.Task[None] | None = None

    @property
    def behind(self) -> bool:
        return self.saved_revision != self._revision()

    async def commit(self) -> None:
        wanted = self._revision()
        while self.saved_revision < wanted:
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
                self._writing.add_done_callback(_noticed)
            # shield: a client that goes away must not cancel the write others wait for.
            await asyncio.shield(self._writing)

    async def _write(self) -> None:
        revision, intent = self._revision(), self._intent()
        run = asyncio.get_running_loop().run_in_executor
        try:
            await run(self._executor, self._file.save, intent)
            self.error = ""
            self.saved_revision = revision
            await self._reserve()
        except OSError as error:
            self.error = f"{self._file.path}: {error.strerror or error}"
            raise
        finally:
            self._writing = None

    async def _reserve(self) -> None:
        """The file is good; whether the next one will be is what `error` says."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._file.reserve)
        except OSError as error:
            self.error = f"no room for the next {self._file.path}: {error.strerror or error}"

    async def ready(self) -> bool:
        """Whether a change made now can be kept; after a failure this is tried before it is said."""
        if self.error:
            self.error = ""
            await self._reserve()
            if self.behind and not self.error:
                with contextlib.suppress(OSError):  # which `error` says
                    await self.commit()
        return not self.error

    def commit_now(self) -> None:
        """For the end of the daemon, when nobody waits for the loop any more."""
        if self.behind:
            revision = self._revision()
            self._file.save(self._intent())
            self.saved_revision = revision
