"""Transcripts: how sessions come up, who wins a collision, how they end. Times are seconds since the step before."""

from __future__ import annotations

import pytest

from hornpipe.bgp import frame, refresh
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import EVPN, IPV4_UNICAST, RTC
from hornpipe.bgp.notification import Notification
from hornpipe.bgp.session.table import State
from tests.bgp.session.transcript import (
    EMPTY_UPDATE,
    END_OF_RIB,
    GRACEFUL,
    GRACEFUL_4724,
    HIGH_ID,
    KEEPALIVE,
    LOW_ID,
    OUR_ID,
    Transcript,
    notify,
    their_open,
)

UP = "up as=64512 hold=90 l2vpn-evpn,rtc"

# ---- coming up


def test_we_connect() -> None:
    t = Transcript()
    assert t.start() == ["CONNECT", "connect"]
    assert t.connected() == ["OPENSENT", "1 > OPEN as=64512 hold=90"]
    assert t.hears(1, their_open()) == ["OPENCONFIRM", "1 > KEEPALIVE"]
    assert t.hears(1, KEEPALIVE) == [UP, "ESTABLISHED"]
    assert t.session.reason == ""
    assert t.session.state == State.ESTABLISHED
    assert t.session.messages_in == [0, 1, 0, 0, 1, 0]
    assert t.session.messages_out == [0, 1, 0, 0, 1, 0]


def test_the_peer_connects() -> None:
    t = Transcript(passive=True)
    assert t.start() == ["ACTIVE"]
    assert t.waits(600) == []
    assert t.knock() == ["OPENSENT", "1 > OPEN as=64512 hold=90"]
    assert t.hears(1, their_open(), KEEPALIVE) == [UP, "ESTABLISHED", "1 > KEEPALIVE"]


def test_an_open_cut_into_single_bytes_is_an_open() -> None:
    t = Transcript()
    t.start()
    t.connected()
    message = their_open() + KEEPALIVE
    lines = [line for byte in message for line in t.hears(1, bytes((byte,)))]
    assert lines == ["OPENCONFIRM", "1 > KEEPALIVE", UP, "ESTABLISHED"]


def test_a_start_while_running_changes_nothing() -> None:
    t = Transcript()
    t.start()
    assert t.start() == []
    t.connected()
    assert t.start() == []


def test_before_the_start_nobody_gets_in() -> None:
    t = Transcript()
    assert t.knock() == ["no entry"]
    assert t.connected() == ["not needed"]


def test_the_peer_gets_through_first_so_we_stop_trying() -> None:
    t = Transcript()
    t.start()
    assert t.knock() == ["OPENSENT", "1 > OPEN as=64512 hold=90"]
    assert t.hears(1, their_open()) == ["OPENCONFIRM", "1 > KEEPALIVE"]
    assert t.connected() == ["not needed"]
    assert t.hears(1, KEEPALIVE) == [UP, "ESTABLISHED"]
    assert t.waits(25) == [], "no attempt to connect any more"


def test_a_request_to_connect_that_was_not_taken_is_withdrawn_when_the_peer_gets_through() -> None:
    t = Transcript()
    t.session.start(t.now)
    assert t.session.wants_connect
    assert t.session.incoming(t.now) == 1
    t.session.receive(1, their_open(), t.now)
    assert not t.session.wants_connect
    assert not t.session.take_connect()


# ---- attempts to connect


def test_refused_attempts_are_repeated_ever_more_slowly_up_to_the_connect_retry_time() -> None:
    t = Transcript(connect_retry=5.0)
    t.start()
    assert t.refused() == ["ACTIVE"]
    assert t.session.reason == "Connection refused"
    pauses = []
    for _ in range(6):
        begin = t.now
        (line, *more) = t.waits(30)[:2]
        assert line.endswith("CONNECT")
        assert more[0].endswith("connect")
        pauses.append(float(line.split("s ")[0]))
        t.now = begin + pauses[-1]
        t.refused()
    assert pauses == [1, 2, 4, 5, 5, 5]


def test_pauses_are_jittered() -> None:
    t = Transcript(jitter=0.0)
    t.start()
    t.refused()
    assert t.waits(0.8) == ["0.75s CONNECT", "0.75s connect"]


