"""Carries out the actions of `hornpipe.bgp.session.table` for the two machines of a session.

`Driver` is the lower half of `hornpipe.bgp.session.fsm.Session`: it has the session's state, its timers and what is
to be told and sent. The upper half turns calls into the table's inputs. RFC 4271 sections 8 and 10, RFC 4724, RFC 6608,
RFC 8538.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from hornpipe.bgp import frame, notification
from hornpipe.bgp.notification import Notification
from hornpipe.bgp.session.backoff import Backoff
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.bgp.session.event import CloseConnection, Established, Event, SessionDown, StateChanged
from hornpipe.bgp.session.machine import NO_CONNECTION, Machine
from hornpipe.bgp.session.negotiation import Negotiated, offer
from hornpipe.bgp.session.table import Do, Input, State, step

OPEN_HOLD_TIME = 240.0
"""RFC 4271 section 8.2.2 suggests 4 minutes for the HoldTimer before the OPEN."""
ATTEMPT_TIME = 5.0
"""How long one attempt to connect may take: SYNs at 0, 1 and 3 seconds had their chance by then. The kernel would send
the next after 7 and 15, and a peer that comes up in between would be waited for as long."""
SEND_HOLD_TIME = 480.0
"""RFC 9687: the larger of 8 minutes and twice the HoldTime."""

GENTLE_CEASES = frozenset(
    (
        notification.ADMINISTRATIVE_SHUTDOWN,
        notification.ADMINISTRATIVE_RESET,
        notification.CONFIGURATION_CHANGE,
        notification.COLLISION,
        notification.HARD_RESET,
    )
)
"""Ceases that say nothing against trying again at once."""
HARD_CEASES = frozenset(
    (
        notification.MAXIMUM_PREFIXES,
        notification.OUT_OF_RESOURCES,
        notification.ADMINISTRATIVE_SHUTDOWN,
        notification.PEER_DECONFIGURED,
    )
)
"""Ceases of ours after which the peer must not keep our paths; with the N bit they go as a hard reset (RFC 8538)."""

UNEXPECTED = {State.OPENSENT: 1, State.OPENCONFIRM: 2, State.ESTABLISHED: 3}
"""Subcodes of the FSM error (RFC 6608 section 3)."""


class Cause(NamedTuple):
    """What comes along with an input of the table."""

    reason: str = ""
    notification: Notification | None = None
    """Sent by `Do.NOTIFY`, or received."""
    received: bool = False
    message: int = 0
    """Type of the message that is the input."""
    negotiated: Negotiated | None = None
    event: Event | None = None


NOTHING = Cause()


def unexpected(state: State, cause: Cause) -> Cause:
    """The FSM error for an input that has no row; RFC 6608 section 3: the data are the type of the message."""
    data = bytes((cause.message,)) if cause.message else b""
    message = Notification(notification.FSM_ERROR, UNEXPECTED.get(state, 0), data)
    what = f": {frame.TYPE_NAMES[cause.message]}" if cause.message else ""
    return Cause(f"sent NOTIFICATION {message}{what}", message)


class Driver:
    def __init__(self, config: PeerConfig, jitter: Callable[[], float]) -> None:
        self.config = config
        self.state = State.IDLE
        self.previous = State.IDLE
        self.since: float = 0.0
        """When `state` began."""
        self.reason = ""
        """Why the last session ended, or why none comes up; empty while established."""
        self.negotiated: Negotiated | None = None
        """While established."""
        self.messages_in = [0] * 6
        """By message type; 0 counts none."""
        self.messages_out = [0] * 6
        self.flaps = 0
        """Established sessions lost."""
        self.ready: set[int] = set()
        """Connections for which `data_to_send` has something."""
        self._running = False
        self._backoff = Backoff(jitter, config.connect_retry)
        self._outgoing = Machine(incoming=False)
        self._incoming = Machine(incoming=True)
        self._up: Machine | None = None
        self._established_before = False
        self._idle_hold_at = inf
        self._wants_connect = False
        self._connections = NO_CONNECTION
        self._last_words: dict[int, bytes] = {}
        self._events: deque[Event] = deque()
        self._deadline = inf

    def _other(self, machine: Machine) -> Machine:
        return self._incoming if machine is self._outgoing else self._outgoing

    # ---- transitions

    def _apply(self, machine: Machine, what: Input, now: float, cause: Cause = NOTHING) -> None:
        row = step(machine.state, what)
        if Do.NOTIFY_FSM_ERROR in row.actions:
            cause = unexpected(machine.state, cause)
        for action in row.actions:
            ACTIONS[action](self, machine, now, cause)
        machine.state = row.to
        if cause.reason and row.to < State.OPENSENT:
            self.reason = cause.reason

    def _settle(self, now: float) -> None:
        """After every input: idle machines of a running session listen and retry again, the session's state is told."""
        if self._running and self._idle_hold_at == inf:
            if self._incoming.state == State.IDLE:
                self._apply(self._incoming, Input.START_PASSIVE, now)
            if self._outgoing.state == State.IDLE and not self._incoming.live and not self.config.passive:
                self._apply(self._outgoing, Input.START_PASSIVE, now)
        state = max(self._outgoing.state, self._incoming.state)
        if state == State.ACTIVE and self._outgoing.state == State.CONNECT:
            state = State.CONNECT
        if state != self.state:
            self.previous, self.state, self.since = self.state, state, now
            if state == State.ESTABLISHED:
                self.reason = ""
            self._events.append(StateChanged(state, self.previous, self.reason))

    # ---- actions: TCP

    def _connect(self, machine: Machine, now: float, cause: Cause) -> None:
        self._wants_connect = True
        self._set_connect_retry(machine, now + max(ATTEMPT_TIME, self.config.connect_retry))

    def _arm_retry(self, machine: Machine, now: float, cause: Cause) -> None:
        if not machine.incoming and not self.config.passive:
            self._set_connect_retry(machine, now + self._backoff.next_attempt())

    def _set_connect_retry(self, machine: Machine, at: float) -> None:
        machine.connect_retry_at = at
        self._deadline = min(self._deadline, at)

    def _clear_retry(self, machine: Machine, now: float, cause: Cause) -> None:
        machine.connect_retry_at = inf
        if machine is self._outgoing:
            self._wants_connect = False

    def _drop(self, machine: Machine, now: float, cause: Cause) -> None:
        conn = machine.conn
        if machine.peer_closed:
            self.ready.discard(conn)
        else:
            if machine.out:
                self._last_words[conn] = machine.take()
            self._events.append(CloseConnection(conn))
        machine.release()

    # ---- actions: messages

    def _write(self, machine: Machine, data: bytes, now: float) -> None:
        machine.write(data, now)
        self.ready.add(machine.conn)
        if machine is self._up:
            self._deadline = min(self._deadline, machine.blocked_since + self._send_hold_time(machine))

    def _send_open(self, machine: Machine, now: float, cause: Cause) -> None:
        machine.offered = offer(self.config, established_before=self._established_before)
        self.messages_out[frame.OPEN] += 1
        self._write(machine, machine.offered.encode(), now)

    def _negotiate(self, machine: Machine, now: float, cause: Cause) -> None:
        machine.negotiated = cause.negotiated
        if cause.negotiated is not None:
            machine.framer.limit = cause.negotiated.limit

    def _send_keepalive(self, machine: Machine, now: float, cause: Cause) -> None:
        # A peer that does not read must not collect them.
        if not machine.out or machine.out[-1] is not frame.KEEPALIVE_MESSAGE:
            self.messages_out[frame.KEEPALIVE] += 1
            self._write(machine, frame.KEEPALIVE_MESSAGE, now)

    def _notify(self, machine: Machine, now: float, cause: Cause) -> None:
        message = cause.notification
        if message is None:
            return
        negotiated = machine.negotiated
        if machine is self._up and negotiated is not None and negotiated.notification and _ends_hard(message):
            message = message.hard()
        self.messages_out[frame.NOTIFICATION] += 1
        self._write(machine, message.encode(), now)

    def _deliver(self, machine: Machine, now: float, cause: Cause) -> None:
        if cause.event is not None:
            self._events.append(cause.event)

    # ---- actions: timers

    def _arm_open_hold(self, machine: Machine, now: float, cause: Cause) -> None:
        machine.hold_at = now + OPEN_HOLD_TIME
        self._deadline = min(self._deadline, machine.hold_at)

    def _arm_hold(self, machine: Machine, now: float, cause: Cause) -> None:
        hold_time = machine.negotiated.hold_time if machine.negotiated is not None else 0
        machine.hold_at = now + hold_time if hold_time else inf
        self._deadline = min(self._deadline, machine.hold_at)

    def _arm_keepalive(self, machine: Machine, now: float, cause: Cause) -> None:
        interval = machine.negotiated.keepalive if machine.negotiated is not None else 0.0
        machine.keepalive_at = now + self._backoff.jittered(interval) if interval else inf
        self._deadline = min(self._deadline, machine.keepalive_at)

    def _send_hold_time(self, machine: Machine) -> float:
        if self.config.send_hold_time is not None:
            return self.config.send_hold_time or inf
        return max(SEND_HOLD_TIME, 2.0 * machine.negotiated.hold_time if machine.negotiated is not None else 0.0)

    # ---- actions: the session

    def _establish(self, machine: Machine, now: float, cause: Cause) -> None:
        negotiated = machine.negotiated
        if negotiated is None:
            raise AssertionError("the table led to ESTABLISHED without an OPEN")
        self._up = machine
        self.negotiated = negotiated
        self._established_before = True
        self._backoff.established(now)
        self._events.append(Established(machine.conn, negotiated))

    def _down(self, machine: Machine, now: float, cause: Cause) -> None:
        negotiated, self.negotiated, self._up = self.negotiated, None, None
        self.flaps += 1
        self._backoff.lost(now)
        graceful = negotiated is not None and negotiated.graceful
        code = subcode = 0
        message = cause.notification
        if message is not None:
            # RFC 4724 section 4: a NOTIFICATION ends everything; RFC 8538 section 4: not if both sides set the N bit,
            # unless it is a hard reset.
            hard = message.is_hard_reset or (not cause.received and _ends_hard(message))
            graceful = graceful and negotiated is not None and negotiated.notification and not hard
            code, subcode = message.code, message.subcode
        self._events.append(SessionDown(cause.reason, code, subcode, graceful))

    def _damp(self, machine: Machine, now: float, cause: Cause) -> None:
        message = cause.notification
        gentle = message is not None and message.code == notification.CEASE and message.subcode in GENTLE_CEASES
        other = self._other(machine)
        if (cause.received and gentle) or other.live:
            return
        self._idle_hold_at = now + self._backoff.next_idle()
        self._deadline = min(self._deadline, self._idle_hold_at)
        self._apply(other, Input.STOP, now)


def _ends_hard(message: Notification) -> bool:
    return message.code == notification.CEASE and message.subcode in HARD_CEASES


ACTIONS: dict[Do, Callable[[Driver, Machine, float, Cause], None]] = {
    Do.CONNECT: Driver._connect,
    Do.ARM_RETRY: Driver._arm_retry,
    Do.CLEAR_RETRY: Driver._clear_retry,
    Do.SEND_OPEN: Driver._send_open,
    Do.ARM_OPEN_HOLD: Driver._arm_open_hold,
    Do.NEGOTIATE: Driver._negotiate,
    Do.SEND_KEEPALIVE: Driver._send_keepalive,
    Do.ARM_KEEPALIVE: Driver._arm_keepalive,
    Do.ARM_HOLD: Driver._arm_hold,
    Do.ESTABLISH: Driver._establish,
    Do.DELIVER: Driver._deliver,
    Do.NOTIFY: Driver._notify,
    Do.NOTIFY_FSM_ERROR: Driver._notify,
    Do.DROP: Driver._drop,
    Do.DOWN: Driver._down,
    Do.DAMP: Driver._damp,
}
