"""TCP without TCP: connections between endpoints in memory, with latency, cuts and silence.

An endpoint is what the speaker makes of an engine: it asks for connections, accepts them, gives bytes and takes them.
Bytes of one direction keep their order; both directions take `latency` seconds, which differ from one segment to the
next, so what goes over two connections is reordered. What meets a cut is sent again when it has healed, as TCP does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.sim.clock import Clock

READ = 65536
"""Bytes a write at most, as a socket's buffer would take."""

RESEND = 0.2
"""Seconds after a cut has healed until TCP sends again what was lost: its shortest retransmission time."""

Call: TypeAlias = Callable[[], None]
Tap: TypeAlias = Callable[[str, str, str, bytes], None]
"""(what arrives: ``connect``, ``data`` or ``end``; from, to; the bytes)"""


def no_tap(what: str, sender: str, receiver: str, data: bytes) -> None:
    """Nobody listens."""


class Speaking(Protocol):
    """The speaker's side of an engine."""

    @property
    def ready_connections(self) -> set[int]: ...
    def take_connects(self) -> list[PeerConfig]: ...
    def connected(self, peer: str, local_address: str, now: float) -> int | None: ...
    def connect_failed(self, peer: str, reason: str, now: float) -> None: ...
    def accept(self, remote_address: str, local_address: str, now: float) -> int | None: ...
    def received(self, conn: int, data: bytes, now: float) -> None: ...
    def rests_until(self, conn: int) -> float: ...
    def closed(self, conn: int, reason: str, now: float) -> None: ...
    def take_bytes(self, conn: int, budget: int, now: float) -> bytes: ...
    def take_closes(self) -> list[int]: ...
    def next_deadline(self) -> float: ...
    def tick(self, now: float) -> None: ...


class Side:
    """One end of a connection."""

    __slots__ = ("address", "conn", "endpoint", "last", "open", "other", "unread")

    def __init__(self, address: str, endpoint: Speaking) -> None:
        self.address = address
        self.endpoint = endpoint
        self.conn: int | None = None
        self.open = True
        self.other: Side
        self.last = 0.0
        """When the last bytes sent by this side arrive: none may overtake them."""
        self.unread: deque[Call] = deque()
        """What has arrived at this side and waits, for the process makes the other one wait."""


