"""Records everything the engine is told, so that `hornpipe replay FILE` can rebuild it elsewhere, call by call.

The engine is a deterministic machine: the same calls with the same times and the same chance give the same tables.
`RecordingEngine` is the engine with its input methods noting themselves in a `Record` first.

A record is a ring of files, ``FILE.000001`` and so on. Each is a row of MessagePack documents with a four-byte length:
first a `Header`, then ``[method, arguments]``. A header holds the engine's state when the file began
(`hornpipe.daemon.checkpoint`), the first one's is empty, so any file can be where a replay begins, and the oldest goes
when all together are larger than the limit. Where no checkpoint can be made (a compiled build), the record ends at the
limit with a note. Passwords are not written.
"""

from __future__ import annotations

import functools
import inspect
import os
import random
import secrets
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from hornpipe.daemon import checkpoint
from hornpipe.daemon.checkpoint import Impossible, without_secrets
from hornpipe.engine.engine import Engine
from hornpipe.engine.settings import Settings

FORMAT = 2
MAGIC = b"hornpipe record\n"
FULL = "full"
"""The note in the place of a method when the limit was reached."""
DIGEST = "digest"
"""The note at a regular end: what `hornpipe.daemon.replay.digest` must give then."""
SEGMENTS = 8
"""A file is this part of the limit, so that what is thrown away at once is little."""

INPUTS = (
    "put_source",
    "delete_source",
    "attach",
    "detach",
    "configure",
    "take_connects",
    "connected",
    "connect_failed",
    "accept",
    "located",
    "link_lost",
    "received",
    "closed",
    "take_bytes",
    "take_closes",
    "links_changed",
    "kernel_macs",
    "kernel_scanned",
    "underlay_changed",
    "tick",
    "run",
    "stop",
    "restore",
    "drain",
    "prune",
    "alarm",
    "clear_duplicate",
    "reset_peer",
)
"""Every method of `Engine` that changes it, taking included: what has been taken is no longer there."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    format: int = FORMAT
    version: str
    settings: Settings
    now: float
    seed: int
    number: int = 1
    checkpoint: bytes = b""
    """Empty: the engine begins here."""


class Record:
    """`checkpoint` gives the engine's state as bytes, or raises `Impossible`."""

    def __init__(self, path: str, limit: int, header: Header, checkpoint: Callable[[], bytes]) -> None:
        self._path, self._limit, self._header = Path(path), limit, header
        self._checkpoint = checkpoint
        self._encode = msgspec.msgpack.Encoder().encode
        self._file: BinaryIO | None = None
        self._size = 0
        self._kept: list[tuple[Path, int]] = []
        """Former files and their sizes, oldest first."""
        for old in segments(path):
            old.unlink()  # of a former process, whose state this one does not go on from
        self._open(header)

    def files(self) -> list[str]:
        return [str(path) for path in segments(str(self._path))]

    def _open(self, header: Header) -> None:
        path = self._path.with_name(f"{self._path.name}.{header.number:06d}")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file, self._size = os.fdopen(descriptor, "wb"), 0
        self._current = path
        self._header = header
        self._file.write(MAGIC)
        self._write(self._encode(header))
        self._began = self._size

    def note(self, method: str, arguments: tuple[Any, ...]) -> None:
        if self._file is None:
            return
        document = self._encode((method, arguments))
        if self._size + sum(size for _, size in self._kept) + len(document) > 2 * self._limit:
            self._end()  # no turn ended for long: rather an incomplete record than a full disk
        else:
            self._write(document)

    def _write(self, document: bytes) -> None:
        if self._file is not None:
            self._size += len(document) + 4
            self._file.write(len(document).to_bytes(4, "big"))
            self._file.write(document)

    def _end(self) -> None:
        self._write(self._encode((FULL, ())))
        self.close()

    def flush(self, idle: bool = True) -> None:
        """At the end of a turn: what a crash leaves behind then ends with the turn before. `idle`: a checkpoint can be
        made now."""
        if self._file is None:
            return
        try:
            self._file.flush()
            # A file is at least as much history as state, or there would be nothing but checkpoints.
            if self._size - self._began >= max(self._limit // SEGMENTS, self._began) and idle:
                self._rotate()
        except OSError:
            self._file = None  # a full disk must not stop the daemon: the record ends here

    def _rotate(self) -> None:
        try:
            state = self._checkpoint()
        except Impossible:
            state = b""
        if not state or len(state) > self._limit // 2:
            if self._size >= self._limit:
                self._end()
            return
        self.close()
        self._kept.append((self._current, self._size))
        while self._kept and sum(size for _, size in self._kept) + len(state) + self._limit // SEGMENTS > self._limit:
            self._kept.pop(0)[0].unlink(missing_ok=True)
        header = msgspec.structs.replace(self._header, number=self._header.number + 1, checkpoint=state)
        self._open(header)

    def finish(self, digest: str) -> None:
        """A regular end."""
        self.note(DIGEST, (digest,))
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def segments(path: str) -> list[Path]:
    """The files of a record, oldest first."""
    base = Path(path)
    found = [each for each in base.parent.glob(f"{base.name}.*") if each.suffix[1:].isdecimal()]
    return sorted(found, key=lambda each: int(each.suffix[1:]))


class RecordingEngine(Engine):
    """Made by `recording`; its input methods are below."""

    record: Record
    salt: bytes
    """Of the fingerprints that stand for passwords; never written."""
    _inside = False
    """In an input method already: what that one calls of the engine is its own business, not an input."""

    def checkpoint(self) -> bytes:
        state = {name: value for name, value in vars(self).items() if name not in ("record", "salt", "_inside")}
        return checkpoint.write(self, state, self.salt)

    def flush_record(self) -> None:
        self.record.flush(idle=not self.rib.busy)


def recording(settings: Settings, now: float, version: str, path: str, limit: int) -> RecordingEngine:
    seed = random.SystemRandom().getrandbits(64)
    engine = RecordingEngine(settings, now, random.Random(seed).random, version)
    engine.salt = secrets.token_bytes(16)
    header = Header(version=version, settings=without_secrets(settings, engine.salt), now=now, seed=seed)
    engine.record = Record(path, limit, header, engine.checkpoint)
    return engine


def _recorded(name: str) -> Callable[..., Any]:
    method = getattr(Engine, name)
    signature = inspect.signature(method)

    @functools.wraps(method)
    def call(self: RecordingEngine, *arguments: Any, **named: Any) -> Any:
        if self._inside:
            return method(self, *arguments, **named)
        if named:
            bound = signature.bind(self, *arguments, **named)
            bound.apply_defaults()
            arguments = bound.args[1:]
        arguments = tuple(_lasting(argument) for argument in arguments)
        self.record.note(name, tuple(_printable(argument, self.salt) for argument in arguments))
        self._inside = True
        try:
            return method(self, *arguments)
        except BaseException:
            self.record.flush()  # no turn may follow, and this is the call one will want to see
            raise
        finally:
            self._inside = False

    return call


def _lasting(argument: Any) -> Any:
    """An iterator can be read once, and there are two readers."""
    return list(argument) if isinstance(argument, Iterator | Set) else argument


def _printable(argument: Any, salt: bytes) -> Any:
    return without_secrets(argument, salt) if isinstance(argument, Settings) else argument


for _name in INPUTS:
    setattr(RecordingEngine, _name, _recorded(_name))
