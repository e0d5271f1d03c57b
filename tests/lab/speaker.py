"""A scripted BGP speaker: a blocking socket, an OPEN, and then whatever the test or the benchmark says."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from hornpipe.demo.host import Host
from hornpipe.demo.until import LIMIT, TooLate
from tests.lab import wire


class SessionEnded(AssertionError):
    """The peer closed the session; the text has its NOTIFICATION."""


class Speaker:
    """One session. `messages` hands out whole messages as they come; KEEPALIVEs are answered when asked to wait."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        router_id: str,
        asn: int = 64512,
        families: Sequence[wire.Family] = (wire.EVPN,),
        hold: int = 90,
        restart: int = 0,
    ) -> None:
        self.connection = connection
        self.router_id = router_id
        self._open = wire.open_message(asn, router_id, families, hold, restart)
        self._left = b""
        self._early: list[tuple[int, bytes]] = []
        """What came together with the peer's first KEEPALIVE."""
        self.peer_open = b""

    @classmethod
    def connect(
        cls, host: Host, address: str, local: str, port: int = 179, limit: float = LIMIT, **how: object
    ) -> Speaker:
        """A session from `host`, with source address `local`, which is the router id too unless given."""
        end = time.monotonic() + limit
        while True:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            connection = host.socket(family, socket.SOCK_STREAM)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.bind((local, 0))
            try:
                connection.connect((address, port))
                speaker = cls(connection, **{"router_id": local, **how})  # type: ignore[arg-type]
                speaker.establish()
                return speaker
            except (OSError, SessionEnded) as error:
                connection.close()
                if time.monotonic() > end:
                    raise TooLate(f"no session with {address} within {limit:g} s: {error}") from error
                time.sleep(0.1)

    @classmethod
    def accept(cls, listener: socket.socket, limit: float = LIMIT, **how: object) -> Speaker:
        listener.settimeout(limit)
        connection, _ = listener.accept()
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        speaker = cls(connection, **how)  # type: ignore[arg-type]
        speaker.establish()
        return speaker

    def establish(self, limit: float = 10.0) -> None:
        self.connection.sendall(self._open)
        end = time.monotonic() + limit
        confirmed, early = False, []
        while not (confirmed and self.peer_open):
            for kind, body in self.receive(max(0.0, end - time.monotonic())):
                if kind == wire.OPEN:
                    self.peer_open = body
                    self.connection.sendall(wire.message(wire.KEEPALIVE))
                elif kind == wire.KEEPALIVE and not confirmed:
                    confirmed = True
                else:
                    early.append((kind, body))
            if time.monotonic() > end:
                raise SessionEnded("no OPEN and KEEPALIVE in time")
        self._early = early

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self, limit: float) -> list[tuple[int, bytes]]:
        """What has come, or comes within `limit` seconds: (type, body) of whole messages."""
        if self._early:
            early, self._early = self._early, []
            return early
        if not select.select([self.connection], [], [], limit)[0]:
            return []
        return self.read()

    def read(self) -> list[tuple[int, bytes]]:
        """One read from the socket: the whole messages that are complete now."""
        data = self.connection.recv(1 << 18)
        if not data:
            raise SessionEnded("closed by the peer")
        data = self._left + data
        found, position, end = [], 0, len(data)
        while end - position >= 19:
            length = data[position + 16] << 8 | data[position + 17]
            if end - position < length:
                break
            found.append((data[position + 18], data[position + 19 : position + length]))
            position += length
        self._left = data[position:]
        for kind, body in found:
            if kind == wire.NOTIFICATION:
                raise SessionEnded(f"NOTIFICATION {body[0]}/{body[1]} {body[2:]!r}")
            if kind == wire.KEEPALIVE and self.peer_open:
                self.connection.sendall(wire.message(wire.KEEPALIVE))
        return found

    def updates(self, limit: float) -> list[bytes]:
        """The UPDATEs that come within `limit` seconds (at least one turn)."""
        return [body for kind, body in self.receive(limit) if kind == wire.UPDATE]

    def expect_routes(self, wanted: int, limit: float = LIMIT) -> set[bytes]:
        """Wait until `wanted` E-VPN routes are held; all of them."""
        held: set[bytes] = set()
        end = time.monotonic() + limit
        while len(held) < wanted:
            for body in self.updates(0.1):
                announced, withdrawn = wire.nlri_of(body)
                held.update(wire.split_evpn(announced))
                held.difference_update(wire.split_evpn(withdrawn))
            if time.monotonic() > end:
                raise TooLate(f"{len(held)} of {wanted} routes within {limit:g} s")
        return held

    def hand_over(self) -> bytes:
        """What was read and not yet handed out, as it came: for another reader of the connection."""
        early, self._early = self._early, []
        return b"".join(wire.message(kind, body) for kind, body in early) + self._left

    def close(self) -> None:
        self.connection.close()
