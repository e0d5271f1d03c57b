"""Capabilities of an OPEN (RFC 5492): one row each in `CODECS`, unknown ones kept as they are.

Multiprotocol (RFC 4760), route refresh (RFC 2918), enhanced refresh (RFC 7313), extended messages (RFC 8654), extended
next hop (RFC 8950), graceful restart (RFC 4724, RFC 8538) and its long-lived kind (RFC 9494), 4-octet AS (RFC 6793).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import IPV4_UNICAST

MULTIPROTOCOL: Final = 1
REFRESH: Final = 2
EXTENDED_NEXT_HOP: Final = 5
EXTENDED_MESSAGE: Final = 6
GRACEFUL_RESTART: Final = 64
AS4: Final = 65
ENHANCED_REFRESH: Final = 70
LONG_LIVED_RESTART: Final = 71

NAMES: Final[dict[int, str]] = {
    1: "multiprotocol",
    2: "route-refresh",
    3: "outbound-route-filtering",
    5: "extended-next-hop",
    6: "extended-message",
    7: "bgpsec",
    8: "multiple-labels",
    9: "role",
    64: "graceful-restart",
    65: "4-octet-as",
    67: "dynamic-capability",
    69: "add-path",
    70: "enhanced-route-refresh",
    71: "long-lived-graceful-restart",
    73: "fqdn",
    75: "software-version",
    128: "route-refresh-cisco",
}


class GracefulRestart(msgspec.Struct, frozen=True):
    """RFC 4724 section 3. `families` says for each whether forwarding state was preserved (the F bit)."""

    restarting: bool = False
    """The R bit: the speaker restarted, the receiver must not wait for its End-of-RIB."""
    notification: bool = False
    """The N bit: a NOTIFICATION is covered too, except a hard reset (RFC 8538)."""
    time: int = 0
    """Seconds, 12 bits."""
    families: dict[int, bool] = {}


class LongLived(msgspec.Struct, frozen=True):
    """One family of long-lived graceful restart (RFC 9494 section 3)."""

    preserved: bool
    """The F bit: forwarding state was preserved."""
    time: int
    """Long-lived Stale Time in seconds, 24 bits."""


class Capabilities(msgspec.Struct, frozen=True):
    families: tuple[int, ...] = ()
    as4: bool = True
    route_refresh: bool = True
    enhanced_refresh: bool = False
    extended_message: bool = False
    graceful_restart: GracefulRestart | None = None
    extended_next_hop: tuple[tuple[int, int], ...] = ()
    """Pairs of a family and the AFI its next hop may have (RFC 8950)."""
    long_lived: dict[int, LongLived] | None = None
    """Family -> what RFC 9494 says of it."""
    unknown: tuple[tuple[int, bytes], ...] = ()

    @property
    def effective_families(self) -> tuple[int, ...]:
        """RFC 4760 section 8: a peer without the multiprotocol capability speaks IPv4 unicast alone."""
        return self.families or (IPV4_UNICAST,)

    def names(self) -> tuple[str, ...]:
        """Words for ``show peers``, in the order of the capability codes."""
        codes = {code for code, _ in self.unknown}
        codes |= {code for code, (_, encoder) in CODECS.items() if encoder(self, 0)}
        return tuple(NAMES.get(code, f"capability-{code}") for code in sorted(codes))

    def encode(self, my_as: int) -> bytes:
        """The capability TLVs, without the optional parameter around them."""
        values = [(code, value) for code, (_, encoder) in CODECS.items() for value in encoder(self, my_as)]
        return b"".join(bytes((code, len(value))) + value for code, value in (*values, *self.unknown))


def _bad(code: int, value: bytes) -> SessionReset:
    """RFC 5492 has no subcode for a malformed capability; RFC 4271 section 6.2: unspecific."""
    return SessionReset(2, 0, bytes((code, len(value))) + value, f"malformed capability {NAMES[code]}")


def _read_multiprotocol(value: bytes, fields: dict[str, Any]) -> None:
    if len(value) != 4:
        raise _bad(MULTIPROTOCOL, value)
    family = value[0] << 16 | value[1] << 8 | value[3]
    if family not in fields["families"]:
        fields["families"] += (family,)


def _write_multiprotocol(capabilities: Capabilities, _: int) -> list[bytes]:
    return [(f >> 8).to_bytes(2, "big") + bytes((0, f & 0xFF)) for f in capabilities.families]


def _flag(code: int, field: str) -> tuple[_Reader, _Writer]:
    """A capability without a value: present or not."""

    def read(value: bytes, fields: dict[str, Any]) -> None:
        if value:
            raise _bad(code, value)
        fields[field] = True

    def write(capabilities: Capabilities, _: int) -> list[bytes]:
        return [b""] if getattr(capabilities, field) else []

    return read, write


def _read_next_hop(value: bytes, fields: dict[str, Any]) -> None:
    if len(value) % 6:
        raise _bad(EXTENDED_NEXT_HOP, value)
    for at in range(0, len(value), 6):
        family = value[at] << 16 | value[at + 1] << 8 | value[at + 3]
        fields["extended_next_hop"] += ((family, value[at + 4] << 8 | value[at + 5]),)


def _write_next_hop(capabilities: Capabilities, _: int) -> list[bytes]:
    parts = [
        (family >> 8).to_bytes(2, "big") + bytes((0, family & 0xFF)) + afi.to_bytes(2, "big")
        for family, afi in capabilities.extended_next_hop
    ]
    # A value has at most 255 bytes; RFC 5492 section 4 allows the same capability again with another value.
    return [b"".join(parts[at : at + 42]) for at in range(0, len(parts), 42)]


def _read_restart(value: bytes, fields: dict[str, Any]) -> None:
    if len(value) < 2 or len(value) % 4 != 2:
        raise _bad(GRACEFUL_RESTART, value)
    families = {
        value[at] << 16 | value[at + 1] << 8 | value[at + 2]: bool(value[at + 3] & 0x80)
        for at in range(2, len(value), 4)
    }
    time = (value[0] & 0x0F) << 8 | value[1]
    fields["graceful_restart"] = GracefulRestart(bool(value[0] & 0x80), bool(value[0] & 0x40), time, families)


def _write_restart(capabilities: Capabilities, _: int) -> list[bytes]:
    restart = capabilities.graceful_restart
    if restart is None:
        return []
    head = (restart.restarting << 15 | restart.notification << 14 | restart.time & 0x0FFF).to_bytes(2, "big")
    return [head + b"".join(f.to_bytes(3, "big") + bytes((kept << 7,)) for f, kept in restart.families.items())]


def _read_long_lived(value: bytes, fields: dict[str, Any]) -> None:
    if len(value) % 7:
        raise _bad(LONG_LIVED_RESTART, value)
    found: dict[int, LongLived] = {}
    for at in range(0, len(value), 7):
        family = int.from_bytes(value[at : at + 3], "big")
        found[family] = LongLived(bool(value[at + 3] & 0x80), int.from_bytes(value[at + 4 : at + 7], "big"))
    fields["long_lived"] = found


def _write_long_lived(capabilities: Capabilities, _: int) -> list[bytes]:
    if capabilities.long_lived is None:
        return []
    rows = capabilities.long_lived.items()
    return [b"".join(f.to_bytes(3, "big") + bytes((r.preserved << 7,)) + r.time.to_bytes(3, "big") for f, r in rows)]


def _read_as4(value: bytes, fields: dict[str, Any]) -> None:
    if len(value) != 4:
        raise _bad(AS4, value)
    fields["as4"] = True
    fields["my_as"] = int.from_bytes(value, "big")


def _write_as4(capabilities: Capabilities, my_as: int) -> list[bytes]:
    return [my_as.to_bytes(4, "big")] if capabilities.as4 else []


_Reader = Callable[[bytes, dict[str, Any]], None]
_Writer = Callable[[Capabilities, int], list[bytes]]

CODECS: Final[dict[int, tuple[_Reader, _Writer]]] = {
    MULTIPROTOCOL: (_read_multiprotocol, _write_multiprotocol),
    REFRESH: _flag(REFRESH, "route_refresh"),
    EXTENDED_NEXT_HOP: (_read_next_hop, _write_next_hop),
    EXTENDED_MESSAGE: _flag(EXTENDED_MESSAGE, "extended_message"),
    GRACEFUL_RESTART: (_read_restart, _write_restart),
    AS4: (_read_as4, _write_as4),
    ENHANCED_REFRESH: _flag(ENHANCED_REFRESH, "enhanced_refresh"),
    LONG_LIVED_RESTART: (_read_long_lived, _write_long_lived),
}
"""code -> (reader into the fields of `Capabilities`, writer of the values to send)."""


def decode(data: bytes, fields: dict[str, Any]) -> None:
    """Reads the TLVs of one optional parameter into `fields`; see `blank_fields`."""
    at = 0
    while at < len(data):
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            raise SessionReset(2, 0, b"", "a capability runs over the end of its parameter")
        code = data[at]
        value = data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + len(value)
        codec = CODECS.get(code)
        if codec is not None:
            codec[0](value, fields)
        elif (code, value) not in fields["unknown"]:
            # RFC 5492 section 4: the same capability and value twice counts once.
            fields["unknown"] += ((code, value),)


def blank_fields() -> dict[str, Any]:
    """Where `decode` starts: nothing offered. `my_as` appears when the 4-octet AS capability is there."""
    return {
        "families": (),
        "as4": False,
        "route_refresh": False,
        "enhanced_refresh": False,
        "extended_message": False,
        "graceful_restart": None,
        "extended_next_hop": (),
        "long_lived": None,
        "unknown": (),
    }
