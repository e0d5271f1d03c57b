"""Messages and attributes (struct nlmsghdr, struct nlattr)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

from hornpipe.netlink.number import NLA_F_NESTED, NLA_TYPE_MASK

HEADER = struct.Struct("=IHHII")
"""length, type, flags, sequence, port"""
_ATTRIBUTE = struct.Struct("=HH")
_PADDING = (b"", b"\x00\x00\x00", b"\x00\x00", b"\x00")


class Malformed(ValueError):
    """Bytes that are not netlink: lengths that do not fit."""


def message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    return HEADER.pack(16 + len(payload), kind, flags, sequence, 0) + payload


def attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + _PADDING[len(value) & 3]


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\x00")


def messages(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """(type, flags, sequence, start, end) of each message; start is that of the payload."""
    offset, size = 0, len(data)
    while offset + 16 <= size:
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
        if length < 16 or offset + length > size:
            raise Malformed(f"netlink message of {length} bytes at {offset} of {size}")
        yield kind, flags, sequence, offset + 16, offset + length
        offset += (length + 3) & ~3


def attributes(data: bytes, start: int = 0, end: int | None = None) -> dict[int, bytes]:
    """Type -> value; of a type that comes twice the last one."""
    end = len(data) if end is None else end
    found: dict[int, bytes] = {}
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4 or start + length > end:
            raise Malformed(f"netlink attribute {kind} of {length} bytes at {start} of {end}")
        found[kind & NLA_TYPE_MASK] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def integer(value: bytes) -> int:
    """A number of native byte order of any size; 0 for an attribute that is not there."""
    return int.from_bytes(value, _ORDER)


def string(value: bytes) -> str:
    return value.rstrip(b"\x00").decode(errors="replace")


_ORDER: Literal["little", "big"] = "little" if struct.pack("=H", 1) == b"\x01\x00" else "big"
