"""Two sessions on a network that delays and reorders connections come up on the same one; a session survives anything.

The network keeps the order within a connection, nothing else. Time is virtual.
"""

from __future__ import annotations

import heapq
import itertools
import random
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornpipe.bgp import frame
from hornpipe.bgp.notification import Notification
from hornpipe.bgp.session.event import CloseConnection, Established, SessionDown
from hornpipe.bgp.session.fsm import Session
from hornpipe.bgp.session.table import State
from tests.bgp.session.transcript import EMPTY_UPDATE, GRACEFUL, KEEPALIVE, Transcript, config, notify, their_open

Work = tuple[float, int, str, int, int, bytes]


class Network:
    """Two sessions, 0 and 1, and TCP between them. A wire is (number, its connection at 0, its connection at 1)."""

    def __init__(self, seed: int, delay: float, passive: tuple[bool, bool] = (False, False)) -> None:
        self.chance = random.Random(seed)
        self.delay = delay
        self.now = 0.0
        self.sessions = [
            Session(
                config(router_id=bytes((10, 0, 0, 1 + side)), passive=passive[side], graceful_restart_time=120),
                self.chance.random,
            )
            for side in (0, 1)
        ]
        self.wires: list[list[int | None]] = []
        self.conns: list[dict[int, int]] = [{}, {}]
        self.arrival: dict[tuple[int, int], float] = {}
        self.queue: list[Work] = []
        self.order = itertools.count()
        self.downs = 0

    def later(self, side: int, kind: str, wire: int, data: bytes = b"") -> None:
        """Within a wire and direction nothing overtakes."""
        at = self.now + self.chance.uniform(0.001, self.delay)
        if wire >= 0:
            at = max(at, self.arrival.get((side, wire), 0.0))
            self.arrival[side, wire] = at
        heapq.heappush(self.queue, (at, next(self.order), kind, side, wire, data))

    def drain(self, side: int) -> None:
        session = self.sessions[side]
        closes = []
        while (event := session.next_event()) is not None:
            if isinstance(event, CloseConnection):
                closes.append(event.conn)
            self.downs += isinstance(event, SessionDown)
        for conn in [*session.ready]:
            data = session.data_to_send(conn)
            wire = self.conns[side][conn]
            cut = self.chance.randrange(len(data) + 1)
            for part in (data[:cut], data[cut:]):
                if part:
                    self.later(1 - side, "data", wire, part)
        for conn in closes:
            wire = self.conns[side].pop(conn)
            self.wires[wire][side] = None
            self.later(1 - side, "closed", wire)
        if session.take_connect():
            self.later(1 - side, "syn", -1)

    def run(self, until: float) -> None:
        while True:
            due = min((session.next_deadline(), side) for side, session in enumerate(self.sessions))
            at = min(due[0], self.queue[0][0] if self.queue else inf)
            if at > until:
                self.now = until
                return
            self.now = at
            if self.queue and self.queue[0][0] == at:
                _, _, kind, side, wire, data = heapq.heappop(self.queue)
                self.happens(kind, side, wire, data)
                self.drain(side)
            else:
                self.sessions[due[1]].handle_timeout(at)
                self.drain(due[1])

    def happens(self, kind: str, side: int, wire: int, data: bytes) -> None:
        session = self.sessions[side]
        if kind == "syn":
            conn = session.incoming(self.now)
            if conn is None:
                self.later(1 - side, "refused", -1)
                return
            self.wires.append([None, None])
            self.wires[-1][side] = conn
            self.conns[side][conn] = len(self.wires) - 1
            self.later(1 - side, "connected", len(self.wires) - 1)
        elif kind == "refused":
            session.connect_failed(self.now, "refused")
        elif kind == "connected":
            conn = session.outgoing(self.now)
            if conn is None:
                self.later(1 - side, "closed", wire)
            else:
                self.wires[wire][side] = conn
                self.conns[side][conn] = wire
        else:
            conn = self.wires[wire][side]
            if conn is None:
                return
            if kind == "data":
                session.receive(conn, data, self.now)
            else:
                self.wires[wire][side] = None
                self.conns[side].pop(conn)
                session.closed(conn, self.now, "closed")

    def up_wire(self) -> int:
        """Both are established, over one and the same connection."""
        left, right = self.sessions
        assert left.state == right.state == State.ESTABLISHED, (left.state, left.reason, right.state, right.reason)
        wires = [wire for wire in range(len(self.wires)) if None not in self.wires[wire]]
        assert len(wires) == 1, "exactly one connection is left"
        return wires[0]


