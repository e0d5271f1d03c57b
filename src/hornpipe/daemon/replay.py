"""Rebuilds an engine from a record: `rebuild` makes the calls again, `report` prints the tables they lead to."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import random
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hornpipe.daemon import checkpoint, recorder
from hornpipe.engine.engine import Engine
from hornpipe.engine.rows import Row
from hornpipe.vpn.spec import Refused

SAME = {None: "", True: ", tables as they were then", False: ", TABLES DIFFER from what they were then"}


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
    same: bool | None
    """Whether the tables are those the daemon had at its end; None: the record does not say."""


def rebuild(path: str, upto: int | None = None) -> Replayed:
    """`path`: a record (``recorder.file``), all of it; or one of its files, from there on. `upto`: only so many inputs,
    to look at the tables as they were."""
    files = _files(path)
    header, documents = _opened(files[0])
    documents = itertools.chain(documents, *(_opened(file)[1] for file in files[1:]))
    if header.checkpoint:
        try:
            engine = checkpoint.read(header.checkpoint)
        except checkpoint.Impossible as error:
            raise NotARecord(f"{files[0]}: {error}") from error
    else:
        engine = Engine(header.settings, header.now, random.Random(header.seed).random, header.version)
    return _play(engine, header, documents, upto)


def _files(path: str) -> list[Path]:
    """In the order they were written, without a gap."""
    asked = Path(path)
    base = str(asked.with_suffix("")) if asked.suffix[1:].isdecimal() and asked.exists() else path
    found = recorder.segments(base)
    if base != path:
        found = found[found.index(asked) :]
    if not found:
        reason = "is a directory" if asked.is_dir() else "no such record"
        raise NotARecord(f"{path}: {reason} (set recorder.file in the configuration to make one)")
    first = int(found[0].suffix[1:])
    return [file for number, file in enumerate(found, first) if int(file.suffix[1:]) == number]


def _opened(file: Path) -> tuple[recorder.Header, Iterator[bytes]]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise NotARecord(f"{file}: {error.strerror}") from error
    if not data.startswith(recorder.MAGIC):
        raise NotARecord(f"{file}: not a hornpipe record")
    documents = _documents(data, len(recorder.MAGIC))
    try:
        return msgspec.msgpack.decode(next(documents, b""), type=recorder.Header), documents
    except msgspec.DecodeError as error:
        raise NotARecord(f"{file}: header: {error}") from error


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
    began = last = engine.now
    end, same = "torn", None
    for document in documents:
        method, arguments = _call(document)
        if method == recorder.FULL:
            end = "full"
            break
        if method == recorder.DIGEST:
            same = arguments[0] == digest(engine)
            break
        if upto is not None and inputs >= upto:
            end = f"stopped at input {upto}"
            break
        try:
            values = [msgspec.convert(value, kind) for value, kind in zip(arguments, kinds[method], strict=False)]
            getattr(engine, method)(*values)
        except Refused:
            refused += 1
        except (KeyError, msgspec.ValidationError) as error:
            raise NotARecord(f"input {inputs}, {method}: {error} (recorded by hornpipe {header.version})") from error
        inputs += 1
        last = max([last, *(value for value in values if isinstance(value, float))])
        if method == "stop":
            end = "complete"
    return Replayed(engine, header, inputs, refused, end, last - began, same)


def _call(document: bytes) -> tuple[str, list[Any]]:
    try:
        return msgspec.msgpack.decode(document, type=tuple[str, list[Any]])
    except msgspec.DecodeError as error:
        raise NotARecord(f"damaged document: {error}") from error


def digest(engine: Engine) -> str:
    """Of all the tables that follow from inputs alone: every path of the RIB in its order with its bytes, every peer,
    and the intent. What the kernel answered is not recorded and takes no part."""
    seen = hashlib.sha256()
    for family in sorted(engine.rib.tables):
        for key, paths in sorted(engine.rib.routes(family), key=lambda route: route[0]):
            seen.update(key)
            for path in paths:
                seen.update(b"%s %d" % (path.source.name.encode(), path.stale))
                seen.update(path.payload + path.block.next_hop + path.block.raw)
    seen.update(msgspec.json.encode(engine.peers()))
    seen.update(msgspec.json.encode(engine.intent()))
    return seen.hexdigest()


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
        f"{replayed.refused} refused, end: {replayed.end}{SAME[replayed.same]}"
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
