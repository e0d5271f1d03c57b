"""The intent file: what clients asked for, kept so that kill -9 or an upgrade loses nothing.

One JSON document, replaced atomically: written beside, synced, renamed, the directory synced. Whoever reads it finds
the old or the new intent and nothing between. It lives in the runtime directory, for what it describes (interfaces,
namespaces) does not outlive a boot either.

`IntentKeeper` makes it durable before the API answers. Writing happens in a thread, one write at a time, and a write
that starts late covers every change made until then, so a burst of attachments costs a few writes (group commit).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import msgspec

from hornpipe.engine.intent import VERSION, Intent

FILE_NAME = "intent.json"


class IntentDamaged(Exception):
    """The file is there and cannot be used. A start without it would take down what clients still rely on, so it is
    for a person to decide; what the kernel forwards stays as it is meanwhile."""

    REMEDY = "move it away to start with nothing attached"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason} ({self.REMEDY})")


class IntentFile:
    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    def load(self) -> Intent | None:
        """None: there is none. `IntentDamaged`: see there; the file is left as it is."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IntentDamaged(self.path, error.strerror or str(error)) from error
        try:
            version = msgspec.json.decode(text, type=_Versioned).version
            if version > VERSION:
                raise IntentDamaged(self.path, f"written by a later hornpipe (format {version}, known {VERSION})")
            return msgspec.json.decode(text, type=Intent)
        except msgspec.DecodeError as error:
            raise IntentDamaged(self.path, str(error)) from error

    def save(self, intent: Intent) -> None:
        """Durable when it returns; OSError leaves the old file in place."""
        text = msgspec.json.encode(intent)
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
        _sync_directory(self.path.parent)


class _Versioned(msgspec.Struct):
    version: int = 0


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
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._file.save, intent)
        except OSError as error:
            self.error = f"{self._file.path}: {error.strerror or error}"
            raise
        else:
            self.error = ""
            self.saved_revision = revision
        finally:
            self._writing = None

    def commit_now(self) -> None:
        """For the end of the daemon, when nobody waits for the loop any more."""
        if self.behind:
            revision = self._revision()
            self._file.save(self._intent())
            self.saved_revision = revision