class Network:
    """`endpoints` listen at their address as long as they are in it."""

    def __init__(self, clock: Clock, latency: Callable[[], float], tap: Tap = no_tap) -> None:
        self.clock = clock
        self.latency = latency
        self.tap = tap
        self.endpoints: dict[str, Speaking] = {}
        self.links: dict[str, str] = {}
        """Interface of an unnumbered peer -> the address at its other end; one name a fleet."""
        self.cuts: set[frozenset[str]] = set()
        """Pairs of addresses that do not reach each other: connects fail, bytes wait for the cut to heal."""
        self.sides: dict[tuple[int, int], Side] = {}
        """(id of endpoint, connection) -> side."""
        self.awake: dict[str, None] = {}
        """Addresses at which something has happened, to be served."""
        self.slow: dict[str, float] = {}
        """Address -> seconds that everything from it and to it takes beside the latency."""
        self.messages = 0
        """Segments delivered."""
        self.octets = 0
        self._held: dict[frozenset[str], list[Call]] = {}
        """What waits for a cut to heal."""
        self._frozen: dict[str, list[Call]] = {}
        """What waits in the buffers of a process that is stopped."""

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

    def _wait(self, a: str, b: str) -> float:
        return self.latency() + self.slow.get(a, 0.0) + self.slow.get(b, 0.0)

    def _connect(self, address: str, endpoint: Speaking, config: PeerConfig) -> None:
        to = self.links.get(config.address, config.address)

        def refuse() -> None:
            refused = partial(self._refused, address, endpoint, config)
            self.clock.after(self._wait(address, to), lambda: self._reach(address, refused))

        def arrive() -> None:
            target = self.endpoints.get(to)
            if target is None or self.is_cut(address, to) or self.endpoints.get(address) is not endpoint:
                refuse()
                return
            self.tap("connect", address, to, b"")
            self.awake[to] = None
            near, far = Side(address, endpoint), Side(to, target)
            near.other, far.other = far, near
            far.conn = target.accept(address, to, self.clock.now)
            if far.conn is None:
                refuse()
                return
            self.sides[(id(target), far.conn)] = far
            self._in_order(far, lambda: self._acked(near, config))

        self.clock.after(self._wait(address, to), lambda: self._reach(to, arrive))

    def _acked(self, near: Side, config: PeerConfig) -> None:
        if not near.open:
            return
        if self.endpoints.get(near.address) is not near.endpoint:  # it has gone meanwhile
            self._shut(near, "gone")
            return
        self.awake[near.address] = None
        near.conn = near.endpoint.connected(config.address, near.address, self.clock.now)
        if near.conn is None:
            self._shut(near, "not needed")
        else:
            self.sides[(id(near.endpoint), near.conn)] = near

    def _refused(self, address: str, endpoint: Speaking, config: PeerConfig) -> None:
        if self.endpoints.get(address) is endpoint:
            self.awake[address] = None
            endpoint.connect_failed(config.address, "Connection refused", self.clock.now)

    def _in_order(self, sender: Side, call: Call) -> None:
        """At the other side, after all that was sent before, when no cut is between and the process there runs."""
        a, b = sender.address, sender.other.address
        sender.last = max(self.clock.now + self._wait(a, b), sender.last)
        self.clock.at(sender.last, lambda: self._pass(a, b, call))

    def _pass(self, sender: str, receiver: str, call: Call) -> None:
        pair = frozenset((sender, receiver))
        held = self._held.get(pair)
        if held is not None or pair in self.cuts:
            self._held.setdefault(pair, []).append(lambda: self._reach(receiver, call))
        else:
            self._reach(receiver, call)

    def _reach(self, receiver: str, call: Call) -> None:
        waiting = self._frozen.get(receiver)
        if waiting is None:
            call()
        else:
            waiting.append(call)

    def _deliver(self, sender: Side, data: bytes) -> None:
        receiver = sender.other

        def arrive() -> None:
            if receiver.open and receiver.conn is not None:
                self.messages += 1
                self.octets += len(data)
                self.tap("data", sender.address, receiver.address, data)
                self.awake[receiver.address] = None
                receiver.endpoint.received(receiver.conn, data, self.clock.now)

        self._in_order(sender, lambda: self._read(receiver, arrive))

    def _read(self, side: Side, call: Call) -> None:
        side.unread.append(call)
        if len(side.unread) == 1:
            self._read_on(side)

    def _read_on(self, side: Side) -> None:
        """Until it is to rest. A process that is stopped meanwhile does not read either."""
        while side.unread:
            until = side.endpoint.rests_until(side.conn) if side.open and side.conn is not None else 0.0
            if until > self.clock.now:
                self.clock.at(until, lambda: self._reach(side.address, lambda: self._read_on(side)))
                return
            side.unread[0]()
            side.unread.popleft()

    def _shut(self, side: Side, reason: str) -> None:
        """This side closes; the other one reads the end after the last bytes."""
        side.open = False
        if side.conn is not None:
            self.sides.pop((id(side.endpoint), side.conn), None)
            self._reach(side.address, partial(self._closed, side, side.conn, reason))
        other = side.other

        def end() -> None:
            if other.open:
                other.open = False
                if other.conn is not None:
                    self.tap("end", side.address, other.address, b"")
                    self.sides.pop((id(other.endpoint), other.conn), None)
                    self._closed(other, other.conn, "closed by the peer")

        self._in_order(side, lambda: self._read(other, end))

    def _closed(self, side: Side, conn: int, reason: str) -> None:
        self.awake[side.address] = None
        side.endpoint.closed(conn, reason, self.clock.now)

    # ---- faults

    def is_cut(self, a: str, b: str) -> bool:
        return frozenset((a, b)) in self.cuts

    def cut(self, a: str, b: str) -> None:
        """Silence: nothing arrives any more, no end of TCP either; new connections fail."""
        self.cuts.add(frozenset((a, b)))

    def heal(self, a: str, b: str) -> None:
        pair = frozenset((a, b))
        if pair in self.cuts:
            self.cuts.discard(pair)
            self.clock.after(RESEND, lambda: self._resend(pair))

    def _resend(self, pair: frozenset[str]) -> None:
        """All that waits, in its order, unless there is another cut by now."""
        if pair not in self.cuts:
            for call in self._held.pop(pair, ()):
                call()

    def freeze(self, address: str) -> None:
        """The process there does not run: nothing is read; its kernel answers for it as long as buffers last."""
        self._frozen.setdefault(address, [])

    def thaw(self, address: str) -> None:
        for call in self._frozen.pop(address, ()):
            call()

    def is_frozen(self, address: str) -> bool:
        return address in self._frozen

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
        for call in self._frozen.pop(address, ()):  # nobody reads it, but who waits for an answer gets a refusal
            call()
