"""The table against the RFC, twice: its rows, and what a session does with them."""

from __future__ import annotations

import pytest

from hornpipe.bgp import frame, refresh
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.session.driver import ACTIONS
from hornpipe.bgp.session.table import OTHERWISE, TABLE, Do, Input, State, step
from tests.bgp.session.transcript import EMPTY_UPDATE, KEEPALIVE, Transcript, notify, their_open

ROWS = """
                      IDLE     CONNECT   ACTIVE    OPENSENT     OPENCONFIRM  ESTABLISHED
START                 CONNECT  CONNECT   ACTIVE    OPENSENT     OPENCONFIRM  ESTABLISHED
START_PASSIVE         ACTIVE   CONNECT   ACTIVE    OPENSENT     OPENCONFIRM  ESTABLISHED
IDLE_HOLD_EXPIRES     CONNECT  CONNECT   ACTIVE    OPENSENT     OPENCONFIRM  ESTABLISHED
STOP                  IDLE     IDLE      IDLE      IDLE!        IDLE!        IDLE!
SILENT_STOP           IDLE     IDLE      IDLE      IDLE         IDLE         IDLE
CONNECT_RETRY_EXPIRES IDLE     CONNECT   CONNECT   IDLE?        IDLE?        IDLE?
HOLD_EXPIRES          IDLE     IDLE      IDLE      IDLE!        IDLE!        IDLE!
KEEPALIVE_EXPIRES     IDLE     IDLE      IDLE      IDLE?        OPENCONFIRM  ESTABLISHED
TCP_ACKED             IDLE     OPENSENT  IDLE      OPENSENT     OPENCONFIRM  ESTABLISHED
TCP_CONFIRMED         IDLE     IDLE      OPENSENT  OPENSENT     OPENCONFIRM  ESTABLISHED
TCP_FAILS             IDLE     ACTIVE    ACTIVE    ACTIVE       IDLE         IDLE
OPEN                  IDLE     IDLE      IDLE      OPENCONFIRM  IDLE?        IDLE?
HEADER_ERROR          IDLE     IDLE      IDLE      IDLE!        IDLE!        IDLE!
OPEN_ERROR            IDLE     IDLE      IDLE      IDLE!        IDLE!        IDLE?
COLLISION_DUMP        IDLE     IDLE      IDLE      IDLE!        IDLE!        IDLE!
NOTIFICATION          IDLE     IDLE      IDLE      IDLE         IDLE         IDLE
KEEPALIVE             IDLE     IDLE      IDLE      IDLE?        ESTABLISHED  ESTABLISHED
UPDATE                IDLE     IDLE      IDLE      IDLE?        IDLE?        ESTABLISHED
UPDATE_ERROR          IDLE     IDLE      IDLE      IDLE?        IDLE?        IDLE!
SEND_HOLD_EXPIRES     IDLE     IDLE      IDLE      IDLE?        IDLE?        IDLE!
ROUTE_REFRESH         IDLE     IDLE      IDLE      IDLE?        IDLE?        ESTABLISHED
"""
"""Next state; ``!`` sends the NOTIFICATION of the input, ``?`` the FSM error."""


def pairs() -> list[tuple[State, Input, str]]:
    head, *lines = ROWS.strip("\n").splitlines()
    states = [State[name] for name in head.split()]
    return [
        (state, Input[word], cell)
        for word, *cells in (line.split() for line in lines)
        for state, cell in zip(states, cells, strict=True)
    ]


def test_every_pair_is_written_down() -> None:
    assert {(state, what) for state, what, _ in pairs()} == {(state, what) for state in State for what in Input}


@pytest.mark.parametrize(("state", "what", "cell"), pairs())
def test_row(state: State, what: Input, cell: str) -> None:
    row = step(state, what)
    assert row.to.name == cell.rstrip("!?")
    assert (Do.NOTIFY in row.actions) == cell.endswith("!")
    assert (Do.NOTIFY_FSM_ERROR in row.actions) == cell.endswith("?")


