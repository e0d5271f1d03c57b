"""The finite state machine of RFC 4271 section 8.2.2 as data: state x input -> actions and next state.

`TABLE` is written as the RFC writes it, one paragraph a state: the rows that are named, then what "any other event"
means there. `step` looks a row up; nothing else decides a transition. `hornpipe.bgp.session.driver` acts.

One machine drives one TCP connection. A session has two of them, for RFC 4271 section 8.2.1 asks for one per connection
while two are open towards the same peer:

- the *outgoing* machine runs CONNECT <-> ACTIVE on the ConnectRetryTimer until it has a connection;
- the *incoming* machine waits in ACTIVE, which is "listening".

Optional features used: DampPeerOscillations with the IdleHoldTimer (8.1.1), passive establishment. Not used: DelayOpen,
TrackTcpState, CollisionDetectEstablishedState, acceptance of connections from unconfigured peers.

Where this differs from the letter of RFC 4271:

- CONNECT + TcpConnectionFails leads to ACTIVE, not IDLE, with or without DelayOpen: in IDLE the peer's own attempt
  would be refused. Implementations in the field do so.
- A NOTIFICATION is never answered by a NOTIFICATION, in OPENSENT neither (section 6.4 agrees, 8.2.2 does not).
- FSM errors carry the subcodes of RFC 6608. SendHoldTimer_Expires is RFC 9687. ROUTE-REFRESH (RFC 2918) has no number
  among the RFC's events.
- `SILENT_STOP` closes TCP without a NOTIFICATION, so that the peer applies graceful restart (RFC 4724 section 4).
- RFC 4271 counts in ConnectRetryCounter what `Do.DAMP` does here: a session the protocol ended waits in IDLE, longer
  each time; a session that TCP or an operator ended does not.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class State(IntEnum):
    """OpenConfig's names, RFC 4271's order."""

    IDLE = 1
    CONNECT = 2
    ACTIVE = 3
    OPENSENT = 4
    OPENCONFIRM = 5
    ESTABLISHED = 6


class Input(IntEnum):
    """RFC 4271 section 8.1, by the RFC's numbers."""

    START = 1
    STOP = 2
    START_PASSIVE = 4
    """Also event 5, its automatic twin."""
    SILENT_STOP = 8
    """AutomaticStop, without the NOTIFICATION."""
    CONNECT_RETRY_EXPIRES = 9
    HOLD_EXPIRES = 10
    KEEPALIVE_EXPIRES = 11
    IDLE_HOLD_EXPIRES = 13
    TCP_ACKED = 16
    """Our connection is open."""
    TCP_CONFIRMED = 17
    """The peer's connection is open."""
    TCP_FAILS = 18
    OPEN = 19
    HEADER_ERROR = 21
    OPEN_ERROR = 22
    COLLISION_DUMP = 23
    NOTIFICATION = 25
    """Also event 24, NotifMsgVerErr: with one version of BGP left, no other reaction makes sense."""
    KEEPALIVE = 26
    UPDATE = 27
    UPDATE_ERROR = 28
    SEND_HOLD_EXPIRES = 29
    ROUTE_REFRESH = 30


class Do(IntEnum):
    """What a transition does, in the order its row lists."""

    CONNECT = 1
    """Ask the shell for a TCP connection; the ConnectRetryTimer guards the attempt."""
    ARM_RETRY = 2
    """Start the ConnectRetryTimer (the outgoing machine only: the incoming one just listens)."""
    CLEAR_RETRY = 3
    SEND_OPEN = 4
    ARM_OPEN_HOLD = 5
    """The large HoldTimer of section 8.2.2, 4 minutes, until the OPEN arrives."""
    NEGOTIATE = 6
    SEND_KEEPALIVE = 7
    ARM_KEEPALIVE = 8
    ARM_HOLD = 9
    ESTABLISH = 10
    DELIVER = 11
    """Hand the UPDATE or ROUTE-REFRESH up."""
    NOTIFY = 12
    """Send the NOTIFICATION this input carries."""
    NOTIFY_FSM_ERROR = 13
    DROP = 14
    """Close TCP, stop the timers, release."""
    DOWN = 15
    """Tell that an established session is gone."""
    DAMP = 16
    """Keep the whole session in IDLE for a while (DampPeerOscillations)."""


class Step(NamedTuple):
    to: State
    actions: tuple[Do, ...] = ()


_IGNORED_STARTS = (Input.START, Input.START_PASSIVE, Input.IDLE_HOLD_EXPIRES)
_OTHER_CONNECTION = (Input.TCP_ACKED, Input.TCP_CONFIRMED)

_FSM_ERROR = Step(State.IDLE, (Do.NOTIFY_FSM_ERROR, Do.DROP, Do.DAMP))
_FSM_ERROR_UP = Step(State.IDLE, (Do.NOTIFY_FSM_ERROR, Do.DROP, Do.DOWN, Do.DAMP))

OTHERWISE: dict[State, Step] = {
    State.IDLE: Step(State.IDLE),
    State.CONNECT: Step(State.IDLE, (Do.CLEAR_RETRY,)),
    State.ACTIVE: Step(State.IDLE, (Do.CLEAR_RETRY,)),
    State.OPENSENT: _FSM_ERROR,
    State.OPENCONFIRM: _FSM_ERROR,
    State.ESTABLISHED: _FSM_ERROR_UP,
}
"""What the RFC says about "any other event" in each state."""


