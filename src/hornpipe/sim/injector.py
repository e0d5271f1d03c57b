"""A BGP speaker that says what it is told and remembers what it hears: the far side of tests, with the real session."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.attr.block import decode
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.bgp.session.event import CloseConnection, Established, SessionDown, UpdateReceived
from hornpipe.bgp.session.fsm import Session
from hornpipe.bgp.update import end_of_rib, pack_reach, pack_unreach, parse

Route = tuple[bytes, bytes, bytes, bytes]
"""(key, payload, attribute block, next hop)"""


class Injector:
    """One session. `routes` is sent in full, with End-of-RIB, whenever the session comes up."""

    def __init__(self, config: PeerConfig, now: float, jitter: Callable[[], float] = lambda: 0.5) -> None:
        self.config = config
        self.session = Session(config, jitter)
        self.session.on_update = self._update
        self.routes: dict[tuple[int, bytes], Route] = {}
        self.heard: dict[tuple[int, bytes], tuple[bytes, Attributes]] = {}
        """(family, key) -> (payload, attributes), of the present session."""
        self.ends: set[int] = set()
        """Families whose End-of-RIB was heard."""
        self.announcements = 0
        """Routes heard in the present session, repetitions counted."""
        self.sends_end = True
        self.established = False
        self.downs: list[str] = []
        self.ready_connections: set[int] = set()
        self._closes: list[int] = []
        self._left: dict[int, bytes] = {}
        """What did not fit into a write."""
        self._now = now
        self.session.start(now)
        self._settle()

    # ---- what it says

    def announce(self, key: bytes, payload: bytes, attributes: bytes, next_hop: bytes, family: int = EVPN) -> None:
        self.routes[(family, key)] = (key, payload, attributes, next_hop)
        self._say(self._reach(family, [self.routes[(family, key)]]))

    def withdraw(self, key: bytes, family: int = EVPN) -> None:
        if self.routes.pop((family, key), None) is not None:
            self._say(pack_unreach(family, [FAMILIES[family].join_withdraw(key)], 4096))

    def _reach(self, family: int, routes: Iterable[Route]) -> list[bytes]:
        buckets: dict[tuple[bytes, bytes], list[bytes]] = {}
        for key, payload, attributes, next_hop in routes:
            buckets.setdefault((attributes, next_hop), []).append(FAMILIES[family].join(key, payload))
        return [
            message
            for (attributes, next_hop), nlris in buckets.items()
            for message in pack_reach(family, next_hop, attributes, nlris, 4096)
        ]

    def say(self, messages: Iterable[bytes]) -> None:
        """Whole messages, as they are."""
        self._say(list(messages))

    def _say(self, messages: list[bytes]) -> None:
        if self.established and messages:
            self.session.send(b"".join(messages), self._now)
            self._settle()

    def settle(self, now: float) -> None:
        """After its session was told something directly."""
        self._now = now
        self._settle()

    def restart(self, now: float) -> None:
        self.session.start(now)
        self.settle(now)

    # ---- what it hears

    def _update(self, body: bytes) -> None:
        update = parse(body)
        if update.end_of_rib:
            self.ends.add(update.end_of_rib)
        if update.unreach:
            for key in FAMILIES[update.unreach_family].split_withdraw(update.unreach, []):
                self.heard.pop((update.unreach_family, key), None)
        if update.reach:
            family = update.reach_family
            internal = self.config.internal
            attributes = decode(update.attributes, update.next_hop, internal=internal, as4=True, family=family)
            for key, payload in FAMILIES[family].split(update.reach, []):
                self.announcements += 1
                self.heard[(family, key)] = (payload, attributes)

    def _settle(self) -> None:
        while (event := self.session.next_event()) is not None:
            if isinstance(event, Established):
                self.established = True
                self.announcements = 0
                self.heard.clear()
                self.ends.clear()
                for family in event.negotiated.families:
                    mine = [route for (of, _), route in self.routes.items() if of == family]
                    end = [end_of_rib(family)] if self.sends_end else []
                    self.session.send(b"".join([*self._reach(family, mine), *end]), self._now)
            elif isinstance(event, UpdateReceived):
                self._update(event.body)
            elif isinstance(event, SessionDown):
                self.established = False
                self.downs.append(event.reason)
            elif isinstance(event, CloseConnection):
                self._closes.append(event.conn)
        self.ready_connections.update(self.session.ready)

    # ---- the speaker's side

    def take_connects(self) -> list[PeerConfig]:
        return [self.config] if self.session.take_connect() else []

    def connected(self, peer: str, local_address: str, now: float) -> int | None:
        self._now = now
        conn = self.session.outgoing(now)
        self._settle()
        return conn

    def connect_failed(self, peer: str, reason: str, now: float) -> None:
        self._now = now
        self.session.connect_failed(now, reason)
        self._settle()

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        self._now = now
        conn = self.session.incoming(now)
        self._settle()
        return conn

    def received(self, conn: int, data: bytes, now: float) -> None:
        self._now = now
        self.session.receive(conn, data, now)
        self._settle()

    def rests_until(self, conn: int) -> float:
        return 0.0

    def closed(self, conn: int, reason: str, now: float) -> None:
        self._now = now
        self.session.closed(conn, now, reason)
        self._settle()

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        self._now = now
        self.ready_connections.discard(conn)
        data = self._left.pop(conn, b"") + self.session.data_to_send(conn)
        if len(data) > budget:
            self._left[conn] = data[budget:]
        return data[:budget]

    def take_closes(self) -> list[int]:
        closes, self._closes = self._closes, []
        return closes

    def next_deadline(self) -> float:
        return self.session.next_deadline()

    def tick(self, now: float) -> None:
        self._now = now
        self.session.handle_timeout(now)
        self._settle()