def start(network: Network, apart: float) -> None:
    network.sessions[0].start(network.now)
    network.drain(0)
    network.run(network.now + apart)
    network.sessions[1].start(network.now)
    network.drain(1)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.002, 0.05, 0.5]), st.sampled_from([0.0, 0.001, 0.03, 0.4, 3.0]))
def test_two_active_sessions_settle_on_one_connection(seed: int, delay: float, apart: float) -> None:
    network = Network(seed, delay)
    start(network, apart)
    network.run(20)
    wire = network.up_wire()
    downs = network.downs
    network.run(300)
    assert network.up_wire() == wire, "and stay there"
    assert network.downs == downs


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.floats(0, 20), st.sampled_from(["stop", "silent", "cut"]))
def test_they_find_each_other_again(seed: int, one_is_passive: bool, pause: float, how: str) -> None:
    network = Network(seed, 0.05, passive=(one_is_passive, False))
    start(network, 0.01)
    network.run(30)
    wire = network.up_wire()
    session = network.sessions[0]
    if how == "cut":
        for side in (0, 1):
            network.later(side, "closed", wire)
    else:
        session.stop(network.now, Notification.shutdown() if how == "stop" else None)
        network.drain(0)
        network.run(network.now + pause)
        session.start(network.now)
        network.drain(0)
    network.run(network.now + 30)
    assert network.up_wire() != wire


MESSAGES = [
    their_open(),
    their_open(graceful_restart=GRACEFUL, extended_message=True),
    their_open(my_as=1),
    KEEPALIVE,
    EMPTY_UPDATE,
    notify(6, 7),
    notify(6, 9, b"\x06\x02"),
    notify(6, 9),
    frame.frame(frame.ROUTE_REFRESH, b"\x00\x19\x00\x46"),
    frame.frame(frame.OPEN, b"\x04\xfc\x00\x00\x5a\x0a\x00\x00\x02\x05\x02\x03\x01\x04\x00"),
    bytes(19),
]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hears"), st.integers(1, 5), st.sampled_from(MESSAGES)),
        st.tuples(st.just("hears"), st.integers(1, 5), st.binary(max_size=40)),
        st.tuples(st.just("hangs_up"), st.integers(1, 5), st.just(b"")),
        st.tuples(st.just("waits"), st.sampled_from([0, 1, 5, 91, 500]), st.just(b"")),
        st.tuples(st.sampled_from(["start", "stop", "knock", "connected", "refused"]), st.just(0), st.just(b"")),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(STEPS, st.booleans())
def test_whatever_happens_the_session_stays_sound(steps: list[tuple[str, int, bytes]], passive: bool) -> None:
    t = Transcript(passive=passive)
    up = False
    for name, number, data in steps:
        if name == "hears":
            lines = t.hears(number, data)
        elif name == "hangs_up":
            lines = t.hangs_up(number)
        elif name == "waits":
            lines = t.waits(number)
        else:
            lines = getattr(t, name)()
        for line in lines:
            # Establishments and their ends alternate.
            words = line.split("s ")[-1] if name == "waits" else line
            if words.startswith("up "):
                assert not up
                up = True
            elif words.startswith("down "):
                assert up
                up = False
        assert up == (t.session.state == State.ESTABLISHED) == (t.session.negotiated is not None)
        assert t.session.next_event() is None
        assert not t.session.ready
    t.stop()
    t.waits(1000)
    assert (t.session.state, t.session.next_deadline()) == (State.IDLE, inf)


@pytest.mark.parametrize("size", [1, 1460, 65536])
def test_every_update_arrives_however_the_stream_is_cut(size: int) -> None:
    t = Transcript().established()
    count = itertools.count()
    t.session.on_update = lambda body: count.__next__() and None
    stream = EMPTY_UPDATE * 1000
    for at in range(0, len(stream), size):
        t.session.receive(1, stream[at : at + size], t.now)
    assert next(count) == 1000


def test_established_event_names_the_connection() -> None:
    t = Transcript()
    t.session.start(t.now)
    t.session.outgoing(t.now)
    t.session.receive(1, their_open() + KEEPALIVE, t.now)
    events = []
    while (event := t.session.next_event()) is not None:
        events.append(event)
    assert [event.conn for event in events if isinstance(event, Established)] == [1]
