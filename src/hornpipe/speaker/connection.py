"""One TCP connection: bytes to the engine as they come, bytes from the engine as TCP takes them.

Reading: `data_received` feeds the engine synchronously; there is no queue. While the engine is congested a connection
pauses after what it just read, and gets one more turn a second (`hornpipe.speaker.speaker`), so that the peer's
KEEPALIVEs still count. Of a peer that says more than it may (`SpeakerEngine.rests_until`) nothing is read until the
engine says so.

Writing: the transport's high-water mark is zero, so bytes are either in the kernel or still in the engine. A peer that
does not read costs no memory here, and the engine knows that bytes wait (RFC 9687).

Closing: a NOTIFICATION must not be lost to the RST the kernel sends when a socket is closed with unread data, so the
sending half is shut down and what still comes is read and dropped until the peer closes or `LINGER` has passed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Protocol

from hornpipe.speaker.facade import SpeakerEngine

BUDGET = 256 * 1024
"""Bytes written in one go: a good part of a socket buffer, a few milliseconds of the engine's work."""
LINGER = 2.0
"""Seconds to wait for the peer to close after our last word."""
NO_CONN = -1


class ConnectionHost(Protocol):
    """What a connection needs of the speaker."""

    @property
    def engine(self) -> SpeakerEngine: ...
    def now(self) -> float: ...
    def opened(self, connection: Connection) -> int | None:
        """Number of the new connection; None: close it."""

    def after_input(self) -> None: ...
    def congested(self, connection: Connection) -> None:
        """It paused reading."""

    def write_more(self) -> None:
        """The engine has more and TCP takes more, but others should have their turn first."""

    def gone(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    def __init__(self, host: ConnectionHost, loop: asyncio.AbstractEventLoop, peer: str | None) -> None:
        self._host = host
        self._loop = loop
        self.peer = peer
        """The peer we connected to; None for one that came in."""
        self.remote_address = ""
        self.local_address = ""
        self.conn = NO_CONN
        """The engine's number, as long as the engine cares for the bytes."""
        self._number = NO_CONN
        """The engine's number until TCP is gone."""
        self.blocked = False
        """TCP takes no more."""
        self.paused = False
        self._transport: asyncio.Transport | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._resting: asyncio.TimerHandle | None = None
        """Until then nothing is read, congested or not."""

    @property
    def socket(self) -> socket.socket | None:
        if self._transport is None:
            return None
        found: socket.socket | None = self._transport.get_extra_info("socket")
        return found

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self.remote_address = _text(transport.get_extra_info("peername"))
        self.local_address = _text(transport.get_extra_info("sockname"))
        number = self._host.opened(self)
        if number is None:
            transport.close()
            return
        self.conn = self._number = number
        self._host.after_input()

    def data_received(self, data: bytes) -> None:
        if self.conn == NO_CONN:
            return  # lingering
        engine = self._host.engine
        now = self._host.now()
        engine.received(self.conn, data, now)
        if (until := engine.rests_until(self.conn)) > now:
            self._rest(until)
        elif engine.congested:
            self._pause()
        self._host.after_input()

    def eof_received(self) -> bool:
        return False  # close: half-open connections have no use in BGP

    def connection_lost(self, exc: Exception | None) -> None:
        if self._linger is not None:
            self._linger.cancel()
        self._end_rest()
        self._host.gone(self)
        self.conn = NO_CONN
        if self._number != NO_CONN:
            self._host.engine.ready_connections.discard(self._number)
            self._host.engine.closed(self._number, _reason(exc), self._host.now())
            self._host.after_input()

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        if self.write(self._host.now()):
            self._host.write_more()

    # ---- towards the peer

    def write(self, now: float) -> bool:
        """Pulls from the engine once, if TCP takes it. True: there may be more for right now."""
        if self._transport is None or not self._wanted():
            return False
        data = self._host.engine.take_bytes(self.conn, BUDGET, now)
        if not data:
            self._host.engine.ready_connections.discard(self.conn)
            return False
        self._transport.write(data)
        return self._wanted() and self.conn in self._host.engine.ready_connections

    def _wanted(self) -> bool:
        """Both TCP and the engine still want bytes written."""
        return not self.blocked and self.conn != NO_CONN

    def close(self, now: float) -> None:
        """The engine is done with it: its last bytes, then the end."""
        transport, conn = self._transport, self.conn
        if transport is None or conn == NO_CONN:
            return
        spoke = False
        while data := self._host.engine.take_bytes(conn, BUDGET, now):
            transport.write(data)
            spoke = True
        self._host.engine.ready_connections.discard(conn)
        self.conn = NO_CONN
        self._linger = self._loop.call_later(LINGER, transport.abort)
        if not spoke:
            transport.close()
            return
        self._end_rest()
        self.resume()
        if not transport.is_closing():
            transport.write_eof()

    def abort(self) -> None:
        self.conn = NO_CONN
        if self._transport is not None:
            self._transport.abort()

    # ---- back-pressure

    def _pause(self) -> None:
        if self._stop_reading():
            self._host.congested(self)

    def _rest(self, until: float) -> None:
        if self._stop_reading():
            self._resting = self._loop.call_at(until, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if self._host.engine.congested:
            self._host.congested(self)
        else:
            self.resume()

    def _end_rest(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _stop_reading(self) -> bool:
        if self.paused or self._transport is None or self._transport.is_closing():
            return False
        self.paused = True
        self._transport.pause_reading()
        return True

    def resume(self) -> None:
        if self.paused and self._resting is None and self._transport is not None:
            self.paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()


def _text(name: tuple[object, ...] | None) -> str:
    """The address of a socket name; with the zone where it has no meaning without (fe80::/10)."""
    if not name:
        return ""
    address = str(name[0])
    if len(name) == 4 and address.lower().startswith("fe80:") and "%" not in address and isinstance(name[3], int):
        return f"{address}%{socket.if_indextoname(name[3])}"
    return address


def _reason(exc: Exception | None) -> str:
    if exc is None:
        return "the peer closed the connection"
    if isinstance(exc, OSError) and exc.errno:
        return f"connection lost: {os.strerror(exc.errno)}"
    return f"connection lost: {exc}"
