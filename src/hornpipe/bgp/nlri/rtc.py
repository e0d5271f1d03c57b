"""Route target constraint: which route targets a speaker wants (RFC 4684 section 4).

An NLRI is a prefix of 96 bits: origin AS (32) and route target (64). Its length in bits is 0 (the default: everything),
or 32 to 96. The key is the canonical NLRI itself, length byte first, bits beyond the length cleared; there is no
payload.
"""

from __future__ import annotations

from typing import Final

from hornpipe.bgp.error import SessionReset
from hornpipe.net.rt import RouteTarget

DEFAULT: Final = b"\x00"
"""The key of the default route target: send everything."""


def key(origin_as: int, route_target: bytes) -> bytes:
    """The key of a whole route target (96 bits)."""
    return b"\x60" + origin_as.to_bytes(4, "big") + route_target


def origin_as(key: bytes) -> int:
    """0 for the default."""
    return int.from_bytes(key[1:5], "big")


def route_target(key: bytes) -> bytes:
    """The eight bytes of a whole route target, otherwise those that are given (see `length`)."""
    return key[5:]


def length(key: bytes) -> int:
    """How many bits of a route target must match: 0 (all match) to 64."""
    return max(0, key[0] - 32)


def matches(key: bytes, target: bytes) -> bool:
    """Whether a route target (eight bytes) lies in this membership."""
    bits = key[0] - 32
    if bits <= 0:
        return True
    if bits == 64:
        return key[5:] == target
    shift = 64 - bits
    wanted = int.from_bytes(key[5:] + bytes(13 - len(key)), "big")
    return wanted >> shift == int.from_bytes(target, "big") >> shift


def split(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return [(one, b"") for one in split_withdraw(data, errors)]


def split_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    keys: list[bytes] = []
    position = 0
    end = len(data)
    while position < end:
        bits = data[position]
        after = position + 1 + (bits + 7) // 8
        if after > end:
            raise SessionReset(3, 9, b"", "a route target NLRI runs over the end of the field")
        raw = data[position:after]
        position = after
        if bits > 96 or 0 < bits < 32:
            # RFC 4684 section 4: apart from the default, the origin AS is always whole.
            errors.append(f"route target NLRI of {bits} bits")
        elif bits & 7:
            keys.append(raw[:-1] + bytes((raw[-1] & 0xFF00 >> (bits & 7) & 0xFF,)))
        else:
            keys.append(raw)
    return keys


def join(key: bytes, payload: bytes) -> bytes:
    return key


def join_withdraw(key: bytes) -> bytes:
    return key


def text(key: bytes) -> str:
    """``64512:64512:80`` (origin AS, route target) as GoBGP has it; ``default``; a shorter prefix with its length."""
    if key[0] == 0:
        return "default"
    if key[0] == 96:
        return f"{origin_as(key)}:{RouteTarget(key[5:])}"
    if key[0] == 32:
        return f"{origin_as(key)}:*"
    return f"{origin_as(key)}:0x{key[5:].hex()}/{key[0]}"
