"""TCP without TCP: connections between endpoints in memory, with latency, cuts and silence.

An endpoint is what the speaker makes of an engine: it asks for connections, accepts them, gives bytes and takes them.
Bytes of one direction keep their order; both directions take `latency` seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.sim.clock import Clock

READ = 65536
"""Bytes a write at most, as a socket's buffer would take."""


class Speaking(Protocol):
    """The speaker's side of an engine."""

    @property
    def ready_connections(self) -> set[int]: ...
    def take_connects(self) -> list[PeerConfig]: ...
    def connected(self, peer: str, local_address: str, now: float) -> int | None: ...
    def connect_failed(self, peer: str, reason: str, now: float) -> None: ...
    def accept(self, remote_address: str, local_address: str, now: float) -> int | None: ...
    def received(self, conn: int, data: bytes, now: float) -> None: ...
    def closed(self, conn: int, reason: str, now: float) -> None: ...
    def take_bytes(self, conn: int, budget: int, now: float) -> bytes: ...
    def take_closes(self) -> list[int]: ...
    def next_deadline(self) -> float: ...
    def tick(self, now: float) -> None: ...


class Side:
    """One end of a connection."""

    __slots__ = ("address", "conn", "endpoint", "open", "other")

    def __init__(self, address: str, endpoint: Speaking) -> None:
        self.address = address
        self.endpoint = endpoint
        self.conn: int | None = None
        self.open = True
        self.other: Side


class Network:
    """`endpoints` listen at their address as long as they are in it."""

    def __init__(self, clock: Clock, latency: Callable[[], float]) -> None:
        self.clock = clock
        self.latency = latency
        self.endpoints: dict[str, Speaking] = {}
        self.links: dict[str, str] = {}
        """Interface of an unnumbered peer -> the address at its other end; one name a fleet."""
        self.cuts: set[frozenset[str]] = set()
        """Pairs of addresses that do not reach each other: connects fail, bytes are lost with the connection."""
        self.sides: dict[tuple[int, int], Side] = {}
        """(id of endpoint, connection) -> side."""
        self._last: dict[int, float] = {}
        """When the last bytes sent by a side arrive: none may overtake them."""

    def serve(self, address: str, endpoint: Speaking) -> None:
        """Does for an endpoint what a speaker does: connects, closes, bytes."""
        now = self.clock.now
        for config in endpoint.take_connects():
            self._connect(address, endpoint, config)
        for conn in sorted(endpoint.ready_connections):
            side = self.sides.get((id(endpoint), conn))
            if side is None or not side.open:
                endpoint.ready_connections.discard(conn)
                continue
            while data := endpoint.take_bytes(conn, READ, now):
                self._deliver(side, data)
        for conn in endpoint.take_closes():
            side = self.sides.get((id(endpoint), conn))
            if side is not None and side.open:
                while data := endpoint.take_bytes(conn, READ, now):
                    self._deliver(side, data)
                self._shut(side, "closed")

    def _connect(self, address: str, endpoint: Speaking, config: PeerConfig) -> None:
        to = self.links.get(config.address, config.address)

        def arrive() -> None:
            target = self.endpoints.get(to)
            if target is None or self.is_cut(address, to) or self.endpoints.get(address) is not endpoint:
                self.clock.after(self.latency(), lambda: self._refused(endpoint, config))
                return
            near, far = Side(address, endpoint), Side(to, target)
            near.other, far.other = far, near
            far.conn = target.accept(address, to, self.clock.now)
            if far.conn is None:
                self.clock.after(self.latency(), lambda: self._refused(endpoint, config))
                return
            self.sides[(id(target), far.conn)] = far
            self._in_order(far, lambda: self._acked(near, config))

        self.clock.after(self.latency(), arrive)

    def _acked(self, near: Side, config: PeerConfig) -> None:
        if not near.open:
            return
        near.conn = near.endpoint.connected(config.address, near.address, self.clock.now)
        if near.conn is None:
            self._shut(near, "not needed")
        else:
            self.sides[(id(near.endpoint), near.conn)] = near

    def _refused(self, endpoint: Speaking, config: PeerConfig) -> None:
        endpoint.connect_failed(config.address, "Connection refused", self.clock.now)

    def _in_order(self, sender: Side, call: Callable[[], None]) -> None:
        when = max(self.clock.now + self.latency(), self._last.get(id(sender), 0.0))
        self._last[id(sender)] = when
        self.clock.at(when, call)

    def _deliver(self, sender: Side, data: bytes) -> None:
        receiver = sender.other

        def arrive() -> None:
            if receiver.open and receiver.conn is not None and not self.is_cut(sender.address, receiver.address):
                receiver.endpoint.received(receiver.conn, data, self.clock.now)

        self._in_order(sender, arrive)

    def _shut(self, side: Side, reason: str) -> None:
        """This side closes; the other one reads the end after the last bytes."""
        side.open = False
        if side.conn is not None:
            self.sides.pop((id(side.endpoint), side.conn), None)
            side.endpoint.closed(side.conn, reason, self.clock.now)
        other = side.other

        def end() -> None:
            if other.open:
                other.open = False
                if other.conn is not None:
                    self.sides.pop((id(other.endpoint), other.conn), None)
                    other.endpoint.closed(other.conn, "closed by the peer", self.clock.now)

        self._in_order(side, end)

    # ---- faults

    def is_cut(self, a: str, b: str) -> bool:
        return frozenset((a, b)) in self.cuts

    def cut(self, a: str, b: str) -> None:
        """Silence: nothing arrives any more, no end of TCP either; new connections fail."""
        self.cuts.add(frozenset((a, b)))

    def heal(self, a: str, b: str) -> None:
        self.cuts.discard(frozenset((a, b)))

    def reset(self, a: str, b: str) -> None:
        """TCP resets of all connections between two addresses."""
        for side in list(self.sides.values()):
            if side.open and {side.address, side.other.address} == {a, b}:
                self._shut(side, "Connection reset by peer")

    def vanish(self, address: str) -> None:
        """The process at an address is gone; its kernel ends the connections."""
        endpoint = self.endpoints.pop(address, None)
        for side in [side for side in self.sides.values() if side.endpoint is endpoint]:
            self._shut(side, "gone")
