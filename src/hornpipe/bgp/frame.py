"""BGP messages out of a byte stream and into it (RFC 4271 section 4.1, errors of section 6.1, lengths of RFC 8654).

`Framer` is fed what the socket gave, in any cut, and returns whole messages without their header. It keeps at most one
incomplete message; bytes of one that is still growing are appended, so a peer that sends byte by byte costs no
repeated copies.
"""

from __future__ import annotations

from typing import Final

from hornpipe.bgp.error import SessionReset

OPEN: Final = 1
UPDATE: Final = 2
NOTIFICATION: Final = 3
KEEPALIVE: Final = 4
ROUTE_REFRESH: Final = 5

HEADER_LENGTH: Final = 19
STANDARD_LIMIT: Final = 4096
EXTENDED_LIMIT: Final = 65535

MARKER: Final = b"\xff" * 16
KEEPALIVE_MESSAGE: Final = MARKER + b"\x00\x13\x04"

TYPE_NAMES: Final[dict[int, str]] = {
    OPEN: "OPEN",
    UPDATE: "UPDATE",
    NOTIFICATION: "NOTIFICATION",
    KEEPALIVE: "KEEPALIVE",
    ROUTE_REFRESH: "ROUTE-REFRESH",
}

SHORTEST: Final[dict[int, int]] = {OPEN: 29, UPDATE: 23, NOTIFICATION: 21, KEEPALIVE: 19, ROUTE_REFRESH: 23}


def frame(kind: int, body: bytes) -> bytes:
    """A whole message; the caller keeps to the length limit of the session."""
    return MARKER + (len(body) + 19).to_bytes(2, "big") + kind.to_bytes(1, "big") + body


class Framer:
    """Cuts a stream into ``(type, body)``.

    `limit` is 4096 until both sides offered extended messages (RFC 8654), then 65535; OPEN and KEEPALIVE never grow.
    After a bad header the messages before it are returned, `error` says what to send, and nothing more is read.
    """

    __slots__ = ("_buffer", "_need", "error", "limit")

    def __init__(self) -> None:
        self.limit: int = STANDARD_LIMIT
        self.error: SessionReset | None = None
        self._buffer: bytearray = bytearray()
        self._need: int = HEADER_LENGTH

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        messages: list[tuple[int, bytes]] = []
        if self.error is not None:
            return messages
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return messages
            data = bytes(self._buffer)
            self._buffer.clear()
        position = 0
        end = len(data)
        limit = self.limit
        while end - position >= 19:
            length = data[position + 16] << 8 | data[position + 17]
            kind = data[position + 18]
            # One comparison for the common case; everything unusual goes through `_check`.
            if kind != 2 or length < 23 or length > limit or not data.startswith(MARKER, position):
                self.error = self._check(data[position : position + 19])
                if self.error is not None:
                    return messages
            after = position + length
            if after > end:
                break
            messages.append((kind, data[position + 19 : after]))
            position = after
        if position < end:
            self._buffer += data[position:]
            rest = end - position
            self._need = self._buffer[16] << 8 | self._buffer[17] if rest >= 19 else 19
        return messages

    def _check(self, header: bytes) -> SessionReset | None:
        """RFC 4271 section 6.1, in its order: marker, type and length."""
        if header[:16] != MARKER:
            return SessionReset(1, 1, b"", "marker is not all ones")
        length = header[16] << 8 | header[17]
        kind = header[18]
        if length < 19:
            return SessionReset(1, 2, header[16:18], f"length {length} is less than 19")
        shortest = SHORTEST.get(kind)
        if shortest is None:
            return SessionReset(1, 3, header[18:19], f"message type {kind} is not known")
        # RFC 8654 section 4: the extended limit is not for OPEN and KEEPALIVE.
        longest = STANDARD_LIMIT if kind == OPEN else 19 if kind == KEEPALIVE else self.limit
        if length < shortest or length > longest:
            return SessionReset(1, 2, header[16:18], f"{TYPE_NAMES[kind]} of length {length}")
        return None
