"""NOTIFICATION: why a session ends, as numbers and as words.

RFC 4271 section 4.5 and 6, cease subcodes of RFC 4486 and RFC 8538, shutdown text of RFC 9003, send hold timer of
RFC 9687, ROUTE-REFRESH errors of RFC 7313.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hornpipe.bgp import frame
from hornpipe.bgp.error import SessionReset

HEADER_ERROR: Final = 1
OPEN_ERROR: Final = 2
UPDATE_ERROR: Final = 3
HOLD_TIMER_EXPIRED: Final = 4
FSM_ERROR: Final = 5
CEASE: Final = 6
REFRESH_ERROR: Final = 7
SEND_HOLD_TIMER_EXPIRED: Final = 8

MAXIMUM_PREFIXES: Final = 1
ADMINISTRATIVE_SHUTDOWN: Final = 2
PEER_DECONFIGURED: Final = 3
ADMINISTRATIVE_RESET: Final = 4
CONNECTION_REJECTED: Final = 5
CONFIGURATION_CHANGE: Final = 6
COLLISION: Final = 7
OUT_OF_RESOURCES: Final = 8
HARD_RESET: Final = 9

CODES: Final[dict[int, str]] = {
    1: "Message Header Error",
    2: "OPEN Message Error",
    3: "UPDATE Message Error",
    4: "Hold Timer Expired",
    5: "Finite State Machine Error",
    6: "Cease",
    7: "ROUTE-REFRESH Message Error",
    8: "Send Hold Timer Expired",
}

SUBCODES: Final[dict[tuple[int, int], str]] = {
    (1, 1): "Connection Not Synchronized",
    (1, 2): "Bad Message Length",
    (1, 3): "Bad Message Type",
    (2, 1): "Unsupported Version Number",
    (2, 2): "Bad Peer AS",
    (2, 3): "Bad BGP Identifier",
    (2, 4): "Unsupported Optional Parameter",
    (2, 6): "Unacceptable Hold Time",
    (2, 7): "Unsupported Capability",
    (2, 11): "Role Mismatch",
    (3, 1): "Malformed Attribute List",
    (3, 2): "Unrecognized Well-known Attribute",
    (3, 3): "Missing Well-known Attribute",
    (3, 4): "Attribute Flags Error",
    (3, 5): "Attribute Length Error",
    (3, 6): "Invalid ORIGIN Attribute",
    (3, 8): "Invalid NEXT_HOP Attribute",
    (3, 9): "Optional Attribute Error",
    (3, 10): "Invalid Network Field",
    (3, 11): "Malformed AS_PATH",
    (5, 1): "Receive Unexpected Message in OpenSent State",
    (5, 2): "Receive Unexpected Message in OpenConfirm State",
    (5, 3): "Receive Unexpected Message in Established State",
    (6, 1): "Maximum Number of Prefixes Reached",
    (6, 2): "Administrative Shutdown",
    (6, 3): "Peer De-configured",
    (6, 4): "Administrative Reset",
    (6, 5): "Connection Rejected",
    (6, 6): "Other Configuration Change",
    (6, 7): "Connection Collision Resolution",
    (6, 8): "Out of Resources",
    (6, 9): "Hard Reset",
    (6, 10): "BFD Down",
    (7, 1): "Invalid Message Length",
}


def name(code: int, subcode: int) -> str:
    """``Cease/Administrative Shutdown (6/2)``, as operators know it from GoBGP."""
    words = CODES.get(code, "Unknown Code")
    detail = SUBCODES.get((code, subcode), "")
    if not detail and subcode:
        detail = "Unknown Subcode"
    return f"{words}{'/' + detail if detail else ''} ({code}/{subcode})"


class Notification(msgspec.Struct, frozen=True):
    code: int
    subcode: int = 0
    data: bytes = b""

    @classmethod
    def shutdown(cls, text: str = "", subcode: int = ADMINISTRATIVE_SHUTDOWN) -> Notification:
        """Cease with a text for the operator at the other end, at most 255 bytes of UTF-8 (RFC 9003 section 2)."""
        raw = text.encode()[:255].decode("utf-8", "ignore").encode()
        return cls(CEASE, subcode, bytes((len(raw),)) + raw if raw else b"")

    @classmethod
    def of(cls, error: SessionReset) -> Notification:
        return cls(error.code, error.subcode, error.data)

    @property
    def is_hard_reset(self) -> bool:
        """RFC 8538 section 3: the session ends without graceful restart even though NOTIFICATION is covered by it."""
        return self.code == CEASE and self.subcode == HARD_RESET

    def hard(self) -> Notification:
        """This one inside a hard reset (RFC 8538 section 3)."""
        return Notification(CEASE, HARD_RESET, bytes((self.code, self.subcode)) + self.data)

    @property
    def message(self) -> str:
        """The peer operator's text of a shutdown or reset (RFC 9003), also inside a hard reset; otherwise empty."""
        subcode, data = self.subcode, self.data
        if self.is_hard_reset and len(data) >= 2 and data[0] == CEASE:
            subcode, data = data[1], data[2:]
        if self.code != CEASE or subcode not in (ADMINISTRATIVE_SHUTDOWN, ADMINISTRATIVE_RESET) or not data:
            return ""
        # RFC 9003 section 3: a length beyond the data or bytes that are not UTF-8 must not be trusted, only shown.
        return data[1 : 1 + data[0]].decode("utf-8", "backslashreplace")

    def encode(self) -> bytes:
        """A whole message."""
        return frame.frame(frame.NOTIFICATION, bytes((self.code, self.subcode)) + self.data)

    def __str__(self) -> str:
        text = self.message
        inside = f" of {name(self.data[0], self.data[1])}" if self.is_hard_reset and len(self.data) >= 2 else ""
        return name(self.code, self.subcode) + inside + (f": {text}" if text else "")


def decode(body: bytes) -> Notification:
    if len(body) < 2:
        raise SessionReset(1, 2, (len(body) + 19).to_bytes(2, "big"), "NOTIFICATION too short")
    return Notification(body[0], body[1], body[2:])