def test_news_of_the_peer_ends_the_pause() -> None:
    """Its link is back, or it was found: the pauses begin anew, too."""
    t = Transcript(connect_retry=60.0)
    t.start()
    for _ in range(5):
        t.refused("link eth1 is down")
        t.waits(20)
    t.refused("link eth1 is down")
    assert t.waits(1) == []
    t.session.hurry(t.now)
    assert t._lines() == ["CONNECT", "connect"]
    t.session.hurry(t.now)  # another address: a new attempt takes the place of the one under way
    assert t._lines() == ["connect"]
    t.refused()
    assert t.waits(1) == ["1s CONNECT", "1s connect"]


def test_news_of_the_peer_ends_the_idle_hold() -> None:
    t = Transcript()
    t.start()
    t.connected()
    t.hears(1, their_open(my_as=65001))
    assert t.session.state == State.IDLE
    t.session.hurry(t.now)
    assert t._lines() == ["CONNECT", "connect"]


def test_news_of_the_peer_changes_nothing_for_a_session_that_is_up_passive_or_stopped() -> None:
    up = Transcript().established()
    passive = Transcript(passive=True)
    passive.start()
    for t in (up, passive, Transcript()):
        t.session.hurry(t.now)
        assert t._lines() == []


def test_an_attempt_that_hangs_is_replaced() -> None:
    """Before the kernel would send its fourth SYN, at 7 seconds: a peer that comes up in between is not waited for."""
    t = Transcript()
    t.start()
    assert t.waits(5) == ["5s connect"]
    assert t.session.reason == "the attempt to connect timed out"
    assert t.waits(5) == ["5s connect"]
    assert t.connected() == ["OPENSENT", "1 > OPEN as=64512 hold=90"]


def test_an_attempt_that_hangs_towards_a_peer_with_a_password_gives_a_hint() -> None:
    t = Transcript(password="secret")
    t.start()
    t.waits(5)
    assert "password" in t.session.reason


def test_a_peer_that_hangs_up_before_its_open_is_tried_again() -> None:
    t = Transcript()
    t.start()
    t.connected()
    assert t.hangs_up(1) == ["ACTIVE"]
    assert t.session.reason == "the peer closed the connection"
    assert t.waits(1) == ["1s CONNECT", "1s connect"]


def test_a_peer_that_hangs_up_after_its_open_is_tried_again() -> None:
    t = Transcript()
    t.start()
    t.connected()
    t.hears(1, their_open())
    assert t.hangs_up(1) == ["ACTIVE"]
    assert t.waits(1) == ["1s CONNECT", "1s connect"]


def test_a_late_failure_of_an_attempt_that_is_over_changes_nothing() -> None:
    t = Transcript().established()
    assert t.refused() == []


# ---- what an OPEN can be refused for

SENT = "sent NOTIFICATION OPEN Message Error/"


@pytest.mark.parametrize(
    ("offer", "notification", "reason"),
    [
        ({"my_as": 65001}, "2/2", "Bad Peer AS (2/2): the peer is in AS 65001, AS 64512 is configured"),
        ({"my_as": 0}, "2/2", "Bad Peer AS (2/2): AS 0 (RFC 7607)"),
        ({"router_id": OUR_ID}, "2/3", "Bad BGP Identifier (2/3): the peer has our router id"),
        ({"router_id": bytes(4)}, "2/3", "Bad BGP Identifier (2/3): BGP identifier 0.0.0.0"),
        ({"hold_time": 1}, "2/6", "Unacceptable Hold Time (2/6): hold time 1"),
        ({"hold_time": 2}, "2/6", "Unacceptable Hold Time (2/6): hold time 2"),
        ({"version": 3}, "2/1 0004", "Unsupported Version Number (2/1): BGP version 3"),
        (
            {"families": (IPV4_UNICAST,)},
            "2/7 0104001900460104000100" + "84",
            "Unsupported Capability (2/7): no address family in common",
        ),
        (
            {"families": ()},
            "2/7 0104001900460104000100" + "84",
            "Unsupported Capability (2/7): no address family in common",
        ),
    ],
)
def test_an_open_we_cannot_accept(offer: dict[str, object], notification: str, reason: str) -> None:
    t = Transcript()
    t.start()
    t.connected()
    assert t.hears(1, their_open(**offer)) == [f"1 > NOTIFICATION {notification}", "1 closed", "IDLE"]
    assert t.session.reason == SENT + reason
    assert t.waits(1) == ["1s CONNECT", "1s connect"], "one second of DampPeerOscillations"


