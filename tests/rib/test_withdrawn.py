"""What was withdrawn lately, and that it stays bounded."""

from __future__ import annotations

from hornpipe.rib.withdrawn import MOST_KEYS, Withdrawals
from tests.rib.room import EVPN, Room, mac


def test_the_latest_is_found_with_its_time_and_its_peer() -> None:
    room = Room()
    one, other = room.session(1), room.session(2)
    one.announce(mac(1), mac(2))
    other.announce(mac(1))
    assert room.rib.withdrawals.find(lambda family, key: key == mac(1)) is None
    one.withdraw(mac(1), mac(2))
    room.pass_time(5.0)
    other.withdraw(mac(1))
    found = room.rib.withdrawals.find(lambda family, key: key == mac(1))
    assert found is not None
    assert (found.at, found.peer, found.family, found.key) == (1005.0, "10.0.0.2", EVPN, mac(1))
    earlier = room.rib.withdrawals.find(lambda family, key: key == mac(2))
    assert earlier is not None
    assert (earlier.at, earlier.peer) == (1000.0, "10.0.0.1")


def test_the_oldest_go_first() -> None:
    kept = Withdrawals()
    size = MOST_KEYS // 4
    for number in range(10):
        kept.note(float(number), "peer", EVPN, [bytes((number,)) + at.to_bytes(4, "big") for at in range(size)])
    times = {note.at for number in range(10) if (note := kept.find(lambda _, key, n=number: key[0] == n)) is not None}  # type: ignore[misc]
    assert times == {6.0, 7.0, 8.0, 9.0}
