"""OPEN (RFC 4271 section 4.2, errors of 6.2), with 4-octet AS (RFC 6793), identifiers of RFC 6286, AS 0 of RFC 7607
and extended optional parameters (RFC 9072).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hornpipe.bgp import capability, frame
from hornpipe.bgp.capability import Capabilities
from hornpipe.bgp.error import SessionReset

AS_TRANS: Final = 23456
VERSION: Final = 4

CAPABILITIES_PARAMETER: Final = 2
EXTENDED_PARAMETERS: Final = 255


class Open(msgspec.Struct, frozen=True):
    version: int
    my_as: int
    """The 4-octet number if the capability is there, otherwise the field of the message."""
    hold_time: int
    router_id: bytes
    capabilities: Capabilities

    def encode(self) -> bytes:
        """A whole message, all capabilities in one optional parameter."""
        short_as = self.my_as if self.my_as < 1 << 16 else AS_TRANS
        head = bytes((self.version,)) + short_as.to_bytes(2, "big") + self.hold_time.to_bytes(2, "big")
        tlvs = self.capabilities.encode(self.my_as)
        if not tlvs:
            parameters = b"\x00"
        elif len(tlvs) <= 253:
            parameters = bytes((len(tlvs) + 2, CAPABILITIES_PARAMETER, len(tlvs))) + tlvs
        else:
            # RFC 9072 section 2: a non-zero old length, type 255, then lengths of two octets.
            long = bytes((CAPABILITIES_PARAMETER,)) + len(tlvs).to_bytes(2, "big") + tlvs
            parameters = b"\xff\xff" + len(long).to_bytes(2, "big") + long
        return frame.frame(frame.OPEN, head + self.router_id + parameters)


def decode_open(body: bytes) -> Open:
    """Checks everything that does not depend on configuration; the AS and the identifier of a peer are the FSM's."""
    if len(body) < 10:
        raise SessionReset(1, 2, (len(body) + 19).to_bytes(2, "big"), "OPEN too short")
    if body[0] != VERSION:
        # RFC 4271 section 6.2: data is the largest version we speak.
        raise SessionReset(2, 1, VERSION.to_bytes(2, "big"), f"BGP version {body[0]}")
    fields = capability.blank_fields()
    _read_parameters(body, fields)
    my_as: int = fields.pop("my_as", body[1] << 8 | body[2])
    if my_as == 0:
        raise SessionReset(2, 2, b"", "AS 0 (RFC 7607)")
    hold_time = body[3] << 8 | body[4]
    if hold_time in (1, 2):
        raise SessionReset(2, 6, b"", f"hold time {hold_time}")
    router_id = body[5:9]
    if not any(router_id):
        # RFC 6286 section 2.3: any non-zero value is an identifier.
        raise SessionReset(2, 3, b"", "BGP identifier 0.0.0.0")
    return Open(body[0], my_as, hold_time, router_id, Capabilities(**fields))


def _read_parameters(body: bytes, fields: dict[str, Any]) -> None:
    end = 10 + body[9]
    at = 10
    size = 1
    if body[9] and len(body) >= 13 and body[10] == EXTENDED_PARAMETERS:
        # RFC 9072 section 2: the old length may have any non-zero value and is ignored.
        end = 13 + (body[11] << 8 | body[12])
        at = 13
        size = 2
    if end != len(body):
        raise SessionReset(2, 0, b"", f"optional parameters end at {end}, the message at {len(body)}")
    while at < end:
        if at + 1 + size > end:
            raise SessionReset(2, 0, b"", "an optional parameter is cut off")
        kind = body[at]
        length = int.from_bytes(body[at + 1 : at + 1 + size], "big")
        at += 1 + size
        if at + length > end:
            raise SessionReset(2, 0, b"", "an optional parameter runs over the end")
        if kind != CAPABILITIES_PARAMETER:
            raise SessionReset(2, 4, b"", f"optional parameter {kind}")
        capability.decode(body[at : at + length], fields)
        at += length