def test_an_unknown_optional_parameter_is_refused() -> None:
    t = Transcript()
    t.start()
    t.connected()
    body = bytes((4,)) + (64512).to_bytes(2, "big") + bytes((0, 90)) + HIGH_ID + bytes((3, 1, 1, 0))
    assert t.hears(1, frame.frame(frame.OPEN, body))[0] == "1 > NOTIFICATION 2/4"


@pytest.mark.parametrize("hold_time", [0, 3])
def test_hold_times_that_are_fine(hold_time: int) -> None:
    t = Transcript().established(hold_time=hold_time)
    negotiated = t.session.negotiated
    assert negotiated is not None
    assert negotiated.hold_time == hold_time


def test_an_external_peer_may_have_our_router_id() -> None:
    t = Transcript(peer_as=65001).established(my_as=65001, router_id=OUR_ID)
    assert t.session.negotiated is not None
    assert not t.session.negotiated.internal


def test_with_peer_as_0_any_as_is_welcome() -> None:
    t = Transcript(peer_as=0).established(my_as=4200000000)
    assert t.session.negotiated is not None
    assert t.session.negotiated.remote_as == 4200000000


def test_a_peer_that_is_wrong_again_and_again_waits_longer_each_time() -> None:
    t = Transcript()
    t.start()
    pauses = []
    for conn in range(1, 9):
        t.connected()
        t.hears(conn, their_open(my_as=65001))
        assert t.knock() == ["no entry"], "in IDLE the peer's connections are refused (RFC 4271 section 8.2.2)"
        line = t.waits(60)[0]
        pauses.append(float(line.split("s ")[0]))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_passive_session_listens_again_after_its_wait() -> None:
    t = Transcript(passive=True)
    t.start()
    t.knock()
    t.hears(1, their_open(my_as=65001))
    assert t.waits(1) == ["1s ACTIVE"]
    assert t.knock()[0] == "OPENSENT"


# ---- broken framing


@pytest.mark.parametrize(
    ("garbage", "notification"),
    [
        (b"\x00" * 19, "1/1"),
        (b"\xff" * 15 + b"\xfe\x00\x13\x04", "1/1"),
        (b"\xff" * 16 + b"\x00\x12\x04", "1/2 0012"),
        (b"\xff" * 16 + b"\x00\x14\x04\x00", "1/2 0014"),
        (b"\xff" * 16 + b"\xff\xff\x01", "1/2 ffff"),
        (b"\xff" * 16 + b"\x00\x13\x09", "1/3 09"),
    ],
)
@pytest.mark.parametrize("state", ["OPENSENT", "OPENCONFIRM", "ESTABLISHED"])
def test_a_bad_header_ends_the_session_in_every_state(state: str, garbage: bytes, notification: str) -> None:
    t = Transcript()
    t.start()
    t.connected()
    if state != "OPENSENT":
        t.hears(1, their_open())
    if state == "ESTABLISHED":
        t.hears(1, KEEPALIVE)
    lines = t.hears(1, garbage)
    assert lines[0] == f"1 > NOTIFICATION {notification}"
    assert lines[1] == "1 closed"
    assert lines[-1] == "IDLE"
    assert (state == "ESTABLISHED") == any(line.startswith("down for good 1/") for line in lines)


def test_messages_before_a_bad_header_count() -> None:
    t = Transcript().established()
    assert t.hears(1, EMPTY_UPDATE, bytes(19))[0] == "update 4"
    assert t.session.reason.endswith("(1/1): marker is not all ones")


def test_a_long_message_is_fine_only_if_both_offered_it() -> None:
    message = frame.frame(frame.UPDATE, bytes(5000))
    assert Transcript().established(extended_message=True).hears(1, message) == ["update 5000"]
    assert Transcript().established().hears(1, message)[0] == "1 > NOTIFICATION 1/2 139b"


