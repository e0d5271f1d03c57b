"""Flow specifications (RFC 8955 section 4, RFC 8956 for IPv6): which traffic, as components that must all match.

The key is the whole NLRI: its length, in a VPN family the route distinguisher, and the components in ascending order of
their types. There is no payload. `parse` and `build` are for who makes or reads one; a key on its way through is
checked (`fault`) and otherwise left alone. A component of a type nobody knows ends the check: what follows it cannot be
told apart.

A prefix is a `PrefixMatch`; every other component is a list of `Match`, of which each is an OR, or an AND with the one
before it (`AND`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from hornpipe.bgp.error import SessionReset
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher

DESTINATION: Final = 1
SOURCE: Final = 2
PROTOCOL: Final = 3
PORT: Final = 4
DESTINATION_PORT: Final = 5
SOURCE_PORT: Final = 6
ICMP_TYPE: Final = 7
ICMP_CODE: Final = 8
TCP_FLAGS: Final = 9
LENGTH: Final = 10
DSCP: Final = 11
FRAGMENT: Final = 12
FLOW_LABEL: Final = 13

NAMES: Final[dict[int, str]] = {
    DESTINATION: "destination",
    SOURCE: "source",
    PROTOCOL: "protocol",
    PORT: "port",
    DESTINATION_PORT: "destination-port",
    SOURCE_PORT: "source-port",
    ICMP_TYPE: "icmp-type",
    ICMP_CODE: "icmp-code",
    TCP_FLAGS: "tcp-flags",
    LENGTH: "length",
    DSCP: "dscp",
    FRAGMENT: "fragment",
    FLOW_LABEL: "flow-label",
}
BITMASKS: Final = frozenset((TCP_FLAGS, FRAGMENT))
"""Their operators are NOT and MATCH (RFC 8955 section 4.2.1.2); the others compare numbers."""

END: Final = 0x80
AND: Final = 0x40
LT: Final = 0x04
GT: Final = 0x02
EQ: Final = 0x01
NOT: Final = 0x02
MATCH: Final = 0x01
_SIZE: Final = 0x30

_COMPARISONS: Final = ("false", "=", ">", ">=", "<", "<=", "!=", "true")
_TESTS: Final = ("any ", "=", "none of ", "!=")
_PROTOCOLS: Final[dict[int, str]] = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}


class Match(NamedTuple):
    operator: int
    """Without the end of list and the length, which `build` adds."""
    value: int


class PrefixMatch(NamedTuple):
    prefix: Prefix
    offset: int = 0
    """IPv6: bits before it that do not matter (RFC 8956 section 3.1)."""


Component: TypeAlias = PrefixMatch | tuple[Match, ...]
Components: TypeAlias = Mapping[int, Component]
"""By type."""


def equals(value: int) -> tuple[Match, ...]:
    return (Match(EQ, value),)


def between(first: int, last: int) -> tuple[Match, ...]:
    """Both included."""
    return equals(first) if first == last else (Match(GT | EQ, first), Match(AND | LT | EQ, last))


# ---- made ------------------------------------------------------------------------------------------------------------


def build(components: Components, rd: bytes = b"") -> bytes:
    """The key; with `rd` that of a VPN family."""
    parts = [rd]
    for kind, component in sorted(components.items()):
        parts.append(bytes((kind,)))
        parts.append(_prefix(component) if isinstance(component, PrefixMatch) else _matches(component))
    value = b"".join(parts)
    size = len(value)
    if size >= 1 << 12:
        raise ValueError(f"a flow specification of {size} bytes is longer than 4095")
    return (bytes((size,)) if size < 0xF0 else (0xF000 | size).to_bytes(2, "big")) + value


def _prefix(match: PrefixMatch) -> bytes:
    prefix, offset = match
    if prefix.version == 4:
        return prefix.network[: 1 + (prefix.length + 7) // 8]
    # RFC 8956 section 3.1: only the bits between offset and length are there, from the left.
    bits = max(prefix.length - offset, 0)
    number = int.from_bytes(prefix.network[1:], "big") << offset & (1 << 128) - 1
    return bytes((prefix.length, offset)) + number.to_bytes(16, "big")[: (bits + 7) // 8]


def _matches(matches: Iterable[Match]) -> bytes:
    parts: list[bytes] = []
    for operator, value in matches:
        code = 0 if value < 1 << 8 else 1 if value < 1 << 16 else 2 if value < 1 << 32 else 3
        parts.append(bytes((operator & ~(END | _SIZE) | code << 4,)) + value.to_bytes(1 << code, "big"))
    if not parts:
        raise ValueError("a component without a value")
    parts[-1] = bytes((parts[-1][0] | END,)) + parts[-1][1:]
    return b"".join(parts)


# ---- read ------------------------------------------------------------------------------------------------------------


def parse(key: bytes, width: int, vpn: bool = False) -> dict[int, Component]:
    """The components of a key; `width` is 32 or 128. ValueError says what is wrong, an unknown type included."""
    found: dict[int, Component] = {}
    value = value_of(key, vpn)
    at = 0
    while at < len(value):
        kind = value[at]
        if kind not in NAMES or (kind == FLOW_LABEL and width == 32):
            raise UnknownComponent(f"component of type {kind}")
        if found and kind <= max(found):
            raise ValueError(f"{NAMES[kind]} after {NAMES[max(found)]}")
        if kind in (DESTINATION, SOURCE):
            found[kind], at = _read_prefix(value, at + 1, width)
        else:
            found[kind], at = _read_matches(value, at + 1, kind)
    return found


class UnknownComponent(ValueError):
    """Not wrong, but not for us to read."""


def rd_of(key: bytes) -> bytes:
    """Of a VPN family."""
    head = 2 if key[0] >= 0xF0 else 1
    return key[head : head + 8]


def value_of(key: bytes, vpn: bool) -> bytes:
    """The components, without length and distinguisher."""
    return key[(2 if key[0] >= 0xF0 else 1) + (8 if vpn else 0) :]


def _read_prefix(value: bytes, at: int, width: int) -> tuple[PrefixMatch, int]:
    head = 1 if width == 32 else 2
    if at + head > len(value):
        raise ValueError("a prefix is cut off")
    length = value[at]
    offset = value[at + 1] if head == 2 else 0
    if length > width or offset > length or (offset and offset == length):
        raise ValueError(f"a prefix of length {length} and offset {offset}")
    bits = length - offset
    after = at + head + (bits + 7) // 8
    if after > len(value):
        raise ValueError("a prefix is cut off")
    number = int.from_bytes(value[at + head : after] + bytes(width // 8 - (after - at - head)), "big") >> offset
    return PrefixMatch(Prefix.of(number.to_bytes(width // 8, "big"), length), offset), after


def _read_matches(value: bytes, at: int, kind: int) -> tuple[tuple[Match, ...], int]:
    matches: list[Match] = []
    while at < len(value):
        operator = value[at]
        after = at + 1 + (1 << (operator >> 4 & 3))
        if after > len(value):
            break
        known = AND | (NOT | MATCH if kind in BITMASKS else LT | GT | EQ)
        # RFC 8955 section 4.2.1.1: AND means nothing in the first one, reserved bits nothing at all.
        known &= ~AND if not matches else 0xFF
        matches.append(Match(operator & known, int.from_bytes(value[at + 1 : after], "big")))
        at = after
        if operator & END:
            return tuple(matches), at
    raise ValueError(f"{NAMES[kind]} has no end")


def fault(key: bytes, width: int, vpn: bool) -> str:
    """Why a key that was received is no flow specification; empty: it is one, as far as it can be read."""
    if vpn and len(value_of(key, False)) < 8:
        return "flow specification without a route distinguisher"
    try:
        parse(key, width, vpn)
    except UnknownComponent:
        return ""
    except ValueError as why:
        return f"flow specification: {why}"
    return ""


# ---- the NLRI field --------------------------------------------------------------------------------------------------


def _cut(data: bytes, errors: list[str], width: int, vpn: bool) -> list[bytes]:
    keys: list[bytes] = []
    position = 0
    end = len(data)
    while position < end:
        # RFC 8955 section 4.1: 0xfnnn is a length of two octets, anything below 240 one of one.
        size = data[position]
        head = 1
        if size >= 0xF0:
            head = 2
            size = (size & 0x0F) << 8 | data[position + 1] if position + 1 < end else end
        after = position + head + size
        if after > end:
            raise SessionReset(3, 9, b"", "a flow specification runs over the end of the NLRI field")
        key = data[position:after]
        position = after
        why = fault(key, width, vpn)
        if why:
            errors.append(why)
        else:
            keys.append(key)
    return keys


def split4(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return [(key, b"") for key in _cut(data, errors, 32, False)]


def split6(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return [(key, b"") for key in _cut(data, errors, 128, False)]


def split4_vpn(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return [(key, b"") for key in _cut(data, errors, 32, True)]


def split6_vpn(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return [(key, b"") for key in _cut(data, errors, 128, True)]


def split4_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return _cut(data, errors, 32, False)


def split6_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return _cut(data, errors, 128, False)


def split4_vpn_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return _cut(data, errors, 32, True)


def split6_vpn_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return _cut(data, errors, 128, True)


def join(key: bytes, payload: bytes) -> bytes:
    return key


def join_withdraw(key: bytes) -> bytes:
    return key


# ---- text ------------------------------------------------------------------------------------------------------------


def text4(key: bytes) -> str:
    return _text(key, 32, False)


def text6(key: bytes) -> str:
    return _text(key, 128, False)


def text4_vpn(key: bytes) -> str:
    return f"[rd:{RouteDistinguisher(rd_of(key))}]{_text(key, 32, True)}"


def text6_vpn(key: bytes) -> str:
    return f"[rd:{RouteDistinguisher(rd_of(key))}]{_text(key, 128, True)}"


def _text(key: bytes, width: int, vpn: bool) -> str:
    """``[destination:10.1.2.0/24][protocol:=tcp][destination-port:>=80&<=90]``; hexadecimal for what we cannot read."""
    try:
        components = parse(key, width, vpn)
    except ValueError:
        return f"[flow:{value_of(key, vpn).hex()}]"
    return "".join([f"[{NAMES[kind]}:{_component(kind, value)}]" for kind, value in components.items()]) or "[any]"


def _component(kind: int, value: Component) -> str:
    if isinstance(value, PrefixMatch):
        return f"{value.prefix}" + (f" from bit {value.offset}" if value.offset else "")
    words: list[str] = []
    for operator, number in value:
        joint = "" if not words else "&" if operator & AND else "|"
        sign = _TESTS[operator & 3] if kind in BITMASKS else _COMPARISONS[operator & 7]
        shown = f"0x{number:x}" if kind in BITMASKS else str(number)
        words.append(f"{joint}{sign}{_PROTOCOLS.get(number, shown) if kind == PROTOCOL else shown}")
    return "".join(words)
