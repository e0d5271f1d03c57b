"""The text of the intent file, and what versions of it mean to each other.

A file names the oldest format that can express it, so a daemon of the version before reads it unless it holds what that
version does not have: format 1 knows bridged instances (``evpn``) only, format 2 everything of today. Defaults are not
written, so a field that nobody uses costs no compatibility.

A file of the *next* format is read item by item: what is understood counts, what is not is left out and named, and the
file is kept aside for the daemon that can read it. Anything later, or broken, is `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from hornpipe.engine.intent import VERSION, Intent, Sequence
from hornpipe.vpn.allocate import Identifier
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec

_BOTH = ("name", "description", "mtu")
_INSTANCE = ("vni", "rd", "import_rts", "export_rts", "bridge", "gateways", "gateway_mac", "arp_suppression", "shared")
_PORT = ("instance", "interface", "netns", "netns_interface", "mac", "addresses", "endpoints", "gateway")
FORMAT_1: Mapping[str, frozenset[str]] = {
    "instances": frozenset((*_BOTH, *_INSTANCE)),
    "ports": frozenset((*_BOTH, *_PORT, "sticky", "learn")),
    "identifiers": frozenset(("id", "rd", "vni")),
}
"""The fields that format 1 had; it refuses others."""


DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    kind: {f.name: f.default for f in msgspec.structs.fields(struct) if f.default is not msgspec.NODEFAULT}
    for kind, struct in (("instances", InstanceSpec), ("ports", PortSpec), ("identifiers", Identifier))
}


class Unreadable(Exception):
    """Why."""


class Read(NamedTuple):
    intent: Intent
    left_out: tuple[str, ...]
    """What a later version wrote that this one does not understand, in words."""


def write(intent: Intent) -> bytes:
    """In the oldest format that can express it."""
    tree = msgspec.to_builtins(intent)
    for kind, row in _items(tree):  # a default that a client spelt out is still one
        for name, default in DEFAULTS[kind].items():
            if row.get(name, ...) == default:
                del row[name]
    return msgspec.json.encode({**tree, "version": 1 if _fits_format_1(tree) else VERSION})


def _fits_format_1(tree: dict[str, Any]) -> bool:
    return all(row.keys() <= FORMAT_1[kind] for kind, row in _items(tree))


def _items(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for spec in tree.get("sources", {}).values():
        for kind in ("instances", "ports"):
            for row in spec.get(kind, ()):
                yield kind, row
    for row in tree.get("orphans", ()):
        yield "instances", row
    for row in tree.get("identifiers", {}).values():
        yield "identifiers", row


class _Versioned(msgspec.Struct):
    version: int = 0


def read(text: bytes) -> Read:
    try:
        version = msgspec.json.decode(text, type=_Versioned).version
        if version > VERSION + 1:
            raise Unreadable(f"written by a later hornpipe (format {version}, known {VERSION})")
        if version == VERSION + 1:
            return _read_next(msgspec.json.decode(text, type=dict[str, Any]))
        return Read(msgspec.structs.replace(msgspec.json.decode(text, type=Intent), version=VERSION), ())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error


T = TypeVar("T")


class _Understood:
    """Converts items one by one and remembers what it could not."""

    def __init__(self) -> None:
        self.left_out: list[str] = []

    def one(self, row: Any, kind: type[T], what: str) -> Iterator[T]:
        try:
            yield msgspec.convert(row, kind)
        except msgspec.ValidationError as error:
            self.left_out.append(f"{what}: {error}")

    def many(self, rows: Any, kind: type[T], what: str) -> tuple[T, ...]:
        if not isinstance(rows, list):
            self.left_out.append(f"{what}: expected an array of them")
            return ()
        return tuple(item for row in rows for item in self.one(row, kind, f"{what} {_name(row)}"))


def _name(row: Any) -> str:
    return str(row.get("name", "")) if isinstance(row, dict) else ""


def _read_next(tree: dict[str, Any]) -> Read:
    known = _Understood()
    sources: dict[str, SourceSpec] = {}
    for name, spec in _dict(tree.get("sources")).items():
        spec = _dict(spec)
        instances = known.many(spec.get("instances", []), InstanceSpec, f"source {name}: instance")
        ports = known.many(spec.get("ports", []), PortSpec, f"source {name}: port")
        generation = spec.get("generation", 0)
        sources[name] = SourceSpec(
            instances=instances, ports=ports, generation=generation if isinstance(generation, int) else 0
        )
    intent = Intent(
        sources=sources,
        implicit={n: v for n, i in _dict(tree.get("implicit")).items() for v in known.one(i, tuple[str, ...], n)},
        orphans=known.many(tree.get("orphans", []), InstanceSpec, "instance"),
        identifiers={
            name: value
            for name, row in _dict(tree.get("identifiers")).items()
            for value in known.one(row, Identifier, f"numbers of {name}")
        },
        sequences=known.many(tree.get("sequences", []), Sequence, "mobility sequence"),
        draining=tree.get("draining") is True,
        lost=str(tree.get("lost", "")),
    )
    return Read(intent, tuple(known.left_out))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