# ---- collisions (RFC 4271 section 6.8)


def test_collision_the_peer_has_the_higher_identifier_so_its_connection_stays() -> None:
    t = Transcript()
    t.start()
    t.connected()
    assert t.knock() == ["2 > OPEN as=64512 hold=90"]
    assert t.hears(1, their_open(router_id=HIGH_ID)) == ["OPENCONFIRM", "1 > KEEPALIVE"]
    assert t.hears(2, their_open(router_id=HIGH_ID)) == ["1 > NOTIFICATION 6/7", "1 closed", "2 > KEEPALIVE"]
    assert t.hears(2, KEEPALIVE) == [UP, "ESTABLISHED"]
    assert t.hangs_up(1) == []


def test_collision_we_have_the_higher_identifier_so_ours_stays() -> None:
    t = Transcript()
    t.start()
    t.connected()
    t.knock()
    assert t.hears(1, their_open(router_id=LOW_ID)) == ["OPENCONFIRM", "1 > KEEPALIVE"]
    assert t.hears(2, their_open(router_id=LOW_ID)) == ["2 > NOTIFICATION 6/7", "2 closed"]
    assert t.hears(1, KEEPALIVE) == [UP, "ESTABLISHED"]


def test_collision_seen_in_the_other_order() -> None:
    for router_id, loser, winner in ((HIGH_ID, 1, 2), (LOW_ID, 2, 1)):
        t = Transcript()
        t.start()
        t.connected()
        t.knock()
        assert t.hears(2, their_open(router_id=router_id)) == ["OPENCONFIRM", "2 > KEEPALIVE"]
        lines = t.hears(1, their_open(router_id=router_id))
        assert lines[:2] == [f"{loser} > NOTIFICATION 6/7", f"{loser} closed"]
        assert t.hears(winner, KEEPALIVE)[-1] == "ESTABLISHED"


def test_collision_with_equal_identifiers_is_decided_by_the_as() -> None:
    for peer_as, loser in ((65000, 1), (64000, 2)):
        t = Transcript(peer_as=peer_as)
        t.start()
        t.connected()
        t.knock()
        t.hears(1, their_open(my_as=peer_as, router_id=OUR_ID))
        lines = t.hears(2, their_open(my_as=peer_as, router_id=OUR_ID))
        assert lines[:2] == [f"{loser} > NOTIFICATION 6/7", f"{loser} closed"]


@pytest.mark.parametrize("router_id", [LOW_ID, HIGH_ID])
def test_collision_with_an_established_session_keeps_it(router_id: bytes) -> None:
    t = Transcript().established(router_id=router_id)
    assert t.knock() == ["2 > OPEN as=64512 hold=90"]
    assert t.hears(2, their_open(router_id=router_id)) == ["2 > NOTIFICATION 6/7", "2 closed"]
    assert t.hears(1, KEEPALIVE) == []
    assert t.session.state == State.ESTABLISHED


def test_collision_with_an_established_session_that_the_peer_opened_keeps_it() -> None:
    t = Transcript(passive=True).established(passive=True)
    assert t.knock() == ["2 > OPEN as=64512 hold=90"]
    assert t.hears(2, their_open()) == ["2 > NOTIFICATION 6/7", "2 closed"]
    assert t.knock() == ["3 > OPEN as=64512 hold=90"]
    assert t.hangs_up(1)[-1] == "OPENSENT"
    assert t.hears(3, their_open(), KEEPALIVE)[-2:] == ["ESTABLISHED", "3 > KEEPALIVE"]


def test_the_peer_resolves_the_collision() -> None:
    t = Transcript()
    t.start()
    t.connected()
    t.knock()
    assert t.hears(2, their_open(router_id=LOW_ID)) == ["OPENCONFIRM", "2 > KEEPALIVE"]
    assert t.hears(2, notify(6, 7)) == ["2 closed", "OPENSENT"]
    assert t.hears(1, their_open(router_id=LOW_ID)) == ["OPENCONFIRM", "1 > KEEPALIVE"]


