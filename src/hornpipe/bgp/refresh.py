"""ROUTE-REFRESH (RFC 2918) and its enhanced subtypes (RFC 7313)."""

from __future__ import annotations

from typing import Final

from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.frame import ROUTE_REFRESH, frame

REQUEST: Final = 0
BEGIN: Final = 1
END: Final = 2


def encode(family: int, subtype: int = REQUEST) -> bytes:
    """A whole message."""
    return frame(ROUTE_REFRESH, (family >> 8).to_bytes(2, "big") + bytes((subtype, family & 0xFF)))


def decode(body: bytes) -> tuple[int, int]:
    """Family and subtype. An unknown subtype is for the caller to ignore (RFC 7313 section 5)."""
    if len(body) < 4:
        raise SessionReset(1, 2, (len(body) + 19).to_bytes(2, "big"), "ROUTE-REFRESH too short")
    subtype = body[2]
    # RFC 7313 section 5: only subtypes 1 and 2 have a fixed length; a request may carry ORF entries (RFC 5291).
    if subtype in (BEGIN, END) and len(body) != 4:
        raise SessionReset(7, 1, frame(ROUTE_REFRESH, body), f"ROUTE-REFRESH subtype {subtype} of {len(body)} bytes")
    return body[0] << 16 | body[1] << 8 | body[3], subtype
