"""The peers: which connections belong to which session, and what the sessions' events mean for the RIB.

Connections have numbers of the engine's own, unique over all peers. Dynamic neighbours (route reflector clients
accepted by prefix) come with their first connection and go when neither a connection nor a kept path is left of them.

What a lost session leaves is `hornpipe.engine.retention`'s, what a peer may cost `hornpipe.engine.limits`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.notification import (
    ADMINISTRATIVE_RESET,
    ADMINISTRATIVE_SHUTDOWN,
    CEASE,
    CONFIGURATION_CHANGE,
    MAXIMUM_PREFIXES,
    OUT_OF_RESOURCES,
    PEER_DECONFIGURED,
    Notification,
)
from hornpipe.bgp.refresh import REQUEST
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.bgp.session.event import CloseConnection, Established, RefreshReceived, SessionDown, UpdateReceived
from hornpipe.bgp.session.fsm import Session
from hornpipe.bgp.session.negotiation import Negotiated
from hornpipe.engine.clients import Clients, NotAccepted, canonical, config_of
from hornpipe.engine.deadlines import Deadlines
from hornpipe.engine.neighbour import Neighbour, make, session_of
from hornpipe.engine.reader import Reader
from hornpipe.engine.retention import retention, without_forwarding
from hornpipe.engine.settings import ClientRange, Settings
from hornpipe.engine.throttle import throttle, unthrottle
from hornpipe.net.ip import Address
from hornpipe.rib.rib import Rib

FIRST_WORDS = 1.0
"""Seconds in which a new session has said what it knows, if it does not say so itself by End-of-RIB."""
DIGESTION = 0.2
"""Seconds until what came before an End-of-RIB has been carried through to the instances."""

MESSAGE = 4096
"""A budget of bytes is turned into one of messages by the usual limit; short messages make it fewer bytes."""


class Peers:
    def __init__(
        self,
        rib: Rib,
        settings: Settings,
        jitter: Callable[[], float],
        notify: Callable[[str, str, str], None],
        on_end_of_rib: Callable[[Neighbour, int], None],
    ) -> None:
        self.rib = rib
        self.settings = settings
        self.jitter = jitter
        self.notify = notify
        self.on_end_of_rib = on_end_of_rib
        self.by_address: dict[str, Neighbour] = {}
        self.ready: set[int] = set()
        self.heard_by = inf if settings.peers else -inf
        """When what the peers had to say is known; inf: no peer is established, -inf: none is configured."""
        self.restarting = False
        self.running = False
        self._connections: dict[int, tuple[Neighbour, Session, int]] = {}
        """The engine's number -> (peer, session, the session's number). A replaced session still has last words."""
        self._by_source: dict[object, Neighbour] = {}
        self._numbers = 0
        self._sources = 0
        self._closes: list[int] = []
        self._wanting: dict[str, Neighbour] = {}
        self._deadlines = Deadlines()
        self._leaving: dict[Neighbour, None] = {}
        """Dynamic neighbours without a connection of which paths are still kept."""
        self._clients = Clients()

    def __iter__(self) -> Iterator[Neighbour]:
        return iter(self.by_address.values())

    # ---- configuration

    def start(self, now: float, restarting: bool) -> None:
        """Opens for business: everything local is known, so what we send can end in End-of-RIB."""
        self.running, self.restarting = True, restarting
        for config in self.settings.peers:
            self._add(config, now)

    def _add(self, config: PeerConfig, now: float, clients: ClientRange | None = None) -> Neighbour:
        self._sources += 1
        neighbour = make(config, self._sources, self.jitter, self.restarting, clients)
        self.by_address[config.address] = neighbour
        self._by_source[neighbour.source] = neighbour
        self._start(neighbour, now)
        return neighbour

    def _start(self, neighbour: Neighbour, now: float) -> None:
        neighbour.now = now
        neighbour.session.on_update = Reader(neighbour, self.rib, self.notify, self._ended).update
        neighbour.session.start(now)
        self._settle(neighbour, now)

    def configure(self, settings: Settings, now: float) -> list[str]:
        """Peers that are the same are not touched; a changed one is a new session, its paths are kept meanwhile."""
        old, self.settings = self.settings, settings
        if not self.running:
            return []
        changed: list[str] = []
        wanted = {config.address: config for config in settings.peers}
        for config in old.peers:
            if config.address not in wanted:
                changed.append(f"peer {config.address}")
                self._remove(self.by_address[config.address], now)
        for address, config in wanted.items():
            neighbour = self.by_address.get(address)
            if neighbour is not None and neighbour.clients is not None:
                self._remove(neighbour, now)  # a dynamic neighbour that has got a configuration of its own
                neighbour = None
            if neighbour is None:
                changed.append(f"peer {address}")
                self._add(config, now)
            elif neighbour.config != config:
                changed.append(f"peer {address}")
                self._replace(neighbour, config, now)
        ranges = settings.reflector.clients if settings.reflector is not None else ()
        for neighbour in [n for n in self if n.clients is not None and n.clients not in ranges]:
            changed.append(f"peer {neighbour.name}")
            self._remove(neighbour, now)
        if not settings.peers:
            self.heard_by = -inf
        return changed

    def _remove(self, neighbour: Neighbour, now: float) -> None:
        neighbour.session.stop(now, Notification(CEASE, PEER_DECONFIGURED))
        self._settle(neighbour, now)
        self.rib.source_down(neighbour.source, None, now)
        self._forget(neighbour)

    def _forget(self, neighbour: Neighbour) -> None:
        del self.by_address[neighbour.name]
        self._deadlines.forget(neighbour)
        self._leaving.pop(neighbour, None)
        self._by_source.pop(neighbour.source, None)
        self._wanting.pop(neighbour.name, None)
        if neighbour.clients is not None:
            self._clients.forget(neighbour.clients)

    def _replace(self, neighbour: Neighbour, config: PeerConfig, now: float) -> None:
        neighbour.session.stop(now, Notification(CEASE, CONFIGURATION_CHANGE))
        self._settle(neighbour, now)
        if neighbour.config.role != config.role:
            self.rib.source_down(neighbour.source, None, now)
            neighbour.source.client = config.role == "client"
        neighbour.configure(config)
        neighbour.connections = {}
        neighbour.session = session_of(config, self.jitter, False)
        self._start(neighbour, now)

    def reset(self, address: str, now: float) -> bool:
        neighbour = self.by_address.get(address)
        if neighbour is None:
            return False
        neighbour.session.stop(now, Notification(CEASE, ADMINISTRATIVE_RESET))
        self._settle(neighbour, now)
        self._again(neighbour, now)
        return True

    def _again(self, neighbour: Neighbour, now: float) -> None:
        """Out of IDLE, to which an operator or a limit had sent it."""
        neighbour.limits.exceeded = None
        neighbour.idle_until = inf
        neighbour.session.start(now)
        self._settle(neighbour, now)
        self._reap(neighbour)

    def stop(self, now: float) -> None:
        """Silently where graceful restart was negotiated, so that the peers keep our paths (RFC 4724 section 5)."""
        self.running = False
        for neighbour in list(self):
            negotiated = neighbour.session.negotiated
            graceful = negotiated is not None and negotiated.graceful_restart is not None
            neighbour.session.stop(now, None if graceful else Notification(CEASE, ADMINISTRATIVE_SHUTDOWN))
            self._settle(neighbour, now)

    # ---- TCP

    def take_connects(self) -> list[PeerConfig]:
        wanting, self._wanting = self._wanting, {}
        return [n.session.config for n in wanting.values() if n.session.take_connect()]

    def connected(self, address: str, local_address: str, now: float) -> int | None:
        neighbour = self.by_address.get(address)
        if neighbour is None:
            return None
        number = neighbour.session.outgoing(now)
        return self._enter(neighbour, number, local_address, now)

    def connect_failed(self, address: str, reason: str, now: float) -> None:
        neighbour = self.by_address.get(address)
        if neighbour is not None:
            neighbour.session.connect_failed(now, reason)
            self._settle(neighbour, now)

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        if not self.running:
            return None
        address = canonical(remote_address)
        neighbour = self.by_address.get(address) or self._by_link(address) or self._accept_dynamic(address, now)
        if neighbour is None:
            return None
        return self._enter(neighbour, neighbour.session.incoming(now), local_address, now)

    def _by_link(self, address: str) -> Neighbour | None:
        """Whoever is at the other end of an unnumbered peer's link."""
        neighbour = self.by_address.get(address.partition("%")[2])
        if neighbour is None or not neighbour.config.interface:
            return None
        if neighbour.established and neighbour.remote_address != address:
            return None  # somebody else on that link
        neighbour.remote_address = address
        return neighbour

    def located(self, name: str, address: str, now: float) -> None:
        """An unnumbered peer is at this link-local address, with its zone; told again when its link comes back."""
        neighbour = self.by_address.get(name)
        if neighbour is not None and neighbour.config.interface and not neighbour.established:
            neighbour.remote_address = address
            neighbour.session.hurry(now)
            self._settle(neighbour, now)

    def link_lost(self, name: str, reason: str, now: float) -> None:
        """The link of an unnumbered peer is gone: so is the session, and what was reached through it."""
        neighbour = self.by_address.get(name)
        if neighbour is None or not neighbour.config.interface:
            return
        neighbour.link_lost = True
        for number in list(neighbour.connections):
            neighbour.session.closed(number, now, reason)
        self._settle(neighbour, now)
        neighbour.link_lost = False

    def _accept_dynamic(self, address: str, now: float) -> Neighbour | None:
        try:
            clients = self._clients.admit(address, self.settings)
        except NotAccepted as refusal:
            self.notify("peer.refused", address, str(refusal))
            return None
        return self._add(config_of(address, clients, self.settings), now, clients)

    def _enter(self, neighbour: Neighbour, number: int | None, local_address: str, now: float) -> int | None:
        if number is None:
            self._settle(neighbour, now)
            self._reap(neighbour)
            return None
        self._numbers += 1
        self._connections[self._numbers] = (neighbour, neighbour.session, number)
        neighbour.connections[number] = self._numbers
        neighbour.local_address = local_address
        conn = self._numbers
        self._settle(neighbour, now)
        return conn

    def received(self, conn: int, data: bytes, now: float) -> None:
        entry = self._connections.get(conn)
        if entry is None:
            return
        neighbour, session, number = entry
        if session is neighbour.session:
            neighbour.now = now
            before = neighbour.said if neighbour.pace is not None else 0
            session.receive(number, data, now)
            self._settle(neighbour, now)
            if neighbour.pace is not None and neighbour.conn == conn:
                throttle(neighbour, neighbour.pace, neighbour.said - before, now, self.notify)
                self._deadlines.note(neighbour, neighbour.next_deadline())

    def rests_until(self, conn: int) -> float:
        entry = self._connections.get(conn)
        if entry is None or entry[0].pace is None or entry[0].conn != conn:
            return -inf
        return entry[0].pace.until

    def closed(self, conn: int, reason: str, now: float) -> None:
        entry = self._connections.pop(conn, None)
        self.ready.discard(conn)
        if entry is None:
            return
        neighbour, session, number = entry
        session.closed(number, now, reason)
        if session is neighbour.session:
            neighbour.connections.pop(number, None)
            self._settle(neighbour, now)
            self._reap(neighbour)

    def _reap(self, neighbour: Neighbour) -> None:
        """A dynamic neighbour of which nothing is left; one that passed a limit is remembered until it may return."""
        known = self.by_address.get(neighbour.name) is neighbour
        if not known or neighbour.clients is None or neighbour.connections:
            self._leaving.pop(neighbour, None)
        elif neighbour.source.intakes or neighbour.limits.exceeded is not None:
            self._leaving[neighbour] = None
        else:
            self._forget(neighbour)

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        entry = self._connections.get(conn)
        if entry is None:
            self.ready.discard(conn)
            return b""
        neighbour, session, number = entry
        rib, peer = self.rib, neighbour.peer
        if peer is not None and neighbour.conn == conn and rib.has_updates(peer):
            messages = rib.take_updates(peer, max(1, budget // MESSAGE))
            if messages:
                session.send(b"".join(messages), now)
            self._deadlines.note(neighbour, session.next_deadline())
        data = session.data_to_send(number)
        if number not in session.ready and (peer is None or neighbour.conn != conn or not rib.has_updates(peer)):
            self.ready.discard(conn)
        return data

    def take_closes(self) -> list[int]:
        closes, self._closes = self._closes, []
        return closes

    def wake(self) -> None:
        """Peers for which the RIB has something are ready to be written to."""
        for peer in self.rib.ready_peers:
            neighbour = self._by_source.get(peer.source)
            if neighbour is not None and neighbour.conn is not None and neighbour.peer is peer:
                self.ready.add(neighbour.conn)

    # ---- time

    def next_deadline(self) -> float:
        return self._deadlines.next

    def tick(self, now: float) -> None:
        for neighbour in self._deadlines.take(now):
            if neighbour.idle_until <= now:
                self._again(neighbour, now)
            neighbour.session.handle_timeout(now)
            self._refresh(neighbour, now)
            if neighbour.pace is not None:
                unthrottle(neighbour, neighbour.pace, now, self.notify)
            self._settle(neighbour, now)
        for neighbour in list(self._leaving):
            self._reap(neighbour)

    # ---- what sessions say

    def _ended(self, neighbour: Neighbour, family: int) -> None:
        """An End-of-RIB came."""
        neighbour.end_of_rib.add(family)
        if family == EVPN:
            self.heard_by = min(self.heard_by, neighbour.now + DIGESTION)
        self.on_end_of_rib(neighbour, family)

    def _settle(self, neighbour: Neighbour, now: float) -> None:
        """After every call into a session: its events, its bytes, its wish to connect."""
        session = neighbour.session
        neighbour.now = now
        while (event := session.next_event()) is not None:
            if isinstance(event, UpdateReceived):
                self._late_update(neighbour, event.body, now)
            elif isinstance(event, Established):
                self._up(neighbour, event.conn, event.negotiated, now)
            elif isinstance(event, SessionDown):
                self._down(neighbour, event, now)
            elif isinstance(event, RefreshReceived):
                if event.subtype == REQUEST:
                    neighbour.refreshes.ask(event.family, now)
                    self._refresh(neighbour, now)
            elif isinstance(event, CloseConnection):
                conn = neighbour.connections.get(event.conn)
                if conn is not None:
                    self._closes.append(conn)
        for number in session.ready:
            conn = neighbour.connections.get(number)
            if conn is not None:
                self.ready.add(conn)
        if session.wants_connect:
            self._wanting[neighbour.name] = neighbour
        self._deadlines.note(neighbour, neighbour.next_deadline())

    def _refresh(self, neighbour: Neighbour, now: float) -> None:
        for family in neighbour.refreshes.take(now):
            if neighbour.peer is not None:
                self.rib.refresh(neighbour.peer, family)

    def _late_update(self, neighbour: Neighbour, body: bytes, now: float) -> None:
        """An UPDATE that came in one segment with what established the session."""
        if neighbour.peer is None or neighbour.session.on_update is None:
            return
        try:
            neighbour.session.on_update(body)
        except SessionReset as error:
            neighbour.session.fail(error, now)

    def _up(self, neighbour: Neighbour, number: int, negotiated: Negotiated, now: float) -> None:
        peer = neighbour.up(negotiated)
        neighbour.conn = neighbour.connections.get(number)
        limit = now + max(self.settings.stale_time, neighbour.restart_time)
        self.rib.source_up(neighbour.source, negotiated.families, now, limit)
        for family in without_forwarding(neighbour, negotiated):
            self.rib.drop_stale(neighbour.source, family)
        self.rib.peer_up(peer, now)
        if self.heard_by == inf:
            self.heard_by = now + FIRST_WORDS
        self.notify("peer.up", neighbour.name, f"AS {negotiated.remote_as}, id {Address(negotiated.remote_id)}")

    def _down(self, neighbour: Neighbour, event: SessionDown, now: float) -> None:
        if neighbour.peer is not None:
            self.rib.peer_down(neighbour.peer)
        neighbour.peer = neighbour.conn = None
        if self.settings.peers and not any(other.established for other in self):
            self.heard_by = inf
        kept = retention(neighbour, self.settings.stale_time, event.graceful, now)
        self.rib.source_down(
            neighbour.source, kept.until, now, kept.families, long_lived=kept.long_lived, reason=event.reason
        )
        self.notify("peer.down", neighbour.name, event.reason)
        limited = event.code == CEASE and event.subcode in (MAXIMUM_PREFIXES, OUT_OF_RESOURCES)
        if limited and neighbour.limits.exceeded is not None:
            self._exile(neighbour, event.reason, now)

    def _exile(self, neighbour: Neighbour, reason: str, now: float) -> None:
        """It passed a limit and stays in IDLE for a while."""
        pause = neighbour.limits.exceeded.restart if neighbour.limits.exceeded is not None else 0.0
        neighbour.idle_until = now + pause if pause else inf
        neighbour.session.stop(now, None)
        until = f"for {pause:g} s" if pause else "until it is reset"
        neighbour.session.reason = f"{reason}; idle {until}"
        self.notify("peer.idle", neighbour.name, neighbour.session.reason)