def test_a_second_connection_before_the_open_replaces_the_first() -> None:
    t = Transcript(passive=True)
    t.start()
    t.knock()
    assert t.knock() == ["1 > NOTIFICATION 6/7", "1 closed", "ACTIVE", "OPENSENT", "2 > OPEN as=64512 hold=90"]


def test_the_loser_of_a_collision_does_not_disturb_the_winner_later() -> None:
    t = Transcript()
    t.start()
    t.connected()
    t.knock()
    t.hears(2, their_open())
    assert t.hears(1, their_open())[1] == "1 closed"
    t.hears(2, KEEPALIVE)
    assert t.waits(29) == []
    assert t.waits(1) == ["1s 2 > KEEPALIVE"]


# ---- established


def test_updates_go_to_the_callback() -> None:
    t = Transcript().established()
    seen: list[bytes] = []
    t.session.on_update = seen.append
    assert t.hears(1, EMPTY_UPDATE, END_OF_RIB, KEEPALIVE) == []
    assert seen == [bytes(4), END_OF_RIB[19:]]
    assert t.session.messages_in[frame.UPDATE] == 2


def test_updates_behind_an_event_keep_their_place() -> None:
    t = Transcript()
    seen: list[bytes] = []
    t.session.on_update = seen.append
    t.start()
    t.connected()
    assert t.hears(1, their_open(), KEEPALIVE, EMPTY_UPDATE) == [UP, "update 4", "ESTABLISHED", "1 > KEEPALIVE"]
    assert seen == []
    assert t.hears(1, EMPTY_UPDATE) == []
    assert len(seen) == 1


def test_an_update_that_resets_the_session_is_the_last_one() -> None:
    t = Transcript().established()
    bodies: list[bytes] = []

    def refuse(body: bytes) -> None:
        bodies.append(body)
        raise SessionReset(3, 1, b"\x40", "MP_REACH_NLRI twice")

    t.session.on_update = refuse
    assert t.hears(1, EMPTY_UPDATE, EMPTY_UPDATE) == [
        "1 > NOTIFICATION 3/1 40",
        "1 closed",
        "down for good 3/1: sent NOTIFICATION UPDATE Message Error/Malformed Attribute List (3/1): MP_REACH_NLRI twice",
        "IDLE",
    ]
    assert len(bodies) == 1
    assert t.hears(1, EMPTY_UPDATE) == []


def test_the_layer_above_may_fail_the_session_from_within_the_callback() -> None:
    t = Transcript().established()
    t.session.on_update = lambda body: t.session.fail(SessionReset(3, 1), t.now)
    assert t.hears(1, EMPTY_UPDATE, EMPTY_UPDATE)[0] == "1 > NOTIFICATION 3/1"
    assert t.session.flaps == 1


def test_updates_that_wait_behind_a_failed_one_are_dropped() -> None:
    t = Transcript().established()
    t.session.receive(1, EMPTY_UPDATE * 3, t.now)
    t.session.next_event()
    t.session.fail(SessionReset(3, 1), t.now)
    assert "update 4" not in t._lines()


def test_fail_without_a_session_does_nothing() -> None:
    t = Transcript()
    t.start()
    t.session.fail(SessionReset(3, 1), t.now)
    assert t.connected()[0] == "OPENSENT"


def test_messages_are_sent_and_counted() -> None:
    t = Transcript().established()
    t.session.send(END_OF_RIB + EMPTY_UPDATE, t.now)
    assert t.hears(1) == ["1 > UPDATE", "1 > UPDATE"]
    assert t.session.messages_out[frame.UPDATE] == 2
    t.hangs_up(1)
    t.session.send(END_OF_RIB, t.now)
    assert t.session.ready == set()


def test_route_refresh() -> None:
    t = Transcript().established()
    assert t.hears(1, refresh.encode(EVPN)) == ["refresh l2vpn-evpn 0"]
    assert t.hears(1, refresh.encode(RTC, refresh.BEGIN)) == ["refresh rtc 1"]
    assert t.hears(1, refresh.encode(IPV4_UNICAST)) == [], "not negotiated: ignored"
    assert t.hears(1, refresh.encode(EVPN, 7)) == [], "unknown subtype: ignored"
    malformed = frame.frame(frame.ROUTE_REFRESH, refresh.encode(EVPN, refresh.BEGIN)[19:] + b"\x00")
    assert t.hears(1, malformed)[0] == "1 > NOTIFICATION 7/1 " + malformed.hex()


