"""Why a peer is not sent a route: never silent where nothing is sent, always silent where it is."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr.community import LLGR_STALE, NO_ADVERTISE, NO_EXPORT
from hornpipe.rib.sending import why_not_sent
from tests.rib.room import EVPN, RTC, Room, Session, mac, target

KEY = mac(1)
ROLES: dict[str, dict[str, object]] = {
    "client": {},
    "peer": {"client": False},
    "outside": {"client": False, "remote_as": 65001},
    "rtc": {"rtc": True},
    "other family": {"families": ()},
    "knows": {"long_lived": True},
    "told anyway": {"long_lived_anyway": True},
}


def why(room: Room, session: Session, key: bytes = KEY) -> str:
    best = room.best(key)
    assert best is not None
    return why_not_sent(session.peer, EVPN, key, best, room.rib.identity)


@pytest.mark.parametrize("reflector", [True, False])
@pytest.mark.parametrize("speaker", [*ROLES, "local"])
@pytest.mark.parametrize("community", [0, NO_ADVERTISE, NO_EXPORT, LLGR_STALE])
def test_it_agrees_with_what_is_sent(reflector: bool, speaker: str, community: int) -> None:
    room = Room(reflector)
    sessions = [room.session(number, **more) for number, more in enumerate(ROLES.values(), 1)]
    sessions += [room.session(number + 10, **more) for number, more in enumerate(ROLES.values(), 1)]
    silent, asking = list(ROLES).index("rtc"), list(ROLES).index("rtc") + len(ROLES)
    sessions[silent].end(RTC)
    sessions[asking].ask(target(1))
    sessions[asking].end(RTC)
    if speaker == "local":
        room.announce(KEY, target(1))
    elif speaker != "other family":
        communities = {"communities": (community,)} if community else {}
        sessions[list(ROLES).index(speaker)].announce(KEY, targets=(target(1),), **communities)
    if room.best(KEY) is None:
        return
    for session in sessions:
        held = KEY in session.holds()
        assert (why(room, session) == "") is held, (session.source, why(room, session))


@pytest.mark.parametrize(
    ("reflector", "speaker", "listener", "words"),
    [
        (True, "peer", "peer", "neither the sender nor the peer is a client (RFC 4456 section 6)"),
        (False, "peer", "peer", "learnt by iBGP: only a reflector passes routes on"),
        (False, "outside", "peer", "learnt from another peer: only a reflector passes routes on"),
        (True, "client", "other family", "l2vpn-evpn was not negotiated"),
        (
            True,
            "client",
            "rtc",
            "the peer does not ask for 64512:1 (RT-Constraint), whose memberships are not complete",
        ),
    ],
)
def test_words(reflector: bool, speaker: str, listener: str, words: str) -> None:
    room = Room(reflector)
    says, hears = room.session(1, **ROLES[speaker]), room.session(2, **ROLES[listener])
    says.announce(KEY, targets=(target(1),))
    assert why(room, hears).startswith(words)
    assert why(room, says) == "it came from this peer (split horizon)"


def test_a_route_that_waits_and_one_that_is_not_the_best() -> None:
    room = Room()
    one, other, hears = room.session(1), room.session(2), room.session(3)
    one.announce(KEY, local_pref=200)
    other.announce(KEY, local_pref=100)
    assert why(room, hears) == "not sent yet, its turn comes"
    hears.holds()
    assert why(room, hears) == ""
    worse = room.rib.candidates(EVPN, KEY)[1]
    text = why_not_sent(hears.peer, EVPN, KEY, worse, room.rib.identity)
    assert text == "not the best path, and only that one is sent"


def test_a_route_that_does_not_fit_a_message() -> None:
    room = Room()
    one, hears = room.session(1), room.session(2)
    one.announce(KEY, ext_communities=tuple(target(number) for number in range(600)))
    room.rib.take_updates(hears.peer, 100)  # `hear` would not like the withdrawal
    assert hears.peer.too_long == 1
    assert why(room, hears) == "it does not fit a message of 4096 bytes (RFC 8654 section 4)"