def test_every_action_is_implemented_and_used() -> None:
    used = {action for rows in TABLE.values() for row in rows.values() for action in row.actions}
    used |= {action for row in OTHERWISE.values() for action in row.actions}
    assert used == set(Do) == set(ACTIONS)


@pytest.mark.parametrize("state", [State.OPENSENT, State.OPENCONFIRM, State.ESTABLISHED])
def test_whoever_leaves_a_live_state_drops_the_connection_and_only_an_established_one_tells(state: State) -> None:
    for what in Input:
        row = step(state, what)
        if row.to < State.OPENSENT:
            assert Do.DROP in row.actions, what
            assert (Do.DOWN in row.actions) == (state == State.ESTABLISHED), what
        else:
            assert Do.DROP not in row.actions


MESSAGES = {
    "open": their_open(),
    "bad open": their_open(my_as=65001),
    "keepalive": KEEPALIVE,
    "update": EMPTY_UPDATE,
    "refresh": refresh.encode(EVPN),
    "notification": notify(6, 5),
    "version notification": notify(2, 1, b"\x00\x04"),
    "bad header": bytes(19),
}

REACTIONS = """
                      OPENSENT                 OPENCONFIRM              ESTABLISHED
open                  OPENCONFIRM              IDLE,5/2,01              IDLE,5/3,01
bad-open              IDLE,2/2                 IDLE,5/2,01              IDLE,5/3,01
keepalive             IDLE,5/1,04              ESTABLISHED              ESTABLISHED
update                IDLE,5/1,02              IDLE,5/2,02              ESTABLISHED
refresh               IDLE,5/1,05              IDLE,5/2,05              ESTABLISHED
notification          IDLE                     IDLE                     IDLE
version-notification  IDLE                     IDLE                     IDLE
bad-header            IDLE,1/1                 IDLE,1/1                 IDLE,1/1
tcp-ends              ACTIVE                   ACTIVE                   ACTIVE
hold-timer            IDLE,4/0                 IDLE,4/0                 ACTIVE,4/0
stop                  IDLE,6/2                 IDLE,6/2                 IDLE,6/2
fail                  OPENSENT                 OPENCONFIRM              IDLE,3/1
"""
"""What is seen from outside: the state after it, and the NOTIFICATION sent, with its data."""


def reactions() -> list[tuple[str, str, str]]:
    head, *lines = REACTIONS.strip("\n").splitlines()
    return [
        (state, what, cell)
        for what, *cells in (line.split() for line in lines)
        for state, cell in zip(head.split(), cells, strict=True)
    ]


@pytest.mark.parametrize(("state", "what", "cell"), reactions())
def test_reaction(state: str, what: str, cell: str) -> None:
    t = Transcript()
    t.start()
    t.connected()
    if state != "OPENSENT":
        t.hears(1, their_open())
    if state == "ESTABLISHED":
        t.hears(1, KEEPALIVE)
    assert t.session.state.name == state

    match what:
        case "tcp-ends":
            lines = t.hangs_up(1)
        case "hold-timer":
            # What the timer did, before the session recovers by itself a second later.
            t.now += 240 if state == "OPENSENT" else 90
            t.session.handle_timeout(t.now)
            lines = t._lines()
        case "stop":
            lines = t.stop()
        case "fail":
            t.session.fail(SessionReset(3, 1), t.now)
            lines = t._lines()
        case _:
            lines = t.hears(1, MESSAGES[what.replace("-", " ")])

    after, *said = cell.split(",")
    assert t.session.state.name == after
    assert [line for line in lines if "NOTIFICATION" in line and ">" in line] == (
        [f"1 > NOTIFICATION {' '.join(said)}"] if said else []
    )
    if after in ("IDLE", "ACTIVE") and what != "tcp-ends":
        assert "1 closed" in lines
    assert (state == "ESTABLISHED" and after != "ESTABLISHED") == any(line.startswith("down") for line in lines)


def test_names_of_message_types_cover_what_can_be_unexpected() -> None:
    assert set(frame.TYPE_NAMES) == {1, 2, 3, 4, 5}