# ---- ends


def test_tcp_ends() -> None:
    t = Transcript().established()
    assert t.hangs_up(1, "connection lost: Connection reset by peer") == [
        "down for good 0/0: connection lost: Connection reset by peer",
        "ACTIVE",
    ]
    assert t.session.reason == "connection lost: Connection reset by peer"
    assert t.waits(1) == ["1s CONNECT", "1s connect"]


def test_the_peer_may_come_back_at_once() -> None:
    t = Transcript().established()
    t.hangs_up(1)
    assert t.knock() == ["OPENSENT", "2 > OPEN as=64512 hold=90"]
    assert t.hears(2, their_open(), KEEPALIVE) == [UP, "ESTABLISHED", "2 > KEEPALIVE"]
    assert t.session.flaps == 1


def test_a_notification_is_not_answered() -> None:
    t = Transcript().established()
    assert t.hears(1, notify(3, 1)) == [
        "1 closed",
        "down for good 3/1: received NOTIFICATION UPDATE Message Error/Malformed Attribute List (3/1)",
        "IDLE",
    ]


@pytest.mark.parametrize(
    ("subcode", "state"), [(1, "IDLE"), (2, "ACTIVE"), (3, "IDLE"), (4, "ACTIVE"), (5, "IDLE"), (8, "IDLE")]
)
def test_some_ceases_ask_to_stay_away_for_a_while(subcode: int, state: str) -> None:
    assert Transcript().established().hears(1, notify(6, subcode))[-1] == state


def test_the_text_of_a_shutdown_is_told() -> None:
    t = Transcript().established()
    t.hears(1, Notification.shutdown("maintenance until 6").encode())
    assert t.session.reason == "received NOTIFICATION Cease/Administrative Shutdown (6/2): maintenance until 6"


def test_an_administrator_stops_and_starts() -> None:
    t = Transcript().established()
    assert t.stop(Notification.shutdown("upgrade")) == [
        "1 > NOTIFICATION 6/2 0775706772616465",
        "1 closed",
        "down for good 6/2: stopped: Cease/Administrative Shutdown (6/2): upgrade",
        "IDLE",
    ]
    assert t.waits(3600) == []
    assert t.knock() == ["no entry"]
    assert t.hangs_up(1) == []
    assert t.start() == ["CONNECT", "connect"]
    assert t.session.reason == ""


def test_an_administrator_resets() -> None:
    t = Transcript().established()
    assert t.stop(Notification.shutdown(subcode=4))[:2] == ["1 > NOTIFICATION 6/4", "1 closed"]
    assert t.start() == ["CONNECT", "connect"]
    assert t.connected() == ["OPENSENT", "2 > OPEN as=64512 hold=90"]
    assert t.hears(1, EMPTY_UPDATE) == [], "what still arrives on the old connection is nobody's"


@pytest.mark.parametrize("state", ["CONNECT", "ACTIVE", "OPENSENT", "OPENCONFIRM"])
def test_a_stop_before_establishment(state: str) -> None:
    t = Transcript()
    t.start()
    if state == "ACTIVE":
        t.refused()
    if state in ("OPENSENT", "OPENCONFIRM"):
        t.connected()
    if state == "OPENCONFIRM":
        t.hears(1, their_open())
    assert t.session.state.name == state
    closing = ["1 > NOTIFICATION 6/2", "1 closed"] if state.startswith("OPEN") else []
    assert t.stop() == [*closing, "IDLE"]
    assert t.waits(3600) == []


def test_a_stop_in_the_middle_of_a_collision_closes_both() -> None:
    t = Transcript()
    t.start()
    t.connected()
    t.knock()
    assert t.stop() == ["1 > NOTIFICATION 6/2", "1 closed", "2 > NOTIFICATION 6/2", "2 closed", "IDLE"]


# ---- graceful restart (RFC 4724, RFC 8538)


