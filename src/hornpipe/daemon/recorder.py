"""Records everything the engine is told, so that `hornpipe replay FILE` can rebuild it elsewhere, call by call.

The engine is a deterministic machine: the same calls with the same times and the same chance give the same tables.
`RecordingEngine` is the engine with its input methods noting themselves in a `Record` first. The file is a row of
MessagePack documents behind a four-byte length: first a `Header`, then ``[method, arguments]``. Passwords are not
written. At `limit` bytes the record ends with a note; a record without its beginning would be worth nothing.
"""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Iterator, Set
from typing import Any, BinaryIO

import msgspec

from hornpipe.engine.engine import Engine
from hornpipe.engine.settings import Settings

FORMAT = 1
MAGIC = b"hornpipe record\n"
FULL = "full"
"""The note in the place of a method when the limit was reached."""

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
    "tick",
    "run",
    "stop",
    "restore",
    "drain",
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


class Record:
    def __init__(self, path: str, limit: int, header: Header) -> None:
        self._file: BinaryIO | None = open(path, "wb")  # noqa: SIM115  (closed by `close`)
        self._left = limit
        self._encode = msgspec.msgpack.Encoder().encode
        self._file.write(MAGIC)
        self._write(msgspec.msgpack.encode(header))

    def note(self, method: str, arguments: tuple[Any, ...]) -> None:
        if self._file is None:
            return
        document = self._encode((method, arguments))
        if len(document) + 4 > self._left:
            self._write(self._encode((FULL, ())))
            self.close()
        else:
            self._write(document)

    def _write(self, document: bytes) -> None:
        if self._file is not None:
            self._left -= len(document) + 4
            self._file.write(len(document).to_bytes(4, "big"))
            self._file.write(document)

    def flush(self) -> None:
        """At the end of a turn: what a crash leaves behind then ends with the turn before."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def without_passwords(settings: Settings) -> Settings:
    peers = tuple(msgspec.structs.replace(peer, password=None) for peer in settings.peers)
    reflector = settings.reflector
    if reflector is not None:
        clients = tuple(msgspec.structs.replace(client, password=None) for client in reflector.clients)
        reflector = msgspec.structs.replace(reflector, clients=clients)
    return msgspec.structs.replace(settings, peers=peers, reflector=reflector)


class RecordingEngine(Engine):
    """Made by `recording`; its input methods are below."""

    record: Record
    _inside = False
    """In an input method already: what that one calls of the engine is its own business, not an input."""


def recording(settings: Settings, now: float, version: str, path: str, limit: int) -> RecordingEngine:
    seed = random.SystemRandom().getrandbits(64)
    header = Header(version=version, settings=without_passwords(settings), now=now, seed=seed)
    record = Record(path, limit, header)
    engine = RecordingEngine(settings, now, random.Random(seed).random, version)
    engine.record = record
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
        self.record.note(name, tuple(_printable(argument) for argument in arguments))
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


def _printable(argument: Any) -> Any:
    return without_passwords(argument) if isinstance(argument, Settings) else argument


for _name in INPUTS:
    setattr(RecordingEngine, _name, _recorded(_name))
