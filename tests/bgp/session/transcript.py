"""A session under test, whose every step returns what came of it as lines of text, in order.

``1 > OPEN`` are bytes sent on connection 1, ``1 closed`` is us closing it, a state in capitals is a change of state,
``connect`` asks for a TCP connection, ``up``, ``down``, ``update`` and ``refresh`` go to the layer above.
"""

from __future__ import annotations

from typing import Any

from hornpipe.bgp import family, frame, notification
from hornpipe.bgp.capability import Capabilities, GracefulRestart
from hornpipe.bgp.family import EVPN, RTC
from hornpipe.bgp.notification import Notification
from hornpipe.bgp.open import Open, decode_open
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.bgp.session.event import (
    CloseConnection,
    Established,
    Event,
    RefreshReceived,
    SessionDown,
    StateChanged,
    UpdateReceived,
)
from hornpipe.bgp.session.fsm import Session

OUR_ID = bytes((10, 0, 0, 1))
LOW_ID = bytes((9, 0, 0, 9))
HIGH_ID = bytes((10, 0, 0, 2))

KEEPALIVE = frame.KEEPALIVE_MESSAGE
END_OF_RIB = frame.frame(frame.UPDATE, bytes.fromhex("00000006800f03") + family.packed(EVPN))
EMPTY_UPDATE = frame.frame(frame.UPDATE, bytes(4))

GRACEFUL = GracefulRestart(False, True, 120, {EVPN: True, RTC: True})
GRACEFUL_4724 = GracefulRestart(False, False, 120, {EVPN: True, RTC: True})
"""Without the N bit of RFC 8538."""


def config(**changed: Any) -> PeerConfig:
    fields: dict[str, Any] = {
        "address": "10.0.0.2",
        "local_as": 64512,
        "peer_as": 64512,
        "router_id": OUR_ID,
        "families": (EVPN, RTC),
    }
    return PeerConfig(**fields | changed)


def their_open(
    my_as: int = 64512,
    hold_time: int = 90,
    router_id: bytes = HIGH_ID,
    families: tuple[int, ...] = (EVPN, RTC),
    version: int = 4,
    **capabilities: Any,
) -> bytes:
    offered = Capabilities(families=families, **capabilities)
    return Open(version, my_as, hold_time, router_id, offered).encode()


def notify(code: int, subcode: int = 0, data: bytes = b"") -> bytes:
    return Notification(code, subcode, data).encode()


class Transcript:
    """`jitter` 1 (never returned by a real one) makes the pauses round: 1, 2, 4 ... seconds."""

    def __init__(self, *, jitter: float = 1.0, **changed: Any) -> None:
        self.session = Session(config(**changed), lambda: jitter)
        self.now = 1000.0
        self.clogged: set[int] = set()
        """Connections whose TCP takes nothing."""

    # ---- steps

    def start(self) -> list[str]:
        self.session.start(self.now)
        return self._lines()

    def stop(self, notification: Notification | None = None, *, silently: bool = False) -> list[str]:
        self.session.stop(self.now, None if silently else notification or Notification.shutdown())
        return self._lines()

    def connected(self) -> list[str]:
        conn = self.session.outgoing(self.now)
        return self._lines() if conn is not None else ["not needed"]

    def refused(self, reason: str = "Connection refused") -> list[str]:
        self.session.connect_failed(self.now, reason)
        return self._lines()

    def knock(self) -> list[str]:
        """The peer opens a connection."""
        conn = self.session.incoming(self.now)
        return self._lines() if conn is not None else ["no entry", *self._lines()]

    def hears(self, conn: int, *messages: bytes) -> list[str]:
        self.session.receive(conn, b"".join(messages), self.now)
        return self._lines()

    def hangs_up(self, conn: int, reason: str = "the peer closed the connection") -> list[str]:
        self.session.closed(conn, self.now, reason)
        return self._lines()

    def waits(self, seconds: float) -> list[str]:
        """Time passes; lines carry the second at which they came."""
        end = self.now + seconds
        begin = self.now
        lines: list[str] = []
        while (due := self.session.next_deadline()) <= end:
            self.now = max(self.now, due)
            self.session.handle_timeout(self.now)
            assert self.session.next_deadline() > self.now, "a timer that does not move"
            lines += [f"{self.now - begin:g}s {line}" for line in self._lines()]
        self.now = end
        return lines

    # ---- scenes

    def established(self, *, passive: bool = False, **offer: Any) -> Transcript:
        """Through to ESTABLISHED on connection 1."""
        self.start()
        lines = self.knock() if passive else self.connected()
        lines += self.hears(1, their_open(**offer), KEEPALIVE)
        assert "ESTABLISHED" in lines, lines
        return self

    # ---- lines

    def _lines(self) -> list[str]:
        lines: list[str] = []
        while (event := self.session.next_event()) is not None:
            if isinstance(event, CloseConnection):
                lines += self._sent(event.conn)
            lines.append(_event(event))
        for conn in sorted(self.session.ready - self.clogged):
            lines += self._sent(conn)
        if self.session.take_connect():
            lines.append("connect")
        return lines

    def _sent(self, conn: int) -> list[str]:
        if conn in self.clogged:
            return []
        framer = frame.Framer()
        framer.limit = frame.EXTENDED_LIMIT
        messages = framer.feed(self.session.data_to_send(conn))
        assert framer.error is None
        return [f"{conn} > {_message(kind, body)}" for kind, body in messages]


def _message(kind: int, body: bytes) -> str:
    if kind == frame.OPEN:
        message = decode_open(body)
        return f"OPEN as={message.my_as} hold={message.hold_time}"
    if kind == frame.NOTIFICATION:
        said = notification.decode(body)
        data = f" {said.data.hex()}" if said.data else ""
        return f"NOTIFICATION {said.code}/{said.subcode}{data}"
    return frame.TYPE_NAMES[kind]


def _event(event: Event) -> str:
    match event:
        case StateChanged():
            return event.state.name
        case Established():
            names = ",".join(family.name(each) for each in event.negotiated.families)
            return f"up as={event.negotiated.remote_as} hold={event.negotiated.hold_time} {names}"
        case SessionDown():
            how = "gracefully" if event.graceful else "for good"
            return f"down {how} {event.code}/{event.subcode}: {event.reason}"
        case UpdateReceived():
            return f"update {len(event.body)}"
        case RefreshReceived():
            return f"refresh {family.name(event.family)} {event.subtype}"
        case CloseConnection():
            return f"{event.conn} closed"
