"""Rebuilds an engine from a record: `rebuild` makes the calls again, `report` prints the tables they lead to."""

from __future__ import annotations

import inspect
import random
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hornpipe.daemon import recorder
from hornpipe.engine.engine import Engine
from hornpipe.engine.rows import Row
from hornpipe.vpn.spec import Refused


class NotARecord(Exception):
    pass


class Replayed(NamedTuple):
    engine: Engine
    header: recorder.Header
    inputs: int
    refused: int
    """Calls that ended in `Refused`, as they did when they were recorded."""
    end: str
    """How the record ends: ``complete``, ``full`` (its size limit) or ``torn`` (the daemon was killed)."""
    seconds: float
    """From the first input to the last."""


def rebuild(path: str, upto: int | None = None) -> Replayed:
    """`upto`: only so many inputs, to look at the tables as they were."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise NotARecord(f"{path}: {error.strerror}") from error
    if not data.startswith(recorder.MAGIC):
        raise NotARecord(f"{path}: not a hornpipe record (set recorder.file in the configuration to make one)")
    documents = _documents(data, len(recorder.MAGIC))
    try:
        header = msgspec.msgpack.decode(next(documents, b""), type=recorder.Header)
    except msgspec.DecodeError as error:
        raise NotARecord(f"{path}: header: {error}") from error
    engine = Engine(header.settings, header.now, random.Random(header.seed).random, header.version)
    return _play(engine, header, documents, upto)


def _documents(data: bytes, at: int) -> Iterator[bytes]:
    while at + 4 <= len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        yield data[at + 4 : end]
        at = end


def _play(engine: Engine, header: recorder.Header, documents: Iterator[bytes], upto: int | None) -> Replayed:
    kinds = {name: _kinds(name) for name in recorder.INPUTS}
    inputs = refused = 0
    end, last = "torn", header.now
    for document in documents:
        method, arguments = msgspec.msgpack.decode(document)
        if method == recorder.FULL:
            end = "full"
            break
        if upto is not None and inputs >= upto:
            end = f"stopped at input {upto}"
            break
        values = [msgspec.convert(value, kind) for value, kind in zip(arguments, kinds[method], strict=False)]
        try:
            getattr(engine, method)(*values)
        except Refused:
            refused += 1
        inputs += 1
        last = max([last, *(value for value in values if isinstance(value, float))])
        if method == "stop":
            end = "complete"
    return Replayed(engine, header, inputs, refused, end, last - header.now)


def _kinds(method: str) -> list[Any]:
    """The annotated types of a method's arguments, which say how to read the recorded ones."""
    function = getattr(Engine, method)
    hints = typing.get_type_hints(function, vars(sys.modules[Engine.__module__]))
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    return [_concrete(hints[name]) for name in names]


def _concrete(kind: Any) -> Any:
    """`msgspec` reads lists, not any iterable."""
    if typing.get_origin(kind) is typing.get_origin(Iterable[int]):
        return list[typing.get_args(kind)[0]]  # type: ignore[misc]  # the element type is only known here
    return kind


def report(replayed: Replayed) -> str:
    """The tables, one line a row, as ``name=value`` for what is not empty."""
    engine, header = replayed.engine, replayed.header
    lines = [
        f"record: hornpipe {header.version}, {replayed.inputs} inputs in {replayed.seconds:.3f} s, "
        f"{replayed.refused} refused, end: {replayed.end}"
    ]
    tables: Sequence[tuple[str, Iterable[Row]]] = (
        ("status", [engine.status()]),
        ("peers", engine.peers()),
        ("instances", engine.instances()),
        ("ports", engine.ports()),
        ("routes", engine.routes()),
        ("forwarding", engine.entries()),
        ("events", engine.events()),
    )
    for name, rows in tables:
        lines += ["", f"{name}:"]
        lines += [f"  {_line(row)}" for row in rows]
    return "\n".join(lines)


def _line(row: Row) -> str:
    values = msgspec.to_builtins(row)
    return " ".join(f"{key}={_word(value)}" for key, value in values.items() if value not in ("", [], (), None, {}))


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_word(one) for one in value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_word(one)}" for key, one in value.items()) + "}"
    return str(value)