def test_graceful_restart_a_silent_stop_sends_nothing() -> None:
    t = Transcript().established(graceful_restart=GRACEFUL)
    assert t.stop(silently=True) == [
        "1 closed",
        "down gracefully 0/0: stopped: TCP closed without NOTIFICATION",
        "IDLE",
    ]


def test_graceful_restart_the_end_of_tcp_is_graceful_if_the_peer_offered_it() -> None:
    assert Transcript().established(graceful_restart=GRACEFUL_4724).hangs_up(1)[0].startswith("down gracefully 0/0")
    assert Transcript().established().hangs_up(1)[0].startswith("down for good 0/0")


def test_graceful_restart_not_if_we_did_not_offer_it() -> None:
    t = Transcript(graceful_restart_time=0).established(graceful_restart=GRACEFUL)
    assert t.hangs_up(1)[0].startswith("down for good")


def test_graceful_restart_a_notification_is_graceful_only_with_the_n_bit_on_both_sides() -> None:
    for offer, how in ((GRACEFUL, "gracefully"), (GRACEFUL_4724, "for good")):
        t = Transcript().established(graceful_restart=offer)
        assert t.hears(1, notify(6, 4))[1].startswith(f"down {how} 6/4")
        t = Transcript().established(graceful_restart=offer)
        t.session.fail(SessionReset(3, 1), t.now)
        assert t._lines()[2].startswith(f"down {how} 3/1")


def test_graceful_restart_a_hard_reset_is_final() -> None:
    t = Transcript().established(graceful_restart=GRACEFUL)
    lines = t.hears(1, Notification.shutdown("bye").hard().encode())
    assert lines[1].startswith("down for good 6/9")
    assert t.session.reason.endswith(": bye")


@pytest.mark.parametrize(
    ("subcode", "sent"), [(1, "6/9 0601"), (2, "6/9 0602"), (3, "6/9 0603"), (4, "6/4"), (8, "6/9 0608")]
)
def test_graceful_restart_an_end_we_mean_goes_as_a_hard_reset(subcode: int, sent: str) -> None:
    t = Transcript().established(graceful_restart=GRACEFUL)
    lines = t.stop(Notification(6, subcode))
    assert lines[0] == f"1 > NOTIFICATION {sent}"
    assert lines[2].startswith("down gracefully" if subcode == 4 else "down for good")


def test_graceful_restart_a_peer_without_the_n_bit_gets_the_plain_cease() -> None:
    t = Transcript().established(graceful_restart=GRACEFUL_4724)
    assert t.stop()[0] == "1 > NOTIFICATION 6/2"


def test_graceful_restart_the_peer_restarts_without_tcp_noticing() -> None:
    t = Transcript().established(graceful_restart=GRACEFUL)
    t.waits(20)
    assert t.knock() == ["2 > OPEN as=64512 hold=90"]
    assert t.hears(2, their_open(graceful_restart=GRACEFUL)) == [
        "1 closed",
        "down gracefully 0/0: the peer restarted and opened a new connection",
        "OPENCONFIRM",
        "2 > KEEPALIVE",
    ]
    assert t.hears(2, KEEPALIVE) == [UP, "ESTABLISHED"]


def test_graceful_restart_two_connections_at_the_same_moment_are_a_collision() -> None:
    t = Transcript().established(graceful_restart=GRACEFUL)
    t.waits(1)
    t.knock()
    assert t.hears(2, their_open(graceful_restart=GRACEFUL)) == ["2 > NOTIFICATION 6/7", "2 closed"]


def test_graceful_restart_a_stranger_on_the_new_connection_does_not_end_the_session() -> None:
    t = Transcript().established(graceful_restart=GRACEFUL)
    t.waits(20)
    t.knock()
    assert t.hears(2, their_open(my_as=65001)) == ["2 > NOTIFICATION 2/2", "2 closed"]
    assert t.session.state == State.ESTABLISHED


def test_counters_and_since() -> None:
    t = Transcript()
    t.start()
    assert (t.session.state, t.session.previous, t.session.since) == (State.CONNECT, State.IDLE, 1000.0)
    t.waits(3)
    t.connected()
    assert (t.session.state, t.session.previous, t.session.since) == (State.OPENSENT, State.CONNECT, 1003.0)
