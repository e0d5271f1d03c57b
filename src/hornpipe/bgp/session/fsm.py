"""A BGP session with one peer, without I/O and without a clock: bytes and time go in, bytes and events come out.

What happens in which state is `hornpipe.bgp.session.table`; its actions are in `hornpipe.bgp.session.driver`. This
module turns calls into inputs of that table, and decides between the two connections of RFC 4271 section 6.8.

Use::

    session = Session(config, jitter)         # jitter() is uniform in [0, 1)
    session.start(now)
    if session.take_connect(): ...            # open TCP, then outgoing(now) or connect_failed(now, reason)
    conn = session.incoming(now)              # the peer opened TCP; None: close it
    session.receive(conn, data, now)
    session.closed(conn, now, reason)         # TCP ended
    while (event := session.next_event()) is not None: ...
    for conn in list(session.ready): session.data_to_send(conn)
    session.handle_timeout(now)               # at next_deadline() at the latest; earlier does no harm

UPDATEs are the hot path: `on_update(body)` is called from within `receive`, no event is made. Only while an earlier
event waits to be taken (`Established` and the first UPDATEs may share a segment) an UPDATE is queued behind it, as
`UpdateReceived`. `on_update` may raise `SessionReset` or call `fail`.

Numbers of connections are never used twice in a session. Implements RFC 4271 sections 6, 8 and 10, RFC 4486, RFC 4724
sections 4 and 5, RFC 5492, RFC 6286, RFC 6608, RFC 8538 and RFC 9687.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from hornpipe.bgp import frame, notification, refresh
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.notification import Notification
from hornpipe.bgp.open import Open, decode_open
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.bgp.session.driver import NOTHING, Cause, Driver
from hornpipe.bgp.session.event import Event, RefreshReceived, UpdateReceived
from hornpipe.bgp.session.machine import Machine
from hornpipe.bgp.session.negotiation import negotiate
from hornpipe.bgp.session.table import Input, State

RESTART_AFTER = 5.0
"""A new connection from the peer means that it restarted (RFC 4724 section 5) only if the session is older than this:
two connections opened at the same moment are a collision."""

COLLISION = Notification(notification.CEASE, notification.COLLISION)


class Session(Driver):
    def __init__(self, config: PeerConfig, jitter: Callable[[], float]) -> None:
        super().__init__(config, jitter)
        self.on_update: Callable[[bytes], None] | None = None

    # ---- operator

    def start(self, now: float) -> None:
        if self._running:
            return
        self._running = True
        self.reason = ""
        self._backoff.reset()
        if not self.config.passive:
            self._apply(self._outgoing, Input.START, now)
        self._settle(now)

    def hurry(self, now: float) -> None:
        """What an attempt failed for may be over (the link is back, the peer was found): try again at once."""
        if not self._running or self.config.passive or self._up is not None:
            return
        self._backoff.reset()
        if self._idle_hold_at != inf:
            self._idle_hold_at = self._deadline = now
        elif self._outgoing.state in (State.CONNECT, State.ACTIVE):
            self._set_connect_retry(self._outgoing, now)
        self.handle_timeout(now)

    def stop(self, now: float, notify: Notification | None) -> None:
        """Ends the session and stays in IDLE until `start`. With None TCP is closed without a NOTIFICATION, which a
        peer that negotiated graceful restart takes as a restart."""
        self._running = False
        self._idle_hold_at = inf
        what = Input.SILENT_STOP if notify is None else Input.STOP
        reason = "stopped: TCP closed without NOTIFICATION" if notify is None else f"stopped: {notify}"
        self.reason = reason
        for machine in (self._outgoing, self._incoming):
            self._apply(machine, what, now, Cause(reason, notify))
        self._settle(now)

    def fail(self, error: SessionReset, now: float) -> None:
        """The layer above found an error that ends the session (RFC 7606 session reset and the like)."""
        if self._up is None:
            return
        # UPDATEs that follow a broken one must not count; they may be waiting behind an earlier event.
        kept = [event for event in self._events if not isinstance(event, UpdateReceived)]
        self._events.clear()
        self._events.extend(kept)
        self._refuse(self._up, Input.UPDATE_ERROR, error, now)
        self._settle(now)

    # ---- TCP

    @property
    def wants_connect(self) -> bool:
        return self._wants_connect

    def take_connect(self) -> bool:
        """True once for each connection to be opened. A new request replaces an attempt that still goes on."""
        wanted, self._wants_connect = self._wants_connect, False
        return wanted

    def outgoing(self, now: float) -> int | None:
        """The connection that was asked for is open. None: it is not needed any more, close it."""
        if self._outgoing.state != State.CONNECT:
            return None
        return self._connected(self._outgoing, Input.TCP_ACKED, now)

    def connect_failed(self, now: float, reason: str) -> None:
        if self._outgoing.state == State.CONNECT:
            self._apply(self._outgoing, Input.TCP_FAILS, now, Cause(reason))
            self._settle(now)

    def incoming(self, now: float) -> int | None:
        """The peer opened a connection. None: refuse it."""
        if self._incoming is self._up:
            # Established: who opened the connection does not matter any more, so its machine changes places with the
            # idle one and there is room for the new connection to say what it is.
            self._outgoing, self._incoming = self._incoming, self._outgoing
            self._outgoing.incoming, self._incoming.incoming = False, True
        elif self._incoming.live:
            # A peer opens one connection at a time: it has given up the old one.
            self._apply(self._incoming, Input.COLLISION_DUMP, now, Cause(notification=COLLISION))
        self._settle(now)
        if self._incoming.state != State.ACTIVE:
            return None
        restarted = self._up is not None and now - self.since >= RESTART_AFTER
        conn = self._connected(self._incoming, Input.TCP_CONFIRMED, now)
        self._incoming.replaces = restarted
        return conn

    def closed(self, conn: int, now: float, reason: str) -> None:
        """TCP ended, whoever ended it."""
        machine = self._machine(conn)
        if machine is None:
            self._last_words.pop(conn, None)
            self.ready.discard(conn)
            return
        machine.peer_closed = True
        self._apply(machine, Input.TCP_FAILS, now, Cause(reason))
        self._settle(now)

    def _connected(self, machine: Machine, what: Input, now: float) -> int:
        self._connections += 1
        machine.conn = self._connections
        self._apply(machine, what, now)
        self._settle(now)
        return machine.conn

    def _machine(self, conn: int) -> Machine | None:
        if self._outgoing.conn == conn:
            return self._outgoing
        return self._incoming if self._incoming.conn == conn else None

    # ---- bytes

    def receive(self, conn: int, data: bytes, now: float) -> None:
        """Bytes of the peer. For UPDATEs the loop does what the table says (`Do.ARM_HOLD`, `Do.DELIVER`) by hand: the
        timer once a call, no event."""
        machine = self._machine(conn)
        if machine is None:
            return
        framer = machine.framer
        messages = framer.feed(data)
        events = self._events
        on_update = self.on_update
        updates = 0
        for kind, body in messages:
            if kind == 2 and machine.state == 6:  # frame.UPDATE, State.ESTABLISHED: constants, this is the hot path
                updates += 1
                if events or on_update is None:
                    events.append(UpdateReceived(body))
                    continue
                try:
                    on_update(body)
                except SessionReset as error:
                    self.fail(error, now)
            else:
                self._message(machine, kind, body, now)
            if machine.conn != conn:
                break
        self.messages_in[frame.UPDATE] += updates
        if machine.conn == conn:
            if updates:
                self._arm_hold(machine, now, Cause())
            if framer.error is not None:
                self._refuse(machine, Input.HEADER_ERROR, framer.error, now)
        self._settle(now)

    def unread(self, until: float) -> None:
        """The peer is not read before then: that it is not heard until then is not its silence."""
        if self._up is not None:
            self._arm_hold(self._up, until, NOTHING)

    def data_to_send(self, conn: int) -> bytes:
        """Fetched only when TCP takes it: bytes nobody fetches are what the SendHoldTimer (RFC 9687) measures."""
        self.ready.discard(conn)
        machine = self._machine(conn)
        return self._last_words.pop(conn, b"") if machine is None else machine.take()

    def send(self, messages: bytes, now: float) -> None:
        """Whole messages for the established session; dropped if there is none (its end is among the events)."""
        if self._up is None or not messages:
            return
        at = 0
        while at < len(messages):
            self.messages_out[messages[at + 18]] += 1
            at += messages[at + 16] << 8 | messages[at + 17]
        self._write(self._up, messages, now)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    # ---- messages

    def _message(self, machine: Machine, kind: int, body: bytes, now: float) -> None:
        self.messages_in[kind] += 1
        try:
            if kind == frame.KEEPALIVE:
                self._apply(machine, Input.KEEPALIVE, now, Cause(message=kind))
            elif kind == frame.OPEN:
                self._open_received(machine, decode_open(body), now)
            elif kind == frame.NOTIFICATION:
                received = notification.decode(body)
                cause = Cause(f"received NOTIFICATION {received}", received, received=True)
                self._apply(machine, Input.NOTIFICATION, now, cause)
            elif kind == frame.UPDATE:
                self._apply(machine, Input.UPDATE, now, Cause(message=kind))
            else:
                self._refresh_received(machine, body, now)
        except SessionReset as error:
            what = Input.OPEN_ERROR if kind == frame.OPEN else Input.HEADER_ERROR
            self._refuse(machine, what, error, now)

    def _open_received(self, machine: Machine, theirs: Open, now: float) -> None:
        cause = Cause(message=frame.OPEN)
        if machine.offered is not None and machine.state == State.OPENSENT:
            negotiated = negotiate(self.config, machine.offered, theirs)
            if not self._resolve(machine, theirs, now):
                return
            cause = Cause(message=frame.OPEN, negotiated=negotiated)
        self._apply(machine, Input.OPEN, now, cause)

    def _refresh_received(self, machine: Machine, body: bytes, now: float) -> None:
        event = None
        if machine.state == State.ESTABLISHED and machine.negotiated is not None:
            family, subtype = refresh.decode(body)
            # Ignored: a family that was not negotiated (RFC 2918 section 4), an unknown subtype (RFC 7313 section 5).
            if family in machine.negotiated.families and subtype in (refresh.REQUEST, refresh.BEGIN, refresh.END):
                event = RefreshReceived(family, subtype)
        self._apply(machine, Input.ROUTE_REFRESH, now, Cause(message=frame.ROUTE_REFRESH, event=event))

    def _refuse(self, machine: Machine, what: Input, error: SessionReset, now: float) -> None:
        """The peer broke the protocol: `what` with the NOTIFICATION that says so."""
        message = Notification.of(error)
        reason = f"sent NOTIFICATION {message}" + (f": {error.text}" if error.text else "")
        self._apply(machine, what, now, Cause(reason, message))

    def _resolve(self, machine: Machine, theirs: Open, now: float) -> bool:
        """Collision detection on an OPEN (RFC 4271 section 6.8); False if `machine` is the one that goes."""
        other = self._other(machine)
        if other is self._up:
            if machine.replaces and other.negotiated is not None and other.negotiated.graceful:
                # RFC 4724 section 5: the end of TCP did not reach us; keep the paths, go on with the new connection.
                self._apply(other, Input.TCP_FAILS, now, Cause("the peer restarted and opened a new connection"))
                return True
            self._apply(machine, Input.COLLISION_DUMP, now, Cause(notification=COLLISION))
            return False
        if other.state == State.OPENCONFIRM:
            # The connection opened by the side with the higher identifier stays; RFC 6286 section 2.3: with equal
            # identifiers (external peers only) the higher AS decides.
            ours_stays = (self.config.router_id, self.config.local_as) > (theirs.router_id, theirs.my_as)
            loser = self._incoming if ours_stays else self._outgoing
            self._apply(loser, Input.COLLISION_DUMP, now, Cause(notification=COLLISION))
            return loser is other
        if other is self._outgoing and not other.live:
            # The peer got through to us: stop trying from this side.
            self._apply(other, Input.COLLISION_DUMP, now)
        return True

    # ---- timers

    def next_deadline(self) -> float:
        """When to call `handle_timeout`. A lower bound: that a timer was put off is noticed when it would be due."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        if now < self._deadline:
            return
        if now >= self._idle_hold_at:
            self._idle_hold_at = inf
            if not self.config.passive:
                self._apply(self._outgoing, Input.IDLE_HOLD_EXPIRES, now)
        for machine in (self._outgoing, self._incoming):
            self._expire(machine, now)
        self._settle(now)
        self._deadline = min(self._idle_hold_at, self._earliest(self._outgoing), self._earliest(self._incoming))

    def _expire(self, machine: Machine, now: float) -> None:
        if now >= machine.connect_retry_at:
            reason = ""
            if machine.state == State.CONNECT:
                signed = self.config.password is not None or self.config.tcp_ao is not None
                hint = ", as it does when the passwords (TCP MD5) or keys (TCP-AO) differ" if signed else ""
                reason = f"the attempt to connect timed out{hint}"
            self._apply(machine, Input.CONNECT_RETRY_EXPIRES, now, Cause(reason))
        if now >= machine.hold_at:
            waited = "no OPEN came" if machine.state == State.OPENSENT else "the peer fell silent"
            cause = Cause(f"hold timer expired: {waited}", Notification(notification.HOLD_TIMER_EXPIRED))
            self._apply(machine, Input.HOLD_EXPIRES, now, cause)
        if machine is self._up and now >= machine.blocked_since + self._send_hold_time(machine):
            message = Notification(notification.SEND_HOLD_TIMER_EXPIRED)
            cause = Cause("send hold timer expired: the peer does not read", message)
            self._apply(machine, Input.SEND_HOLD_EXPIRES, now, cause)
        if now >= machine.keepalive_at:
            self._apply(machine, Input.KEEPALIVE_EXPIRES, now)

    def _earliest(self, machine: Machine) -> float:
        earliest = min(machine.connect_retry_at, machine.hold_at, machine.keepalive_at)
        if machine is self._up:
            earliest = min(earliest, machine.blocked_since + self._send_hold_time(machine))
        return earliest