def _ignored(state: State) -> dict[Input, Step]:
    """Starts are ignored outside IDLE; TCP events here are another connection's, which has its own machine."""
    return {each: Step(state) for each in _IGNORED_STARTS + _OTHER_CONNECTION}


TABLE: dict[State, dict[Input, Step]] = {
    State.IDLE: {
        Input.START: Step(State.CONNECT, (Do.CONNECT,)),
        Input.IDLE_HOLD_EXPIRES: Step(State.CONNECT, (Do.CONNECT,)),
        Input.START_PASSIVE: Step(State.ACTIVE, (Do.ARM_RETRY,)),
    },
    State.CONNECT: {
        **{each: Step(State.CONNECT) for each in _IGNORED_STARTS},
        Input.CONNECT_RETRY_EXPIRES: Step(State.CONNECT, (Do.CONNECT,)),
        Input.TCP_ACKED: Step(State.OPENSENT, (Do.CLEAR_RETRY, Do.SEND_OPEN, Do.ARM_OPEN_HOLD)),
        Input.TCP_FAILS: Step(State.ACTIVE, (Do.ARM_RETRY,)),
    },
    State.ACTIVE: {
        **{each: Step(State.ACTIVE) for each in _IGNORED_STARTS},
        Input.CONNECT_RETRY_EXPIRES: Step(State.CONNECT, (Do.CONNECT,)),
        Input.TCP_CONFIRMED: Step(State.OPENSENT, (Do.CLEAR_RETRY, Do.SEND_OPEN, Do.ARM_OPEN_HOLD)),
        Input.TCP_FAILS: Step(State.ACTIVE, (Do.ARM_RETRY,)),
    },
    State.OPENSENT: {
        **_ignored(State.OPENSENT),
        Input.STOP: Step(State.IDLE, (Do.NOTIFY, Do.DROP)),
        Input.SILENT_STOP: Step(State.IDLE, (Do.DROP,)),
        Input.HOLD_EXPIRES: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DAMP)),
        Input.TCP_FAILS: Step(State.ACTIVE, (Do.DROP, Do.ARM_RETRY)),
        Input.OPEN: Step(State.OPENCONFIRM, (Do.NEGOTIATE, Do.SEND_KEEPALIVE, Do.ARM_KEEPALIVE, Do.ARM_HOLD)),
        Input.HEADER_ERROR: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DAMP)),
        Input.OPEN_ERROR: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DAMP)),
        Input.COLLISION_DUMP: Step(State.IDLE, (Do.NOTIFY, Do.DROP)),
        Input.NOTIFICATION: Step(State.IDLE, (Do.DROP, Do.DAMP)),
    },
    State.OPENCONFIRM: {
        **_ignored(State.OPENCONFIRM),
        Input.STOP: Step(State.IDLE, (Do.NOTIFY, Do.DROP)),
        Input.SILENT_STOP: Step(State.IDLE, (Do.DROP,)),
        Input.HOLD_EXPIRES: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DAMP)),
        Input.KEEPALIVE_EXPIRES: Step(State.OPENCONFIRM, (Do.SEND_KEEPALIVE, Do.ARM_KEEPALIVE)),
        Input.TCP_FAILS: Step(State.IDLE, (Do.DROP,)),
        Input.HEADER_ERROR: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DAMP)),
        Input.OPEN_ERROR: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DAMP)),
        Input.COLLISION_DUMP: Step(State.IDLE, (Do.NOTIFY, Do.DROP)),
        Input.NOTIFICATION: Step(State.IDLE, (Do.DROP, Do.DAMP)),
        Input.KEEPALIVE: Step(State.ESTABLISHED, (Do.ARM_HOLD, Do.ESTABLISH)),
    },
    State.ESTABLISHED: {
        **_ignored(State.ESTABLISHED),
        Input.STOP: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DOWN)),
        Input.SILENT_STOP: Step(State.IDLE, (Do.DROP, Do.DOWN)),
        Input.HOLD_EXPIRES: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DOWN)),
        Input.SEND_HOLD_EXPIRES: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DOWN)),
        Input.KEEPALIVE_EXPIRES: Step(State.ESTABLISHED, (Do.SEND_KEEPALIVE, Do.ARM_KEEPALIVE)),
        Input.TCP_FAILS: Step(State.IDLE, (Do.DROP, Do.DOWN)),
        Input.HEADER_ERROR: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DOWN, Do.DAMP)),
        Input.COLLISION_DUMP: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DOWN)),
        Input.NOTIFICATION: Step(State.IDLE, (Do.DROP, Do.DOWN, Do.DAMP)),
        Input.KEEPALIVE: Step(State.ESTABLISHED, (Do.ARM_HOLD,)),
        Input.UPDATE: Step(State.ESTABLISHED, (Do.ARM_HOLD, Do.DELIVER)),
        Input.UPDATE_ERROR: Step(State.IDLE, (Do.NOTIFY, Do.DROP, Do.DOWN, Do.DAMP)),
        Input.ROUTE_REFRESH: Step(State.ESTABLISHED, (Do.DELIVER,)),
    },
}


def step(state: State, what: Input) -> Step:
    """The transition of one machine."""
    row = TABLE[state].get(what)
    return OTHERWISE[state] if row is None else row
